import type { AuditView, CampaignAuditView } from '@volley/contract/http';
import test from 'ava';
import { CliError } from '../src/output.ts';
import { type VerifyOptions, type VerifyTerminal, verify } from '../src/verify.ts';

const audit = (change: Partial<CampaignAuditView> = {}): CampaignAuditView => ({
  campaign_id: 'c1',
  status: 'completed',
  verdict: 'equal',
  as_of: '2026-11-21T10:00:00.000Z',
  waited_ms: 0,
  accepted: 10,
  states: { queued: 0, retrying: 0, sent: 9, failed: 1, dead: 0, suppressed: 0, cancelled: 0, expired: 0 },
  stored: { raw_rows: 12, log_records: 12, messages: 10, ended_runs: 10, terminal_events: 10, marked_repeats: 1 },
  repeats: [{ id: 'm7', detail: 'sent of run 0' }],
  figures: [{ figure: 'missing', expected: 10, found: 10, difference: 0, ids: [], more: 0 }],
  lagging: [],
  ...change,
});
const missing = {
  ...{ figure: 'missing' as const, expected: 10, found: 7, difference: 3, more: 2 },
  ids: [{ id: 'm3', detail: 'ordinal 3: no event' }],
};
const log = (change: Partial<AuditView> = {}): AuditView => ({
  as_of: '2026-11-21T10:00:00.000Z',
  verdict: 'equal',
  last_run: null,
  campaigns: { audited: 0, different: 0, lagging: 0 },
  differences: {},
  different: [],
  partitions: [
    {
      ...{ partition: 0, log_start: 0, log_end: 12, stored_to: 12, raw_rows: 12, log_records: 12, dead_letters: 0 },
      figures: [],
    },
  ],
  unavailable: null,
  ...change,
});
const options: VerifyOptions = { wait: 30, limit: 20, campaigns: 100, json: false };
const problem = (status: number) => new CliError(`GET: ${status}`, 1, status);

/** A terminal whose API answers what the test says, in order. */
function terminal(...answers: unknown[]) {
  const asked: string[] = [];
  const lines: string[] = [];
  const documents: unknown[] = [];
  async function answer<T>(path: string): Promise<T> {
    asked.push(path);
    if (answers.length === 0) throw new Error(`nobody expected ${path}`);
    const next = answers.shift();
    if (next instanceof Error) throw next;
    return next as T;
  }
  const t: VerifyTerminal = {
    api: { request: <T>(_method: string, path: string) => answer<T>(path), patiently: answer },
    print: (line) => void lines.push(line),
    printJson: (value) => void documents.push(value),
    againMs: 0,
  };
  return { t, asked, lines, documents };
}

for (const [verdict, code, words] of [
  ['equal', 0, /equal/],
  ['different', 1, /DIFFERENT/],
  ['lagging', 1, /nothing differs so far/],
  ['not_kept', 1, /not compared/],
] as const) {
  test(`a campaign that is ${verdict}: exit code ${code}, and the verdict in words`, async (t) => {
    const w = terminal(audit({ verdict }));
    t.is(await verify('c/1', options, w.t), code);
    t.deepEqual(w.asked, ['/v1/campaigns/c%2F1/audit?wait=30&limit=20']);
    t.regex(w.lines[0] ?? '', words);
    const document = terminal(audit({ verdict }));
    t.is(await verify('c/1', { ...options, json: true }, document.t), code);
    t.like(document.documents, [{ verdict }]);
  });
}

test('every figure is printed with its difference, and a difference with its ids and the count of the rest', async (t) => {
  const w = terminal(audit({ verdict: 'different', figures: [missing] }));
  await verify('c1', options, w.t);
  const text = w.lines.join('\n');
  t.regex(text, /accepted 10 = sent 9 \+ failed 1/);
  t.regex(text, /missing +expected 10 +found 7 +difference 3/);
  t.regex(text, /m3 {2}ordinal 3: no event/);
  t.regex(text, /and 2 more/);
  t.regex(text, /repeat m7/);
});

test('what cannot be compared yet is said, with the partitions that lag', async (t) => {
  const figures = [{ ...missing, difference: null, ids: [], more: 0 }];
  const w = terminal(audit({ verdict: 'lagging', figures, lagging: [{ partition: 3, counted: 9, stored: 4 }] }));
  t.is(await verify('c1', options, w.t), 1);
  t.regex(w.lines.join('\n'), /not comparable yet[\s\S]*partition 3: counted to offset 9, stored to 4/);
});

