import type { ReplayPlanView, ReplayView } from '@volley/contract/http';
import test from 'ava';
import { CliError } from '../src/output.ts';
import { act, list, type ReplayOptions, type ReplayTerminal, run, show } from '../src/replay.ts';
import { timeFrom } from '../src/replay-commands.ts';
import { isWell, resultLines } from '../src/replay-result.ts';

const job = (change: Partial<ReplayView> = {}): ReplayView => ({
  replay_id: 'r1',
  target: 'analytics',
  status: 'pending',
  requested: null,
  phase: '',
  reason: '',
  asked_by: 'key-0a1b2c3d',
  campaign_id: null,
  from: null,
  to: null,
  kinds: null,
  rate_per_second: null,
  allow_gap: false,
  swap: 'if_equal',
  send: false,
  total: 12_345,
  done: 0,
  error: null,
  created_at: '2026-11-22T10:00:00.000Z',
  started_at: null,
  finished_at: null,
  template: null,
  subject: null,
  ranges: [],
  progress: null,
  result: null,
  actions: [],
  ...change,
});
const options: ReplayOptions = { dryRun: false, detach: false, json: false };

/** A terminal whose API answers what the test says, in order. */
function terminal(answers: readonly unknown[], more: Partial<ReplayTerminal> = {}) {
  const asked: [string, string, unknown][] = [];
  const lines: string[] = [];
  const documents: unknown[] = [];
  const progress: unknown[] = [];
  const left = [...answers];
  const t: ReplayTerminal = {
    api: {
      async request<T>(method: string, path: string, body?: unknown) {
        asked.push([method, path, body]);
        if (left.length === 0) throw new Error(`nobody expected ${method} ${path}`);
        const answer = left.shift();
        if (answer instanceof Error) throw answer;
        return answer as T;
      },
    },
    print: (line) => void lines.push(line),
    printJson: (value) => void documents.push(value),
    bar: () => ({ update: (done, { phase }) => void progress.push([done, phase]), stop: () => {} }),
    interrupted: new AbortController().signal,
    waitMs: 0,
    awayMs: 60_000,
    ...more,
  };
  return { t, asked, lines, documents, progress };
}

const NOW = Date.parse('2026-11-22T10:00:00Z');
for (const [value, at] of [
  ['2h', '2026-11-22T08:00:00.000Z'],
  ['90s', '2026-11-22T09:58:30.000Z'],
  ['30m', '2026-11-22T09:30:00.000Z'],
  ['7d', '2026-11-15T10:00:00.000Z'],
  ['2026-11-20', '2026-11-20T00:00:00.000Z'],
  ['2026-11-20T12:30:00+02:00', '2026-11-20T10:30:00.000Z'],
  ['2026-11-20T12:30Z', '2026-11-20T12:30:00.000Z'],
  ['2026-13-45', undefined],
  ['yesterday', undefined],
  ['-2h', undefined],
  ['2', undefined],
  ['', undefined],
] as const) {
  test(`the time ${JSON.stringify(value)} is ${at ?? 'none'}`, (t) => {
    t.is(timeFrom(value, NOW), at);
  });
}

test('a replay is asked for with what was given and nothing else, and watched to its end', async (t) => {
  const end = job({ status: 'done', done: 12_345, result: { equal: true, swapped: true } });
  const running = job({ status: 'running', done: 6_000, phase: 'filling' });
  const w = terminal([job(), running, end]);
  const from = '2026-11-22T08:00:00.000Z';
  t.is(await run('analytics', { ...options, from, rate: 5, swap: 'if-equal', allowGap: true, why: 'x' }, w.t), 0);
  const body = { target: 'analytics', from, rate_per_second: 5, swap: 'if_equal', allow_gap: true, reason: 'x' };
  t.deepEqual(w.asked[0], ['POST', '/v1/replays', body]);
  t.deepEqual(w.asked.at(-1)?.slice(0, 2), ['GET', '/v1/replays/r1']);
  t.deepEqual(w.progress, [
    [0, 'pending'],
    [6_000, 'filling'],
    [12_345, 'done'],
  ]);
  t.is(w.lines[0], 'analytics r1: 12,345 records');
  t.true(w.lines.includes('done'));
});

