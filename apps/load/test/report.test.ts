import test from 'ava';
import { objectivesOf } from '../src/objective.ts';
import { reportPage } from '../src/page/page.ts';
import { figuresOfRun, type LoadReport, reportOf, verdictOf } from '../src/report.ts';
import type { Ran } from '../src/run.ts';
import { EXIT, reportText } from '../src/text.ts';
import { environment, madeRun, plan } from './made-run.ts';

const verdict = (ran: Ran, given: readonly string[] = []) => verdictOf(ran, figuresOfRun(ran), objectivesOf(given));
const report = (ran: Ran, given: readonly string[] = []) =>
  reportOf({ ran, objectives: objectivesOf(given), environment });
/** The page without its data and its script: what a reader sees. */
const markup = (page: string) => page.replaceAll(/<script[\s\S]*?<\/script>/g, '');

test('a run in which everything came through at its time meets what holds anyhow', (t) => {
  t.like(verdict(madeRun()), { verdict: 'met', why: [] });
  t.is(EXIT.met, 0);
});

test('a missed objective is named with what was found', (t) => {
  const { verdict: found, why } = verdict(madeRun(), ['http.p99<5ms']);
  t.is(found, 'missed');
  t.deepEqual(why, ['http.p99<5ms: 10 ms']);
  t.is(EXIT.missed, 1);
});

test('messages that are not accounted for are a miss, and it says which', (t) => {
  const ran = madeRun();
  const problem = '3 of 1200 messages have not ended';
  const { verdict: found, why } = verdict({
    ...ran,
    accounts: { ...ran.accounts, accounted: false, problems: [problem] },
  });
  t.is(found, 'missed');
  t.deepEqual(why, ['accounted: no', problem]);
});

test('no verdict when the generator was late itself, met or missed', (t) => {
  for (const given of [[], ['http.p99<5ms']]) {
    const { verdict: found, why } = verdict(madeRun({}, 150), given);
    t.is(found, 'unknown');
    t.regex(why[0] ?? '', /the generator itself was late: .*150 ms/);
  }
  t.is(EXIT.unknown, 3);
  t.is(verdict(madeRun({}, 99)).verdict, 'met');
});

test('the report has every interval, and histograms that can be added up', (t) => {
  const r = report(madeRun());
  t.is(r.intervals.length, 12);
  t.is(r.intervals.filter((i) => i.warm_up).length, 2);
  t.is(r.latencies.http?.count, 1_000, 'warm-up left out');
  t.true((r.latencies.http?.hdr ?? '').length > 20);
  t.true(Math.abs((r.measured.ended_per_second ?? 0) - 100) < 1);
  t.deepEqual(JSON.parse(JSON.stringify(r)), r as unknown);
});

test('how many dispatchers are needed follows from what one does', (t) => {
  const objectives = objectivesOf([]);
  const need = { messages: 59_000, seconds: 100 };
  t.is(reportOf({ ran: madeRun(), objectives, environment, need }).need?.dispatchers, 6);
  t.is(reportOf({ ran: madeRun({ dispatchers: 2 }), objectives, environment, need }).need?.dispatchers, 12);
});

const PARTS = [
  'Messages a second',
  'HTTP answer',
  'Delivery',
  'On its way',
  'How long it took',
  'Percentiles',
  'Objectives',
  'Where the CPU time went',
  'Environment',
  '0123abc',
];
test('the page shows it all', (t) => {
  const page = reportPage(report(madeRun({}, 1, '503 unavailable')));
  for (const part of [...PARTS, 'Errors by kind', '503 unavailable']) t.true(markup(page).includes(part), part);
  t.notRegex(markup(page), /NaN|undefined|Infinity/);
});

test('the page asks nothing of anybody', (t) => {
  const page = reportPage(report(madeRun({}, 1, '503 unavailable')));
  t.notRegex(
    page,
    /https?:|\/\/[a-z]|\bsrc=|\bhref=|url\(|@import|<link|<img|<iframe|fetch\(|XMLHttpRequest|import\(/i,
  );
  t.regex(page, /default-src 'none'/);
});

const HOSTILE = `</script><img src=x onerror="alert('1')">&amp;`;
test('no name, error, setting or command becomes markup', (t) => {
  const script = { text: HOSTILE, transient: 0, refuse: 0, throttle: 0, lost: 0 };
  const ran = madeRun({ plan: plan({ provider: HOSTILE, script }), cpu: { [HOSTILE]: 2, sink: 1 } }, 1, HOSTILE);
  const accounts = { ...ran.accounts, accounted: false, problems: [HOSTILE] };
  const made = report({ ...ran, accounts });
  const hostile: LoadReport = {
    ...made,
    run: HOSTILE,
    objectives: [{ objective: HOSTILE, met: false, found: HOSTILE }],
    notes: [HOSTILE],
    environment: { command: HOSTILE, commit: HOSTILE, machine: HOSTILE, settings: { [HOSTILE]: HOSTILE } },
    capacity: {
      ...{ per_second: 1, missed_at: null, ended: HOSTILE },
      tries: [{ per_second: 1, verdict: 'met', objectives: [{ objective: HOSTILE, met: true, found: HOSTILE }] }],
    },
  };
  const page = reportPage(hostile);
  t.false(page.includes('<img'));
  t.is(page.match(/<\/script>/g)?.length, 2, 'only those of the page itself');
  t.true(
    markup(page).split('&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;').length > 12,
  );
  const data = /<script type="application\/json" id="report">([\s\S]*?)<\/script>/.exec(page)?.[1] ?? '';
  t.deepEqual(JSON.parse(data), JSON.parse(JSON.stringify(hostile)));
});

test('a run without ClickHouse has a page as well', (t) => {
  const { outcomes: _, ...rest } = madeRun();
  const page = reportPage(report({ ...rest, outcomes: undefined, watched: [], cpu: {} }));
  t.true(markup(page).includes('HTTP answer'));
  t.notRegex(markup(page), /NaN|undefined|Infinity/);
});

test('the terminal says the same in a few lines', (t) => {
  const lines = reportText(report(madeRun(), ['http.p99<5ms']), false).join('\n');
  t.regex(lines, /direct messages, one a request, 100\/s for 10 s: objectives MISSED/);
  t.regex(lines, /http +p50 10 ms/);
  t.regex(lines, /accepted 1,200 = sent 1,200: all accounted for/);
  t.regex(lines, /missed +http\.p99<5ms +10 ms/);
  t.false(lines.includes('\u001b'));
});
