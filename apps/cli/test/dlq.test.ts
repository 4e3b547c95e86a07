import { campaignIdFrom, messageIdOf } from '@volley/contract';
import type { DeadLetterView, RedriveView } from '@volley/contract/http';
import test from 'ava';
import { type JobOptions, jobs, list, run, show, type Terminal } from '../src/dlq.ts';
import { isUnattributed, shared } from '../src/dlq-unattributed.ts';
import { CliError } from '../src/output.ts';

const CAMPAIGN = campaignIdFrom(1_795_000_000_000, new Uint8Array(6));
const job = (change: Partial<RedriveView> = {}): RedriveView => ({
  redrive_id: 'r1',
  action: 'redrive',
  status: 'running',
  filter: {},
  limit: null,
  rate_per_second: null,
  reason_text: '',
  requested_by: 'default',
  created_at: '2026-11-21T10:00:00.000Z',
  finished_at: null,
  matched: 3,
  matched_at_least: false,
  selected: 0,
  redriven: 0,
  purged: 0,
  skipped: 0,
  unreadable: 0,
  left_by_cause: {},
  ...change,
});
const letter = (n: number): DeadLetterView => ({
  message_id: messageIdOf(CAMPAIGN, n),
  campaign_id: CAMPAIGN,
  recipient: `p${n}@b.example`,
  kind: 'failed',
  reason: 'recipient_refused',
  detail: '550',
  attempts: 1,
  run: 0,
  occurred_at: '2026-11-21T10:00:00.000Z',
  dlq: null,
});
const options: JobOptions = { dryRun: false, yes: false, detach: false, json: false };

/** A terminal whose API answers what the test says, in order. */
function terminal(answers: readonly unknown[], confirm?: boolean) {
  const asked: [string, string, unknown][] = [];
  const lines: string[] = [];
  const documents: unknown[] = [];
  const questions: string[] = [];
  const left = [...answers];
  const t: Terminal = {
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
    confirm:
      confirm === undefined
        ? undefined
        : async (question) => {
            questions.push(question);
            return confirm;
          },
    bar: () => ({ update: () => {}, stop: () => {} }),
    waitMs: 0,
    awayMs: 60_000,
  };
  return { t, asked, lines, documents, questions };
}
const counted = (matched: number) => ({
  dry_run: true,
  matched,
  matched_at_least: false,
  by_reason: { breaker: matched },
  reasons: [{ reason: 'breaker', count: matched, first: '2026-11-21T10:00:00Z', last: '2026-11-21T10:00:00Z' }],
});

test('a list asks page by page for as many as were wanted', async (t) => {
  const page = (n: number, next_cursor: string | null) => ({
    data: Array.from({ length: n }, (_, i) => letter(i + 1)),
    next_cursor,
  });
  const w = terminal([page(1_000, 'a'), page(200, 'b')]);
  t.is(await list({ campaign: 'c', kind: 'dead', limit: 1_200, unattributed: false, json: false }, w.t), 0);
  t.deepEqual(
    w.asked.map(([, path]) => path),
    ['/v1/dlq?limit=1000&campaign_id=c&kind=dead', '/v1/dlq?limit=200&campaign_id=c&kind=dead&cursor=a'],
  );
  t.is(w.lines.length, 1_201);
  t.regex(w.lines[0] ?? '', /recipient_refused .*p1@b\.example .*550/);
  t.regex(w.lines.at(-1) ?? '', /and more/);
  const none = terminal([page(0, null)]);
  await list({ unattributed: false, json: true }, none.t);
  t.deepEqual(none.documents, [{ data: [], next_cursor: null }]);
  t.deepEqual(none.lines, []);
});

test('one letter is shown whole, or with what is left of it', async (t) => {
  const w = terminal([{ ...letter(1), standing: 'waiting', letter: null }]);
  t.is(await show('m/1', false, w.t), 0);
  t.deepEqual(w.asked[0]?.slice(0, 2), ['GET', '/v1/dlq/m%2F1']);
  t.regex(w.lines.join('\n'), /cannot be sent again/);
});

test('a dry run counts and begins nothing', async (t) => {
  const w = terminal([counted(3)]);
  t.is(await run('redrive', { ...options, dryRun: true, campaign: 'c', rate: 5 }, w.t), 0);
  t.deepEqual(w.asked, [['POST', '/v1/dlq/redrive', { campaign_id: 'c', rate_per_second: 5, dry_run: true }]]);
  t.true(w.lines.includes('3 messages'));
});

