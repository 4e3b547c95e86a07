import { randomBytes } from 'node:crypto';
import test from 'ava';
import { createClickHouse } from '../../../test/support/clickhouse.ts';
import { type Outcomes, readOutcomes, storedEnds } from '../src/outcomes.ts';
import type { Plan } from '../src/plan.ts';
import { scheduleOf } from '../src/schedule.ts';

/** A database with the columns of the public views that are asked, and rows of the test's own making. */
const database = `load_${randomBytes(4).toString('hex')}`;
const address = process.env.VOLLEY_TEST_CLICKHOUSE ?? 'http://127.0.0.1:8123';
const server = createClickHouse(address, 'default');
const clickhouse = createClickHouse(address, database);
const START = Date.UTC(2026, 10, 22, 10);
const id = (n: number) => `019a8b2c-0000-7000-8000-0000000000${String(n).padStart(2, '0')}`;

interface Event {
  readonly campaign: number;
  readonly recipient?: string;
  readonly ordinal?: number;
  readonly kind?: string;
  readonly repeat?: boolean;
  /** From the start. */
  readonly occurredMs: number;
  readonly e2eMs?: number;
}

test.before(async () => {
  await server.query(`CREATE DATABASE ${database}`);
  await clickhouse.query(
    `CREATE TABLE delivery_events (campaign_id String, recipient String, ordinal UInt32, kind String, is_repeat Bool,
      occurred_at DateTime64(3, 'UTC'), e2e_ms UInt32) ENGINE = MergeTree ORDER BY campaign_id`,
  );
  await clickhouse.query(
    `CREATE VIEW campaign_stats AS SELECT campaign_id, countIf(kind != 'deferred' AND NOT is_repeat) AS terminal FROM delivery_events GROUP BY campaign_id`,
  );
});
test.after.always(() => server.query(`DROP DATABASE IF EXISTS ${database}`));

const insert = (events: readonly Event[]) =>
  clickhouse.query(
    `INSERT INTO delivery_events VALUES ${events
      .map(
        (e) =>
          `('${id(e.campaign)}', '${e.recipient ?? ''}', ${e.ordinal ?? 0}, '${e.kind ?? 'sent'}', ${e.repeat ?? false}, fromUnixTimestamp64Milli(${START + e.occurredMs}), ${e.e2eMs ?? 1})`,
      )
      .join(', ')}`,
  );

async function read(
  plan: Pick<Plan, 'shape' | 'perRequest' | 'unpaced'>,
  stages: Parameters<typeof scheduleOf>[0],
  targets: readonly (readonly [campaign: number, arrival: number])[],
): Promise<Outcomes> {
  const schedule = scheduleOf(stages, plan.shape === 'campaign' ? 'stage' : plan.perRequest);
  const query = <T>(sql: string) => clickhouse.query<T>(sql);
  const all = targets.map(([campaign, arrival]) => ({ campaignId: id(campaign), arrival }));
  return readOutcomes({ query, database, plan, schedule, intervalMs: 1_000, startAtMs: START, targets: all });
}
const shown = (outcomes: Outcomes) =>
  Object.fromEntries(
    [...outcomes.intervals].map(([key, { e2e, delivery }]) => [
      key,
      [delivery.count(), Math.round(delivery.quantileMs(0)), Math.round(delivery.maxMs()), Math.round(e2e.maxMs())],
    ]),
  );

