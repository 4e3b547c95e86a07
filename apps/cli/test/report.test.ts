import test from 'ava';
import { histogramLines, type Report, reportLines } from '../src/report.ts';

const report: Report = {
  campaign_id: 'c',
  status: 'completed',
  total: 10,
  sent: 9,
  failed: 1,
  dead: 0,
  suppressed: 0,
  cancelled: 0,
  expired: 0,
  seconds: 2,
  messages_per_second: 5,
  p50_ms: 10,
  p95_ms: 20,
  p99_ms: 1_500,
  stored: { events: 10, messages: 10, retries: 3 },
  histogram: [
    { upTo: 16, count: 2 },
    { upTo: 32, count: 8 },
  ],
  accounted: true,
  api: 'http://127.0.0.1:8080',
  console: null,
};

test('the longest bar belongs to the fullest bucket, lengths are in proportion', (t) => {
  const [small = '', large = ''] = histogramLines(report.histogram);
  const blocks = (line: string) => line.split('█').length - 1;
  t.is(blocks(large), 44);
  t.is(blocks(small), 11);
  t.true(large.endsWith(' 8'));
});

test('an empty histogram and one of a single message are drawn without an error', (t) => {
  t.deepEqual(histogramLines([]), []);
  t.is(histogramLines([{ upTo: 1, count: 1 }]).length, 1);
});

test('the report says accounted only when it is', (t) => {
  t.true(reportLines(report, false).join('\n').includes('all 10 accounted for'));
  const lost = reportLines({ ...report, accounted: false, stored: { events: 9, messages: 9, retries: 0 } }, false).join(
    '\n',
  );
  t.true(lost.includes('NOT accounted for'));
  t.false(lost.includes('all 10 accounted for'));
});