test('--json prints one document and nothing else', async (t) => {
  const w = terminal(audit());
  t.is(await verify('c1', { ...options, json: true }, w.t), 0);
  t.deepEqual(w.documents, [audit()]);
  t.deepEqual(w.lines, []);
});

test('whoever is not there has not said that anything differs, and it says so; a campaign that is not there: 2', async (t) => {
  const told = async (...answers: unknown[]) => {
    const error = await t.throwsAsync(verify('c1', { ...options, wait: 0 }, terminal(...answers).t), {
      instanceOf: CliError,
    });
    const { exitCode, message } = error as CliError;
    return [exitCode, message.startsWith('not compared, so nothing is known to differ: ')];
  };
  t.deepEqual(await told(new CliError('the API does not answer')), [1, true]);
  t.deepEqual(await told(problem(503)), [1, true]);
  t.deepEqual(await told(problem(401)), [1, true]);
  t.deepEqual(await told(problem(429)), [1, true], 'it may not wait');
  t.deepEqual(await told(problem(404)), [2, false]);
});

test('it waits for its turn', async (t) => {
  const w = terminal(problem(429), problem(429), audit());
  t.is(await verify('c1', options, w.t), 0);
  t.is(w.asked.length, 3);
});

const page = (ids: readonly string[], next_cursor: string | null = null, status = 'completed') => ({
  data: ids.map((campaign_id) => ({ campaign_id, status, name: campaign_id })),
  next_cursor,
});

test('without a campaign: all that were sent, page by page, then the log', async (t) => {
  const w = terminal(page(['a'], 'x&y'), audit(), page(['b', 'c']), audit(), audit(), log());
  t.is(await verify(undefined, options, w.t), 0);
  t.deepEqual(
    w.asked.map((path) => path.replace(/\?wait=\d+&limit=20$/, '')),
    [
      '/v1/campaigns?limit=100',
      '/v1/campaigns/a/audit',
      '/v1/campaigns?limit=100&cursor=x%26y',
      '/v1/campaigns/b/audit',
      '/v1/campaigns/c/audit',
      '/v1/audit',
    ],
  );
  t.regex(w.lines.at(-1) ?? '', /3 campaigns and the log: equal/);
});

test('those that are too old to be compared are counted, and not among the equal ones', async (t) => {
  const old = audit({ verdict: 'not_kept', stored: null });
  const answers = [page(['a', 'b', 'c']), audit(), old, old, log()];
  const w = terminal(...answers);
  t.is(await verify(undefined, options, w.t), 0);
  t.deepEqual(
    w.lines.slice(-2).map((line) => line.split(':')[0]),
    ['2 of 3 campaigns were not compared', '1 campaigns and the log'],
  );
  const document = terminal(...answers);
  await verify(undefined, { ...options, json: true }, document.t);
  t.like(document.documents, [{ verdict: 'equal', not_kept: 2 }]);
});

test('drafts have nothing to compare, and of very many the newest are compared', async (t) => {
  const w = terminal(page(['a', 'b'], 'x', 'draft'), page(['c', 'd', 'e'], 'y'), audit(), audit(), log());
  t.is(await verify(undefined, { ...options, campaigns: 2 }, w.t), 0);
  t.regex(w.lines.join('\n'), /only the newest 2 campaigns/);
});

for (const [what, audits, of, code] of [
  ['one campaign differs', [audit(), audit({ verdict: 'different', figures: [missing] })], log(), 1],
  ['the log differs', [audit(), audit()], log({ verdict: 'different', differences: { gaps: 1 } }), 1],
  ['one lags', [audit(), audit({ verdict: 'lagging' })], log(), 1],
  ['one lags and another differs', [audit({ verdict: 'lagging' }), audit({ verdict: 'different' })], log(), 1],
  [
    'the log could not be compared',
    [audit(), audit()],
    log({ verdict: 'lagging', partitions: null, unavailable: 'x' }),
    1,
  ],
  ['one is too old', [audit(), audit({ verdict: 'not_kept', stored: null })], log(), 0],
] as const) {
  test(`all: ${what}: exit code ${code}`, async (t) => {
    const w = terminal(page(['a', 'b']), ...audits, of);
    t.is(await verify(undefined, { ...options, json: true }, w.t), code);
    t.is(w.documents.length, 1);
  });
}
