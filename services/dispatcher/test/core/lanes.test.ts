import type { Lane } from '@volley/contract';
import test from 'ava';
import { type Job, jobOf, type Tracked } from '../../src/core/job.ts';
import { createLanes } from '../../src/core/lanes.ts';
import type { Gate } from '../../src/core/scheduler.ts';
import { messageOf, newCampaignId } from '../fixtures.ts';

const [A, B] = [newCampaignId(), newCampaignId()];
const NO_PAST = { attempts: 0, deferrals: 0, firstFailedAtMs: 0, notBeforeMs: 0, origin: '' };
let offset = 0;
const job = (lane: Lane, ordinal: number, more: { campaign?: string; recipient?: string; run?: number } = {}): Job => {
  const tracked = { record: { offset: offset++, headers: {} }, epoch: 1 } as unknown as Tracked;
  const { campaign = A, ...rest } = more;
  return jobOf(tracked, messageOf(campaign, ordinal, { lane, ...rest }), { kind: 'lane', topic: lane }, NO_PAST, 0);
};
const slot: Gate = () => 'slot';
type Lanes = ReturnType<typeof createLanes>;
const started = (lanes: Lanes, most = Number.POSITIVE_INFINITY): Job[] => {
  const out: Job[] = [];
  while (out.length < most) {
    const next = lanes.next(0, true);
    if (next === undefined) break;
    out.push(next);
  }
  return out;
};
const lanesOf = (jobs: readonly Job[]) => jobs.map((j) => j.message.lane);

test('bulk that hangs in all of its slots leaves an eighth to transactional', (t) => {
  const lanes = createLanes(64, slot);
  for (let n = 1; n <= 200; n++) lanes.offer(job('bulk', n));
  t.is(started(lanes).length, 56);
  for (let n = 1; n <= 20; n++) lanes.offer(job('transactional', 1_000 + n, { campaign: B }));
  const next = started(lanes);
  t.is(next.length, 8);
  t.true(lanesOf(next).every((lane) => lane === 'transactional'));
  // A slot that becomes free goes to the one that waits for it, not to bulk.
  lanes.finish(next[0] as Job, true);
  t.deepEqual(lanesOf(started(lanes)), ['transactional']);
});

test('with a single slot there is nothing to keep back', (t) => {
  const lanes = createLanes(1, slot);
  lanes.offer(job('bulk', 1));
  t.is(started(lanes).length, 1);
});

test('transactional goes first, and one in eight is of bulk, so that neither stops the other', (t) => {
  const lanes = createLanes(1_000, slot);
  for (let n = 1; n <= 400; n++) {
    lanes.offer(job('bulk', n));
    lanes.offer(job('transactional', 1_000 + n, { campaign: B }));
  }
  const first = lanesOf(started(lanes, 80));
  t.is(first.filter((lane) => lane === 'bulk').length, 10);
  t.is(first[0], 'transactional');
});

test('a held bulk campaign holds nothing of transactional, and the other way round', (t) => {
  for (const held of ['bulk', 'transactional'] as const) {
    const lanes = createLanes(8, (j) =>
      j.message.lane === held ? { on: 'limit', untilMs: Number.POSITIVE_INFINITY } : 'slot',
    );
    lanes.offer(job('bulk', 1));
    lanes.offer(job('transactional', 2));
    t.is(started(lanes).length, 1, held);
  }
});

test('a copy in the other lane, or to another address, waits until the first one is through, then is looked at', (t) => {
  const lanes = createLanes(8, slot);
  const first = job('bulk', 1);
  const copies = [job('transactional', 1), job('bulk', 1, { recipient: 'other@example.org' })];
  const anotherRun = job('bulk', 1, { recipient: 'third@example.org', run: 1 });
  lanes.offer(first);
  t.deepEqual(started(lanes), [first]);
  for (const copy of [...copies, anotherRun]) lanes.offer(copy);
  t.deepEqual(started(lanes), [anotherRun]);
  t.deepEqual(lanes.finish(first, true), []);
  const next = started(lanes);
  t.is(next.length, 1);
  lanes.finish(next[0] as Job, true);
  t.is(started(lanes).length, 1);
});

test('a copy behind a message that has only moved is looked at, behind one that has ended it has ended', (t) => {
  for (const ended of [true, false]) {
    const lanes = createLanes(8, slot);
    const [first, copy] = [job('bulk', 1), job('bulk', 1)];
    lanes.offer(first);
    lanes.offer(copy);
    t.deepEqual(started(lanes), [first]);
    t.deepEqual(lanes.finish(first, ended), ended ? [copy] : []);
    t.deepEqual(started(lanes), ended ? [] : [copy]);
  }
});

test('a thousand for one full destination step aside; each answer lets a few of them look, and others of the campaign go on', (t) => {
  let free = 0;
  let asked = 0;
  const lanes = createLanes(64, (j) => {
    if (!j.message.recipient.startsWith('slow')) return 'slot';
    asked += 1;
    if (free === 0) return { on: 'host', untilMs: Number.POSITIVE_INFINITY, scope: 'message' };
    free -= 1;
    return 'slot';
  });
  for (let n = 1; n <= 1_000; n++) lanes.offer(job('bulk', n, { recipient: `slow${n}` }));
  for (let n = 1_001; n <= 1_010; n++) lanes.offer(job('bulk', n));
  t.is(started(lanes).length, 10);
  t.is(asked, 1_000);
  asked = 0;
  free = 1;
  lanes.wakeAll('host');
  t.is(started(lanes).length, 1);
  t.true(asked <= 10, `${asked} looks for one free call`);
});
