import { createDecoder, deadLetterOf, messageIdOf } from '@volley/contract';
import { MAX_SHOWN_BYTES, ROUTES } from '@volley/contract/http';
import test from 'ava';
import { v7 } from 'uuid';
import type { DeadLetter, DeadLetterIndex, RedriveJobs } from '../src/dead-letter-ports.ts';
import { createDeadLetterDesk } from '../src/dead-letters.ts';
import { createLetterReader } from '../src/letters.ts';
import { endAll, indexOf, lettersIn } from './support/dead-letters.ts';
import { createTestSchemas, readAll, topics } from './support/log.ts';
import { all, running } from './support/roles.ts';

/** A campaign of `n` that has failed whole, and a desk over it. */
async function failed(n: number, more: { letters?: (found: DeadLetter[]) => DeadLetter[] } = {}) {
  const { w, s, id } = await running(n);
  await all(s.fanout);
  await endAll(w.producer, await readAll(w.client, topics.messages.bulk), (ordinal) =>
    ordinal % 3 ? { kind: 'failed', reason: 'recipient_refused' } : { kind: 'dead', reason: 'render_failed' },
  );
  const found = await lettersIn(w.client);
  const letters = more.letters?.(found) ?? found;
  const schemas = createTestSchemas();
  const woken: string[] = [];
  const desk = createDeadLetterDesk({
    tenant: 'default',
    index: indexOf(async () => letters),
    jobs: w.store.redriveJobs,
    read: createLetterReader(w.client, topics.dlq),
    decode: createDecoder('Message', schemas),
    loadSchema: (schema) => schemas.load(schema),
    now: w.clock.now,
    newId: () => v7(),
    wakeRedrive: () => void woken.push('woken'),
  });
  await s.stop();
  return { w, id, desk, schemas, woken, letters };
}

const asked = {
  action: 'redrive' as const,
  filter: {},
  limit: null,
  rate_per_second: null,
  reason_text: '',
  dry_run: false,
};

async function mark(jobs: RedriveJobs, purge: (id: string) => Promise<unknown>) {
  const job = await jobs.create({
    redrive_id: v7(),
    tenant_id: 'default',
    action: 'purge',
    filter: {},
    limit: null,
    rate_per_second: null,
    reason_text: '',
    createdAtMs: 1,
    matched: 0,
    matchedAtLeast: false,
  });
  await purge(job.redrive_id);
}

/** As a purge of these would leave them. */
async function purged({ w, letters }: Awaited<ReturnType<typeof failed>>, ordinals: readonly number[]) {
  const store = w.store.redrives('test', topics.deliveries);
  await mark(w.store.redriveJobs, async (id) => {
    const claim = await store.claim(id);
    const marks = letters
      .filter((l) => ordinals.includes(l.ordinal))
      .map((l) => ({ ...l, run: l.run + 1, place: l.place }));
    await store.select(id, claim?.lease.fence ?? -1, { marks, cursor: undefined, last: true });
  });
}

test('a list is newest first, in pages, and leaves out what somebody has purged or redriven', async (t) => {
  const f = await failed(7, { letters: (found) => found.map((l) => ({ ...l, occurredAtMs: 1_000 + l.ordinal })) });
  await purged(f, [6, 2]);
  const met: string[] = [];
  let after: { occurredAtMs: number; message_id: string } | undefined;
  for (let pages = 0; pages < 10; pages++) {
    const { data, next } = await f.desk.list({ filter: {}, limit: 2, after });
    met.push(...data.map((l) => l.message_id));
    t.true(ROUTES.listDeadLetters.answer.safeParse({ data, next_cursor: null }).success);
    after = next;
    if (!next) break;
  }
  t.deepEqual(
    met,
    [7, 5, 4, 3, 1].map((n) => messageIdOf(f.id, n)),
  );
  t.deepEqual(
    (await f.desk.list({ filter: { kind: 'dead' }, limit: 9 })).data.map((l) => l.reason),
    ['render_failed'],
  );
});

