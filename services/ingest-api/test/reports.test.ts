import { campaignIdFrom } from '@volley/contract';
import { ROUTES, type Route } from '@volley/contract/http';
import test from 'ava';
import type { CampaignFigures, Span } from '../src/analytics-ports.ts';
import type { CampaignStore } from '../src/ports.ts';
import { createReports } from '../src/reports.ts';
import { absentAnalytics } from './support/api.ts';

const ID = campaignIdFrom(1_795_000_000_000, Buffer.from('abcdef'));
const at = (time: string) => Date.parse(`2026-11-21T${time}Z`);
const asDocumented = (route: Route, body: unknown) => {
  const parsed = route.answer?.safeParse(body);
  return parsed?.success ? '' : JSON.stringify(parsed?.error?.issues);
};
const COUNTS = { sent: 5, failed: 1, dead: 0, suppressed: 0, cancelled: 0, expired: 0, deferred: 2, redriven: 0 };
const LATENCY = { p50_ms: 10, p95_ms: 20, p99_ms: 30, provider_p95_ms: 9.5 };

function reports(span: Span | null = { firstMs: at('09:58:01'), lastMs: at('10:01:59') }) {
  const asked: unknown[] = [];
  const figures: CampaignFigures = {
    ...absentAnalytics,
    span: async () => ({ value: span, asOfMs: at('10:02:00') }),
    async series(_, steps) {
      asked.push(steps);
      const rows = ['09:58:00', '10:01:00'].map((time) => ({ atMs: at(time), ...COUNTS, ...LATENCY }));
      return { value: rows, asOfMs: at('10:02:01') };
    },
    async histogram(_, range, step) {
      asked.push([range, step]);
      return { value: [{ from_ms: 7, to_ms: 10, count: 3 }], asOfMs: null };
    },
    async failures(_, range, step) {
      asked.push([range, step]);
      const failure = { reason: 'expired', count: 1, sample_ids: ['x'] };
      const time = new Date(at('10:00:00')).toISOString();
      return { value: [{ ...failure, first: time, last: time }], asOfMs: at('10:02:00') };
    },
  };
  const store = { find: async (_: string, id: string) => (id === ID ? { campaign_id: ID } : undefined) };
  const now = () => at('10:02:05');
  return { asked, ...createReports({ store: store as unknown as CampaignStore, figures, now }) };
}

test('a series of an open range: from the first to the last minute in which something happened', async (t) => {
  const r = reports();
  const series = await r.series(ID, {});
  if (!series.ok) return t.fail(series.failure.detail);
  const { value } = series;
  t.is(asDocumented(ROUTES.campaignSeries, value), '');
  t.like(value, { step: '1m', from: '2026-11-21T09:58:00.000Z', to: '2026-11-21T10:02:00.000Z' });
  t.deepEqual(
    value.data.map((point) => [point.at.slice(11, 16), point.sent, point.p95_ms, point.throughput_per_s]),
    [
      ['09:58', 5, 20, 0.1],
      ['09:59', 0, null, 0],
      ['10:00', 0, null, 0],
      ['10:01', 5, 20, 0.1],
    ],
  );
  t.like(value, { as_of: '2026-11-21T10:02:00.000Z', lag_ms: 5_000 }, 'as of the earlier of its two questions');
});

test('a closed range needs one question, and is shown as it was asked for', async (t) => {
  const r = reports(null);
  const series = await r.series(ID, { from: '2026-11-21T08:30:00Z', to: '2026-11-21T11:00:00Z', step: '1h' });
  t.deepEqual(r.asked, [{ step: '1h', fromMs: at('08:00:00'), toMs: at('11:00:00') }]);
  t.is(series.ok && series.value.data.length, 3);
  t.is(series.ok && series.value.as_of, '2026-11-21T10:02:01.000Z');
});

test('a campaign in which nothing happened has no points, and says as of when', async (t) => {
  const r = reports(null);
  const series = await r.series(ID, {});
  t.like(series.ok && series.value, { from: null, to: null, data: [], as_of: '2026-11-21T10:02:00.000Z' });
  t.is(asDocumented(ROUTES.campaignSeries, series.ok && series.value), '');
  t.deepEqual(r.asked, []);
});

test('without a step a report is of its whole range, with one of the steps that a series would have', async (t) => {
  const r = reports();
  const range = { from: '2026-11-21T09:59:30Z', to: '2026-11-21T10:00:30Z' };
  const histogram = await r.histogram(ID, range);
  t.is(asDocumented(ROUTES.campaignHistogram, histogram.ok && histogram.value), '');
  t.like(histogram.ok && histogram.value, { as_of: null, lag_ms: null });
  const failures = await r.failures(ID, { ...range, step: '1m' });
  t.is(asDocumented(ROUTES.campaignFailures, failures.ok && failures.value), '');
  await r.failures(ID, {});
  t.deepEqual(r.asked, [
    [{ fromMs: at('09:59:30'), toMs: at('10:00:30') }, undefined],
    [{ step: '1m', fromMs: at('09:59:00'), toMs: at('10:01:00') }, '1m'],
    [{}, undefined],
  ]);
});

test('a range that ends before it begins, or has too many steps, is refused before anything is asked', async (t) => {
  const r = reports();
  const wrong = await r.series(ID, { from: '2026-11-21T10:00:00Z', to: '2026-11-21T10:00:00Z' });
  t.is(wrong.ok ? '' : wrong.failure.code, 'validation_failed');
  const long = await r.histogram(ID, { from: '2026-10-01T00:00:00Z', to: '2026-11-01T00:00:00Z', step: '1m' });
  t.is(long.ok ? '' : long.failure.errors?.[0]?.pointer, '?step');
  const whole = await r.histogram(ID, { from: '2020-10-01T00:00:00Z', to: '2026-11-01T00:00:00Z' });
  t.true(whole.ok, 'of any length without steps');
  const none = await r.failures(ID.replace('01', '02'), {});
  t.is(none.ok ? '' : none.failure.code, 'not_found');
  t.is(r.asked.length, 1);
});
