import { type DispatcherState, groupsOf, topicsOf } from '@volley/contract';
import { ROUTES } from '@volley/contract/http';
import type { StreamClient } from '@volley/stream';
import test from 'ava';
import type { DispatcherRow } from '../src/core/overview.ts';
import { createOverview } from '../src/overview.ts';
import type { DispatcherReader } from '../src/overview-ports.ts';

const topics = topicsOf('t');
const groups = groupsOf('t');
const NOW = 1_800_000_000_000;
const PARTITIONS = 3;

interface FakeLog {
  /** By topic: [start, end, committed] of each partition; absent: empty. */
  places: Record<string, [start: number, end: number, committed: number][]>;
  /** Each record is so old per offset that is above it. */
  isAway: boolean;
  isHanging: boolean;
  asked: number;
  ranges: number;
}

function fakeLog(places: FakeLog['places']) {
  const log: FakeLog = { places, isAway: false, isHanging: false, asked: 0, ranges: 0 };
  const of = (topic: string) => log.places[topic] ?? Array.from({ length: PARTITIONS }, () => [0, 0, -1] as const);
  const ask = async () => {
    log.asked += 1;
    if (log.isHanging) await new Promise(() => {});
    if (log.isAway) throw new Error('away');
  };
  const client = {
    admin: async () => ({
      async logBounds(topic: string) {
        await ask();
        return of(topic).map(([start, end]) => ({ start, end }));
      },
      async committed(groupId: string, topic: string) {
        await ask();
        if (groupId !== (topic === topics.deliveries ? groups.sink : groups.dispatcher)) throw new Error(groupId);
        return of(topic).map(([, , offset]) => ({ offset, metadata: '' }));
      },
    }),
    async readRanges({ ranges, onRecord }: Parameters<StreamClient['readRanges']>[0]) {
      await ask();
      // Brokers refuse a question that names a partition twice.
      const named = ranges.map(({ topic, partition }) => `${topic} ${partition}`);
      if (new Set(named).size < named.length) throw new Error('INVALID_REQUEST');
      log.ranges += ranges.length;
      for (const { topic, partition, from } of ranges) {
        const end = of(topic)[partition]?.[1] ?? 0;
        onRecord({ topic, partition, offset: from, timestampMs: NOW - (end - from) * 1_000 } as never);
      }
    },
  };
  return { log, client: client as unknown as StreamClient };
}

const STATE: DispatcherState = {
  version: '1.2.3',
  partitions: [0, 2],
  lanes: { bulk: { running: 3, waiting: 40 }, transactional: { running: 0, waiting: 0 } },
  held: { paused: 1 },
  breakers: [{ tenant_id: 'default', provider: 'hooks', host: 'a.example', state: 'open', probe_at: NOW + 5_000 }],
  providers: [
    {
      tenant_id: 'default',
      provider: 'hooks',
      calls: 3,
      limit: 8,
      ceiling: 32,
      rate_per_second: 100,
      share: 0.5,
      blocked_until: null,
    },
  ],
};
const row = (id: string, seenMsAgo: number, more: Partial<DispatcherState> = {}): DispatcherRow => ({
  id,
  seenMsAgo,
  state: { ...STATE, ...more },
});

function setUp(places: FakeLog['places'], rows: DispatcherRow[] | Error = [], counted = new Map<number, number>()) {
  const { log, client } = fakeLog(places);
  let nowMs = 0;
  const dispatchers: DispatcherReader = {
    async rows() {
      if (rows instanceof Error) throw rows;
      return rows;
    },
    async counted() {
      if (rows instanceof Error) throw rows;
      return counted;
    },
  };
  const clock = { now: () => NOW, monotonicMs: () => nowMs };
  const overview = createOverview({ client, dispatchers, namespace: 't', clock });
  const look = async () => {
    nowMs += 10_000;
    const view = await overview();
    // Whatever it answers is what the contract says.
    if (view !== undefined) ROUTES.getPipeline.answer.parse(view);
    return view;
  };
  return { log, overview, look };
}

test('lag and age of lanes, tiers and held, by partition and owner', async (t) => {
  const { look } = setUp(
    {
      [topics.messages.bulk]: [
        [0, 100, 100],
        [0, 50, 20],
        [10, 90, -1],
      ],
      [topics.retry[1] as string]: [
        [0, 0, -1],
        [40, 60, 5],
        [0, 0, -1],
      ],
    },
    [row('d-0', 400), row('d-1', 700, { partitions: [1] })],
  );
  const view = await look();
  const byName = new Map(view?.queues?.map((q) => [q.name, q]));
  t.deepEqual([...byName.keys()], ['bulk', 'transactional', '5s', '1m', '10m', '1h', 'held']);
  t.like(byName.get('bulk'), { kind: 'lane', topic: topics.messages.bulk, lag: 110, age_ms: 80_000 });
  t.deepEqual(byName.get('bulk')?.partitions, [
    { partition: 0, committed: 100, log_end: 100, lag: 0, age_ms: 0, owner: 'd-0' },
    { partition: 1, committed: 20, log_end: 50, lag: 30, age_ms: 30_000, owner: 'd-1' },
    { partition: 2, committed: null, log_end: 90, lag: 80, age_ms: 80_000, owner: 'd-0' },
  ]);
  // Behind retention: what is gone is no lag any more.
  t.like(byName.get('1m'), { kind: 'tier', lag: 20, age_ms: 20_000 });
  t.like(byName.get('held'), { kind: 'held', lag: 0, age_ms: 0 });
  t.deepEqual(view?.unavailable, []);
});