test('a dry run shows each partition, the gaps and the estimate, and makes nothing', async (t) => {
  const plan: ReplayPlanView = {
    dry_run: true,
    target: 'deliveries',
    total: 10,
    ranges: [
      { topic: 'volley.messages.bulk', partition: 3, from: 5, to: 15 },
      { topic: 'volley.messages.bulk', partition: 4, from: 5, to: 5 },
    ],
    gaps: [{ topic: 'volley.messages.bulk', partition: 3, starts_at: 5 }],
    estimate: { seconds: 2, records_per_second: 5, by: 'rate' },
  };
  const w = terminal([plan]);
  t.is(await run('deliveries', { ...options, campaign: 'c', send: true, dryRun: true }, w.t), 0);
  t.deepEqual(w.asked, [
    ['POST', '/v1/replays', { target: 'deliveries', campaign_id: 'c', send: true, dry_run: true }],
  ]);
  t.is(w.lines.length, 4);
  t.regex(
    w.lines.join('\n'),
    /partition 3 +5 to 15: 10\n.*starts at 5.*\n10 records; about 2 s at 5 a second, as asked for\n.*--allow-gap/,
  );
  const none = terminal([{ ...plan, gaps: [], estimate: { seconds: null, records_per_second: null, by: 'nothing' } }]);
  await run('deliveries', { ...options, campaign: 'c', dryRun: true }, none.t);
  t.regex(none.lines.at(-1) ?? '', /not known/);
});

test('sending again wants to be said twice, before anything is asked', async (t) => {
  const w = terminal([]);
  const error = await t.throwsAsync<CliError>(run('deliveries', { ...options, campaign: 'c', send: true }, w.t));
  t.is(error?.exitCode, 2);
  t.deepEqual(w.asked, []);
  const made = terminal([job({ target: 'deliveries' })]);
  t.is(await run('deliveries', { ...options, campaign: 'c', send: true, confirm: true, detach: true }, made.t), 0);
  t.like(made.asked[0]?.[2], { send: true, confirm: true });
});

for (const [what, change, code] of [
  ['equal statistics', { status: 'done', result: { equal: true, swapped: false } }, 0],
  ['statistics that differ', { status: 'done', result: { equal: false, swapped: false } }, 1],
  [
    'statistics that differ, swapped as it was wanted',
    { status: 'done', swap: 'always', result: { equal: false, swapped: true } },
    0,
  ],
  [
    'statistics that were to be swapped, and are not',
    { status: 'done', swap: 'always', result: { equal: false, swapped: false } },
    1,
  ],
  ['statistics without a verdict', { status: 'done' }, 1],
  ['deliveries that differ', { target: 'deliveries', status: 'done', result: { would_fail: 3 } }, 0],
  ['a rehearsal', { target: 'rehearsal', status: 'done' }, 0],
  ['a failure', { target: 'rehearsal', status: 'failed', error: 'no' }, 1],
  ['a cancelled one', { target: 'deliveries', status: 'cancelled' }, 1],
  ['a paused one', { target: 'deliveries', status: 'paused' }, 1],
] as const) {
  test(`${what}: ${code}`, async (t) => {
    const w = terminal([job(), job(change)]);
    t.is(await run('analytics', { ...options, json: true }, w.t), code);
    t.is((w.documents[0] as ReplayView).status, change.status);
    t.is(isWell(job(change)), code === 0);
  });
}

test('an undo that is asked for is not the end yet', async (t) => {
  const undone = job({ status: 'done', result: { equal: true, swapped: true, undone: true } });
  const w = terminal([
    job({ status: 'done', requested: 'undo' }),
    job({ status: 'running', requested: 'undo' }),
    undone,
  ]);
  t.is(await act('undo', 'r/1', { detach: false, json: false }, w.t), 0);
  t.deepEqual(w.asked[0]?.slice(0, 2), ['POST', '/v1/replays/r%2F1/undo']);
  t.is(w.asked.length, 3);
  t.regex(w.lines.join('\n'), /undone +true/);
});

test('an action is waited for, unless that is not wanted; a replay that is resumed is not', async (t) => {
  const paused = terminal([job({ status: 'running', requested: 'pause' }), job({ status: 'paused' })]);
  t.is(await act('pause', 'r1', { detach: false, json: false }, paused.t), 0);
  const late = terminal([job({ status: 'running', requested: 'cancel' }), job({ status: 'done' })]);
  t.is(await act('cancel', 'r1', { detach: false, json: false }, late.t), 1);
  const cancelled = terminal([job({ status: 'running', requested: 'cancel' }), job({ status: 'cancelled' })]);
  t.is(await act('cancel', 'r1', { detach: false, json: true }, cancelled.t), 0);
  t.is((cancelled.documents[0] as ReplayView).status, 'cancelled');
  const noUndo = terminal([job({ status: 'done' })]);
  t.is(await act('cancel', 'r1', { detach: false, json: false }, noUndo.t), 0);
  const resumed = terminal([job({ status: 'pending' })]);
  t.is(await act('resume', 'r1', { detach: false, json: false }, resumed.t), 0);
  const detached = terminal([job({ status: 'running', requested: 'pause' })]);
  t.is(await act('pause', 'r1', { detach: true, json: false }, detached.t), 0);
});