test('direct messages: the number in the address says when each was meant', async (t) => {
  // 10 a second for a second, then 100 a second.
  await insert([
    { campaign: 1, recipient: 'p0.r@load.example', occurredMs: 20, e2eMs: 15 },
    { campaign: 1, recipient: 'p9.r+slow40@load.example', occurredMs: 950, e2eMs: 40 },
    { campaign: 1, recipient: 'p10.r@load.example', occurredMs: 1_500, e2eMs: 30 },
    { campaign: 1, recipient: 'p59.r@load.example', occurredMs: 1_500, e2eMs: 10 },
    { campaign: 1, recipient: 'p60.r@load.example', occurredMs: 1_490, kind: 'dead' },
    { campaign: 1, recipient: 'p61.r@load.example', occurredMs: 1_590, kind: 'deferred' },
    { campaign: 1, recipient: 'p59.r@load.example', occurredMs: 9_000, repeat: true },
  ]);
  const outcomes = await read(
    { shape: 'direct', perRequest: 1, unpaced: false },
    [
      { perSecond: 10, seconds: 1, warmUp: true },
      { perSecond: 100, seconds: 2, warmUp: false },
    ],
    [[1, 0]],
  );
  t.deepEqual(shown(outcomes), { '0/0': [2, 20, 50, 40], '1/0': [2, 10, 500, 30] });
  t.deepEqual(
    [...outcomes.ended].sort(([a], [b]) => a - b),
    [
      [0, 1],
      [9, 1],
      [14, 1],
      [15, 2],
    ],
  );
  t.deepEqual(outcomes.kinds, { sent: 4, dead: 1 });
  t.is(
    await storedEnds({ query: (sql) => clickhouse.query(sql), database, targets: [{ campaignId: id(1), arrival: 0 }] }),
    5,
  );
});

test('NDJSON: all lines of a body were meant for its time', async (t) => {
  await insert([
    { campaign: 2, recipient: 'p4.r@load.example', occurredMs: 100 },
    { campaign: 2, recipient: 'p5.r@load.example', occurredMs: 700 },
  ]);
  const outcomes = await read(
    { shape: 'ndjson', perRequest: 5, unpaced: false },
    [{ perSecond: 10, seconds: 2, warmUp: false }],
    [[2, 0]],
  );
  t.deepEqual(shown(outcomes), { '0/0': [2, 100, 200, 1] });
});

test('a campaign: each recipient is meant for its place in the rate; an unpaced one for the time of send', async (t) => {
  await insert([
    { campaign: 3, ordinal: 1, occurredMs: 30 },
    { campaign: 4, ordinal: 1, occurredMs: 1_030 },
    { campaign: 4, ordinal: 151, occurredMs: 2_800 },
    { campaign: 4, ordinal: 200, occurredMs: 2_900 },
  ]);
  const stages = [
    { perSecond: 10, seconds: 1, warmUp: true },
    { perSecond: 100, seconds: 2, warmUp: false },
  ];
  const targets = [
    [3, 0],
    [4, 1],
  ] as const;
  const paced = await read({ shape: 'campaign', perRequest: 1, unpaced: false }, stages, targets);
  // The last one went out before its time: that is not early, it is 0.
  t.deepEqual(shown(paced), { '0/0': [1, 30, 30, 1], '1/0': [1, 30, 30, 1], '1/1': [2, 0, 300, 1] });
  t.is(paced.complete.count(), 1, 'warm-up is left out');
  t.true(Math.abs(paced.complete.maxMs() - 1_900) < 2);
  const unpaced = await read({ shape: 'campaign', perRequest: 1, unpaced: true }, stages, targets);
  t.like(shown(unpaced)['1/0'], { 0: 3, 1: 30 });
});

test('many small campaigns: each has a time of its own', async (t) => {
  await insert([
    { campaign: 5, ordinal: 1, occurredMs: 40 },
    { campaign: 5, ordinal: 2, occurredMs: 60 },
    { campaign: 6, ordinal: 1, occurredMs: 1_640 },
  ]);
  const outcomes = await read(
    { shape: 'campaigns', perRequest: 2, unpaced: false },
    [{ perSecond: 4, seconds: 2, warmUp: false }],
    [
      [5, 0],
      [6, 3],
    ],
  );
  t.deepEqual(shown(outcomes), { '0/0': [2, 40, 60, 1], '0/1': [1, 140, 140, 1] });
  t.deepEqual([outcomes.complete.count(), Math.round(outcomes.complete.maxMs())], [2, 140]);
});

test('what is no id is not asked for', async (t) => {
  const query = () => Promise.reject(new Error('nothing should be asked'));
  await t.throwsAsync(storedEnds({ query, database, targets: [{ campaignId: "x' OR 1", arrival: 0 }] }), {
    message: /is no id/,
  });
  await t.throwsAsync(storedEnds({ query, database: 'a b', targets: [{ campaignId: id(1), arrival: 0 }] }), {
    message: /is no name/,
  });
});