for (const [title, end, code] of [
  ['all of them went out', job({ status: 'done', selected: 3, redriven: 3 }), 0],
  ['one could not', job({ status: 'done', selected: 3, redriven: 2, unreadable: 1, left_by_cause: { gone: 1 } }), 1],
  ['it was cancelled', job({ status: 'cancelled', selected: 1, redriven: 1 }), 1],
] as const) {
  test(`a redrive asks, waits for its end and exits ${code} when ${title}`, async (t) => {
    const w = terminal([counted(3), job(), job({ selected: 2, redriven: 1 }), end], true);
    t.is(await run('redrive', { ...options, message: ['a'], note: 'why' }, w.t), code);
    t.deepEqual(w.questions, ['send 3 again?']);
    t.deepEqual(w.asked[1], ['POST', '/v1/dlq/redrive', { message_ids: ['a'], reason_text: 'why' }]);
    t.is(w.asked.at(-1)?.[1], '/v1/dlq/redrives/r1');
    t.regex(w.lines.at(-1) ?? '', new RegExp(`^${end.status}: ${end.redriven} redriven`));
  });
}

test('an API that is away for a moment is waited for; one that stays away is named, and so is the job', async (t) => {
  const away = new CliError('the API does not answer');
  const end = job({ status: 'done', selected: 3, redriven: 3 });
  const w = terminal([counted(3), job(), away, away, end], true);
  t.is(await run('redrive', options, w.t), 0);
  const lost = terminal([counted(3), job(), away], true);
  const error = await t.throwsAsync(run('redrive', options, { ...lost.t, awayMs: 0 }), { instanceOf: CliError });
  t.regex(error?.message ?? '', /does not answer; it goes on .*volley dlq jobs r1/);
});

test('who says no, or is not there to be asked about a purge, changes nothing', async (t) => {
  const no = terminal([counted(3)], false);
  await t.throwsAsync(run('redrive', options, no.t), { instanceOf: CliError });
  const nobody = terminal([counted(3)]);
  t.is((await t.throwsAsync<CliError>(run('purge', options, nobody.t)))?.exitCode, 2);
  t.is(nobody.asked.length, 1);
});

test('--yes asks nobody, --detach waits for nobody, --json says it in one document', async (t) => {
  const w = terminal([counted(3), job({ action: 'purge' })], false);
  t.is(await run('purge', { ...options, yes: true, detach: true, json: true }, w.t), 0);
  t.deepEqual(w.questions, []);
  t.like(w.documents[0], { redrive_id: 'r1', action: 'purge' });
  t.is(w.documents.length, 1);
});

test('jobs are listed, looked at and cancelled', async (t) => {
  const done = job({ status: 'done', redriven: 2, left_by_cause: { gone: 1 }, unreadable: 1, reason_text: 'why' });
  const all = terminal([{ data: [done] }]);
  await jobs(undefined, { cancel: false, json: false }, all.t);
  t.regex(all.lines[0] ?? '', /r1 .*redrive .*done .*3 of 3: 2 redriven, 1 left: gone \(why\)/);
  const one = terminal([done]);
  await jobs('r1', { cancel: true, json: true }, one.t);
  t.deepEqual(one.asked, [['POST', '/v1/dlq/redrives/r1/cancel', undefined]]);
  t.deepEqual(one.documents, [done]);
  await t.throwsAsync(jobs(undefined, { cancel: true, json: false }, terminal([]).t), { instanceOf: CliError });
});

const headers = (of: Record<string, string>) => ({
  headers: Object.fromEntries(Object.entries(of).map(([k, v]) => [k, Buffer.from(v)])),
});
for (const [title, record, expected] of [
  ['unreadable, no headers', headers({ 'volley-reason': 'undecodable' }), true],
  [
    'unreadable, headers of a message',
    headers({ 'volley-reason': 'undecodable', 'v-campaign-id': CAMPAIGN, 'v-message-id': messageIdOf(CAMPAIGN, 1) }),
    false,
  ],
  [
    "unreadable, another campaign's message",
    headers({
      'volley-reason': 'wrong_record',
      'v-campaign-id': CAMPAIGN,
      'v-message-id': messageIdOf(campaignIdFrom(5, new Uint8Array(6)), 1),
    }),
    true,
  ],
  ['refused by the provider', headers({ 'volley-reason': 'recipient_refused' }), false],
  ['not ours at all', headers({}), false],
] as const)
  test(`unattributed is ${expected}: ${title}`, (t) => {
    t.is(isUnattributed(record), expected);
  });

for (const [all, sizes, parts] of [
  [20, [100, 0, 0], [20, 0, 0]],
  [20, [100, 100], [10, 10]],
  [20, [2, 100, 100], [2, 9, 9]],
  [20, [3, 4], [3, 4]],
  [20, [], []],
] as const)
  test(`${all} letters of partitions with ${sizes.join(', ')}: ${parts.join(', ')} of each`, (t) => {
    t.deepEqual(shared(all, sizes), [...parts]);
  });