test('counting says how many by reason and does nothing', async (t) => {
  const f = await failed(7);
  await purged(f, [6]);
  const endedAt = new Date(f.letters[0]?.occurredAtMs ?? 0).toISOString();
  const count = await f.desk.ask({ ...asked, dry_run: true });
  t.deepEqual(count, {
    dry_run: true,
    matched: 6,
    matched_at_least: false,
    by_reason: { recipient_refused: 5, render_failed: 1 },
    reasons: [
      { reason: 'recipient_refused', count: 5, first: endedAt, last: endedAt },
      { reason: 'render_failed', count: 1, first: endedAt, last: endedAt },
    ],
  });
  t.true(ROUTES.redriveDeadLetters.also.answer.safeParse(count).success);
  t.like(await f.desk.ask({ ...asked, dry_run: true, limit: 4 }), { matched: 4, matched_at_least: false });
  t.like(await f.desk.ask({ ...asked, dry_run: true, filter: { reason: 'breaker' } }), {
    matched: 0,
    by_reason: {},
    reasons: [],
  });
  t.is((await f.desk.redrives({ limit: 5 })).length, 1, 'only the purge');
  t.deepEqual(f.woken, []);
});

test('counting says when those of a reason failed first and last, not those that were dealt with', async (t) => {
  const atMs = (ordinal: number) => 1_700_000_000_000 + ordinal * 1_000;
  const f = await failed(7, {
    letters: (found) => found.map((l) => ({ ...l, occurredAtMs: atMs(l.ordinal) })),
  });
  await purged(f, [1, 7]);
  const at = (ordinal: number) => new Date(atMs(ordinal)).toISOString();
  t.like(await f.desk.ask({ ...asked, dry_run: true }), {
    reasons: [
      { reason: 'recipient_refused', count: 3, first: at(2), last: at(5) },
      { reason: 'render_failed', count: 2, first: at(3), last: at(6) },
    ],
  });
});

test('what is asked for is a job that keeps who, what and why, and the role hears of it', async (t) => {
  const f = await failed(4);
  const job = await f.desk.ask({
    ...asked,
    filter: { reason: 'recipient_refused', campaign_id: f.id },
    limit: 2,
    rate_per_second: 5,
    reason_text: 'the relay was wrong',
  });
  t.true(ROUTES.redriveDeadLetters.answer.safeParse(job).success);
  t.like(job, {
    action: 'redrive',
    status: 'running',
    filter: { reason: 'recipient_refused', campaign_id: f.id },
    limit: 2,
    rate_per_second: 5,
    reason_text: 'the relay was wrong',
    requested_by: 'default',
    matched: 2,
    selected: 0,
    created_at: new Date(f.w.clock.now()).toISOString(),
  });
  t.deepEqual(f.woken, ['woken']);
  const id = 'redrive_id' in job ? job.redrive_id : '';
  t.deepEqual(await f.desk.redrive(id), job);
  t.deepEqual(await f.desk.cancel(id), job);
  t.is(await f.desk.redrive(v7()), undefined);
  t.is(await f.desk.cancel(v7()), undefined);
});

test('one letter is shown with its headers, its message, and what was done with it', async (t) => {
  const f = await failed(3);
  const shown = await f.desk.show(messageIdOf(f.id, 3));
  t.true(ROUTES.getDeadLetter.answer.safeParse(shown).success);
  t.like(shown, { kind: 'dead', reason: 'render_failed', standing: 'waiting' });
  t.like(shown?.letter, { reason: 'render_failed', attempts: '1', error: 'no', truncated: false, key: f.id });
  t.like(shown?.letter?.message, { message_id: messageIdOf(f.id, 3), recipient: 'p2.all@b.example', run: 0 });
  t.regex(shown?.letter?.origin ?? '', /^t\.messages\.bulk\/\d+\/2\/\d+$/);
  t.true(shown?.letter?.headers.some(({ name, value }) => name === 'volley-reason' && value === 'render_failed'));
  t.is(Buffer.from(shown?.letter?.value_base64 ?? '', 'base64').length, shown?.letter?.value_bytes ?? -1);
  await purged(f, [3]);
  t.is((await f.desk.show(messageIdOf(f.id, 3)))?.standing, 'purged');
  t.is(await f.desk.show(messageIdOf(f.id, 4)), undefined);
});

