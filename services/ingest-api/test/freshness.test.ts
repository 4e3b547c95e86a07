import { groupsOf, partitionOf, topicsOf } from '@volley/contract';
import type { StreamClient } from '@volley/stream';
import test from 'ava';
import { createFreshness } from '../src/freshness.ts';
import { testClock } from './support/service.ts';

const topics = topicsOf('t');
const groups = groupsOf('t');

/** Two partitions of deliveries, and what the sink has committed of them. */
function fakeLog() {
  const log = { ends: [0, 0], committed: [-1, -1], isAway: false, isHanging: false, asked: 0 };
  const ask = async () => {
    if (log.isHanging) await new Promise(() => {});
    if (log.isAway) throw new Error('away');
  };
  const client = {
    admin: async () => ({
      async logBounds(topic: string) {
        log.asked += 1;
        await ask();
        if (topic !== topics.deliveries) throw new Error(topic);
        return log.ends.map((end) => ({ start: 0, end }));
      },
      async committed(groupId: string, topic: string) {
        await ask();
        if (groupId !== groups.sink || topic !== topics.deliveries) throw new Error(groupId);
        return log.committed.map((offset) => ({ offset, metadata: '' }));
      },
    }),
  };
  return { log, client: client as unknown as StreamClient };
}

test('from the log alone: complete, then behind, then complete again; nothing was ever written is complete too', async (t) => {
  const { log, client } = fakeLog();
  const clock = testClock();
  const { storedUntil } = createFreshness({ client, namespace: 't', clock });
  const first = clock.now();
  t.is(await storedUntil(), first);
  clock.advance(1_000);
  log.ends = [10, 4];
  log.committed = [10, 2];
  t.is(await storedUntil(), first, 'two records are not stored yet');
  const second = clock.now();
  clock.advance(1_000);
  log.ends = [20, 4];
  log.committed = [10, 4];
  t.is(await storedUntil(), second, 'what the log had a second ago is');
});

test('however many ask, the log is asked once a second', async (t) => {
  const { log, client } = fakeLog();
  const clock = testClock();
  const { storedUntil } = createFreshness({ client, namespace: 't', clock });
  await Promise.all(Array.from({ length: 100 }, () => storedUntil()));
  t.is(log.asked, 1);
  clock.advance(999);
  await storedUntil();
  t.is(log.asked, 1);
  clock.advance(1);
  await storedUntil();
  t.is(log.asked, 2);
});

test('of a campaign only the partitions that it uses count', async (t) => {
  const { log, client } = fakeLog();
  const { storedUntil } = createFreshness({ client, namespace: 't', clock: testClock() });
  const ids = [
    '01a1fdc2-e2c6-780b-84ec-2fe500000000',
    '01a1fdc2-e2c6-780b-84ec-2fe600000000',
    '01a1fdc2-e2c6-780b-84ec-2fe700000000',
  ];
  log.ends = [5, 5];
  log.committed = [5, 0];
  t.is(await storedUntil(), null);
  for (const campaign_id of ids) {
    const until = await storedUntil({ campaign_id, spread: 1, partitions: 2 });
    t.is(until === null, partitionOf(campaign_id, '', 1, 2) === 1, campaign_id);
    t.is(await storedUntil({ campaign_id, spread: 2, partitions: 2 }), null);
  }
});

test('what was counted is told apart from what is stored, also when one of them is far behind', async (t) => {
  const { log, client } = fakeLog();
  const clock = testClock();
  const { look, storedUntil, countedUntil } = createFreshness({ client, namespace: 't', clock });
  const campaign = { campaign_id: '01a1fdc2-e2c6-780b-84ec-2fe500000000', spread: 2, partitions: 2 };
  const counted = (...next: number[]) =>
    countedUntil(campaign, new Map(next.map((to, p) => [p, { next: to, eventAtMs: null }])));
  const seen: number[] = [];
  for (let end = 0; end < 300; end++) {
    clock.advance(1_000);
    log.ends = [end, 0];
    log.committed = [end, 0];
    seen.push(clock.now());
    await look();
    t.is(counted(Math.min(3, end)), seen[Math.min(3, end)] ?? null);
  }
  t.is(await storedUntil(), seen[299] ?? null);
  t.is(counted(299), seen[299] ?? null);
});

test('offsets of another log count for nothing in this one', async (t) => {
  const { log, client } = fakeLog();
  const clock = testClock();
  const { look, countedUntil } = createFreshness({ client, namespace: 't', clock });
  const campaign = { campaign_id: '01a1fdc2-e2c6-780b-84ec-2fe500000000', spread: 2, partitions: 2 };
  const to = new Map([[0, { next: 80_000, eventAtMs: 5 }]]);
  countedUntil(campaign, to);
  log.ends = [7, 0];
  await look();
  t.is(countedUntil(campaign, to), 5, 'up to the last event that was counted, and no further');
  clock.advance(1_000);
  await look();
  t.is(countedUntil(campaign, to), 5);
});

test('a log that is away or hangs keeps nobody waiting, and what was known stays known', async (t) => {
  t.timeout(20_000);
  const { log, client } = fakeLog();
  const clock = testClock();
  const { storedUntil } = createFreshness({ client, namespace: 't', clock });
  const first = clock.now();
  await storedUntil();
  clock.advance(1_000);
  log.isAway = true;
  t.is(await storedUntil(), first);
  clock.advance(1_000);
  log.isAway = false;
  log.isHanging = true;
  t.is(await storedUntil(), first);
  // The clock of this test stands: whoever comes later than the first does not wait for what hangs already.
  clock.advance(1_000);
  t.is(await storedUntil(), first);
  t.is(log.asked, 3);
});