test('dispatchers with what they own and what holds them; the dead own nothing', async (t) => {
  const { look } = setUp({}, [
    row('d-0', 200),
    row('d-1', 60_000, { partitions: [1], breakers: STATE.breakers }),
    { id: 'd-2', seenMsAgo: 100, state: {} },
  ]);
  const view = await look();
  t.like(view?.dispatchers?.[0], { id: 'd-0', alive: true, version: '1.2.3', partitions: [0, 2], held: { paused: 1 } });
  t.deepEqual(view?.dispatchers?.[0]?.providers, STATE.providers as never);
  t.like(view?.dispatchers?.[1], { id: 'd-1', alive: false });
  t.like(view?.dispatchers?.[2], { id: 'd-2', alive: true, version: '', partitions: [] });
  t.deepEqual(
    view?.breakers?.map((b) => [b.dispatcher, b.host, b.state, b.probe_at]),
    [['d-0', 'a.example', 'open', new Date(NOW + 5_000).toISOString()]],
  );
  t.deepEqual(
    view?.queues?.[0]?.partitions.map((p) => p.owner),
    ['d-0', null, 'd-0'],
  );
});

test('sink, progress and dead letters', async (t) => {
  const { look } = setUp(
    {
      [topics.deliveries]: [
        [0, 100, 90],
        [0, 100, 100],
        [0, 10, -1],
      ],
      [topics.dlq]: [
        [5, 9, -1],
        [0, 3, -1],
        [0, 0, -1],
      ],
      [topics.deliveriesDlq]: [[0, 2, -1]],
    },
    [],
    new Map([
      [0, 95],
      [1, 60],
      [2, 10],
    ]),
  );
  const view = await look();
  t.deepEqual(view?.sink, { lag: 20, age_ms: 10_000 });
  t.deepEqual(view?.progress, { lag: 45, age_ms: 40_000 });
  t.deepEqual(view?.dead_letters, { messages: 7, deliveries: 2 });
});

test('without Postgres what the log knows is there, and the rest says why it is not', async (t) => {
  const { look } = setUp({ [topics.messages.bulk]: [[0, 5, 0]] }, new Error('away'));
  const view = await look();
  t.like(view?.queues?.[0], { lag: 5 });
  t.like(view, { dispatchers: null, breakers: null, progress: null });
  t.deepEqual(view?.unavailable.map(({ part }) => part).sort(), ['breakers', 'dispatchers', 'progress']);
  t.true(view?.unavailable.every(({ detail }) => detail === 'Postgres did not answer'));
});

test('without the log the dispatchers are there; without both nothing is', async (t) => {
  const one = setUp({}, [row('d-0', 1)]);
  one.log.isAway = true;
  const view = await one.look();
  t.like(view, { queues: null, sink: null, progress: null, dead_letters: null });
  t.is(view?.dispatchers?.length, 1);
  const none = setUp({}, new Error('away'));
  none.log.isAway = true;
  t.is(await none.look(), undefined);
});

test('a log that hangs costs a second and is not asked again while it hangs', async (t) => {
  const { log, look } = setUp({}, [row('d-0', 1)]);
  log.isHanging = true;
  const startedMs = performance.now();
  const view = await look();
  t.true(performance.now() - startedMs < 2_000);
  t.is(view?.queues, null);
  t.regex(view?.unavailable[0]?.detail ?? '', /^the log did not answer within/);
  const asked = log.asked;
  await look();
  t.is(log.asked, asked);
});

test('many who ask are one question, and the time of a record is asked for once', async (t) => {
  const { log, look, overview } = setUp({ [topics.messages.bulk]: [[0, 5, 0]] });
  await look();
  t.is(log.ranges, 1);
  const { asked } = log;
  await Promise.all(Array.from({ length: 50 }, () => overview()));
  t.is(log.asked, asked);
  await look();
  t.is(log.ranges, 1);
  (log.places[topics.messages.bulk] as [number, number, number][])[0] = [0, 9, 3];
  t.is((await look())?.queues?.[0]?.age_ms, 6_000);
  t.is(log.ranges, 2);
});