test('Ctrl-C ends the watching, says that the replay goes on, and is no success', async (t) => {
  const interrupt = new AbortController();
  const w = terminal([job(), job({ status: 'running' })], { interrupted: interrupt.signal, waitMs: 60_000 });
  const watching = run('analytics', options, w.t);
  interrupt.abort();
  const error = await t.throwsAsync<CliError>(watching);
  t.is(error?.exitCode, 1);
  t.regex(error?.message ?? '', /goes on without this command: volley replay show r1/);
  t.is(w.asked.length, 1);
});

test('an API that is started again is waited for; one that stays away is told, and the replay goes on', async (t) => {
  const back = terminal([job(), new CliError('away'), job({ status: 'done', result: { equal: true } })]);
  t.is(await run('analytics', options, back.t), 0);
  const gone = terminal([job(), new CliError('away')], { awayMs: 0 });
  await t.throwsAsync(run('analytics', options, gone.t), { message: /^away; it goes on/ });
});

test('the list says what was asked of a replay; one of them is shown with who did what', async (t) => {
  const w = terminal([{ data: [job({ status: 'running', requested: 'cancel', reason: 'because' })] }]);
  t.is(await list({ limit: 20, json: false }, w.t), 0);
  t.regex(w.lines[0] ?? '', /r1 +analytics +running, cancel asked +0 of 12,345 records \(because\)/);
  const none = terminal([{ data: [] }]);
  await list({ limit: 20, json: false }, none.t);
  t.deepEqual(none.lines, ['no replays yet']);
  const actions = [{ at: '2026-11-22T10:01:00.000Z', by: 'key-2', action: 'pause' as const }];
  const one = terminal([job({ status: 'paused', phase: 'filling', done: 7, actions })]);
  t.is(await show('r1', false, one.t), 0);
  t.regex(one.lines.join('\n'), /7 of 12,345 records, filling[\s\S]*pause +2026-11-22T10:01:00.000Z by key-2/);
});

test('differing hours and messages are shown, the first ones, and how many more there are', (t) => {
  const differences = Array.from({ length: 12 }, (_, i) => ({
    table: 'delivery_raw',
    hour: `2026-11-22T${String(i).padStart(2, '0')}:00:00.000Z`,
    live: { rows: 5, p95_ms: 12, hash: 'abc' },
    rebuilt: null,
  }));
  const comparison = { equal: false, rawEqual: false, hours: 20, rows: 100, differing: 40, differences };
  const analytics = resultLines(
    job({ result: { equal: false, swapped: false, not_swapped: 'they differ', comparison } }),
  );
  t.true(analytics.some((line) => line.includes('delivery_raw 2026-11-22T00:00:00.000Z')));
  t.regex(analytics.join('\n'), /live {5}\{"rows":5,"p95_ms":12\}\n {4}rebuilt {2}nothing/);
  t.is(analytics.at(-1), '  … and 30 more: --json has what was kept of them');

  const was = { kind: 'sent', reason: '', body: 'Hi Ann' };
  const would_be = { kind: 'sent', reason: '', body: 'Dear Ann', subject: '' };
  const samples = [
    { message_id: 'm1', recipient: 'ann@example.org', difference: 'renders_differently', was, would_be },
  ];
  const result = { same: 2, messages: 3, renders_differently: 1, samples, sent: { redriven: 2 } };
  t.deepEqual(resultLines(job({ target: 'deliveries', result })), [
    '  messages              3',
    '  same                  2',
    '  renders differently   1',
    '  m1  ann@example.org  renders_differently',
    '    was       sent  body: Hi Ann',
    '    would be  sent  body: Dear Ann',
    '  sent again:',
    '    redriven              2',
  ]);
});

test('a rehearsal tells what would become of the messages, by reason, and of whom', (t) => {
  const result = {
    total: 10,
    would_fail: 2,
    would_send: 8,
    p50_ms: null,
    reasons: [{ reason: 'missing_variable', messages: 2 }],
    samples: [{ recipient: 'ann@example.org', reason: 'missing_variable', detail: 'name' }],
  };
  t.deepEqual(resultLines(job({ target: 'rehearsal', result })), [
    '  total                 10',
    '  would send            8',
    '  would fail            2',
    '    missing variable    2',
    '  ann@example.org  missing_variable  name',
    '  … and 1 more: --json has what was kept of them',
  ]);
});