test('a letter that nobody can read, or that the log no longer has, is shown as far as it goes', async (t) => {
  const f = await failed(3);
  const value = Buffer.alloc(200_000, 7);
  const headers = {
    odd: Buffer.from([0xff, 0xfe]),
    long: Buffer.alloc(20_000, 97),
    'volley-first-failed-at': Buffer.from('x'),
  };
  const record = { topic: 't.x', partition: 1, offset: 9, timestampMs: 5, key: null, value, headers };
  const facts = {
    reason: 'undecodable' as const,
    attempts: 0,
    firstFailedAtMs: 1,
    lastFailedAtMs: 2,
    error: 'not Avro',
  };
  const [place] = await f.w.producer.send([{ ...deadLetterOf(record, topics.dlq, facts), partition: 1 }]);
  Object.assign(f.letters[0] as object, { place: { partition: 1, offset: place?.offset ?? -1 } });
  Object.assign(f.letters[1] as object, { place: { partition: 2, offset: 999 } });
  Object.assign(f.letters[2] as object, { place: undefined });
  const shown = await f.desk.show(f.letters[0]?.message_id ?? '');
  t.true(ROUTES.getDeadLetter.answer.safeParse(shown).success);
  t.like(shown?.letter, { message: null, key: null, value_bytes: 200_000, first_failed_at: null });
  t.is(shown?.letter?.last_failed_at, new Date(2).toISOString());
  t.regex(shown?.letter?.undecodable ?? '', /Confluent/);
  t.is(Buffer.from(shown?.letter?.value_base64 ?? '', 'base64').length, MAX_SHOWN_BYTES);
  t.true(JSON.stringify(shown).length < 150_000);
  for (const n of [1, 2]) t.is((await f.desk.show(f.letters[n]?.message_id ?? ''))?.letter, null);
});

test('with the registry away a letter is shown undecoded', async (t) => {
  const f = await failed(1);
  f.schemas.away = true;
  const shown = await f.desk.show(messageIdOf(f.id, 1));
  t.like(shown?.letter, { message: null, undecodable: 'its schema is not known' });
});

test('a count stops at its bound and says so', async (t) => {
  const f = await failed(1);
  const one = f.letters[0] as DeadLetter;
  let asks = 0;
  const index: Pick<DeadLetterIndex, 'page' | 'find'> = {
    async page({ limit }) {
      asks += 1;
      return Array.from({ length: limit }, (_, i) => ({ ...one, message_id: messageIdOf(f.id, asks * limit + i) }));
    },
    find: async () => undefined,
  };
  const jobs: RedriveJobs = { ...f.w.store.redriveJobs, marked: async () => new Map() };
  const desk = createDeadLetterDesk({
    tenant: 'default',
    index,
    jobs,
    read: async () => ({ found: new Map(), postponed: new Set() }),
    decode: () => ({ ok: false, reason: 'undecodable', detail: '' }),
    loadSchema: async () => {},
    now: () => 0,
    newId: () => v7(),
    wakeRedrive: () => {},
  });
  t.like(await desk.ask({ ...asked, dry_run: true }), { matched: 200_000, matched_at_least: true });
  // All of a very long list were purged: the page is short, and the next one begins where it stopped.
  const purgedJobs: RedriveJobs = {
    ...jobs,
    marked: async (marks) => new Map(marks.map((m) => [`${m.message_id}/${m.run}`, 'purged'])),
  };
  const empty = createDeadLetterDesk({
    tenant: 'default',
    index,
    jobs: purgedJobs,
    read: async () => ({ found: new Map(), postponed: new Set() }),
    decode: () => ({ ok: false, reason: 'undecodable', detail: '' }),
    loadSchema: async () => {},
    now: () => 0,
    newId: () => v7(),
    wakeRedrive: () => {},
  });
  const page = await empty.list({ filter: {}, limit: 10 });
  t.deepEqual(page.data, []);
  t.truthy(page.next);
});
