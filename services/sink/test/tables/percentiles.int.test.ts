import type { DeliveryEvent } from '@volley/contract';
import { event, newCampaignId } from '../support.ts';
import { latencies, MINUTE_MS, START, type Written, withDatabase, write } from '../views.ts';

const LEVELS = [
  ['p50_ms', 0.5],
  ['p95_ms', 0.95],
  ['p99_ms', 0.99],
] as const;

/** Deterministic, in (0, 1]. */
function* chances(seed: number): Generator<number, number> {
  let state = seed >>> 0;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield (state + 1) / 4_294_967_296;
  }
}
const drawn = (n: number, seed: number, value: (chance: number) => number): number[] => {
  const chance = chances(seed);
  return Array.from({ length: n }, () => Math.round(value(chance.next().value)));
};

const SIZE = 12_000;
const DISTRIBUTIONS: [string, number[]][] = [
  ['log-normal', latencies(SIZE)],
  ['uniform', drawn(SIZE, 1, (c) => 5 + c * 2_000)],
  ['exponential', drawn(SIZE, 2, (c) => -Math.log(c) * 300)],
  ['a heavy tail', drawn(SIZE, 3, (c) => 10 / c ** 1.5)],
  ['two speeds, hours apart', drawn(SIZE, 4, (c) => (c < 0.9 ? 5 + c * 11 : 3_600_000 + c * 7_200_000))],
  ['a few small numbers', drawn(SIZE, 5, (c) => Math.floor(c * 6))],
  ['one value', drawn(SIZE, 6, () => 250)],
  ['ten values', latencies(10)],
];

withDatabase('percentiles are within 1% of the exact ones on raw rows, whatever the distribution', async (t, db) => {
  let from = 0;
  for (const [name, values] of DISTRIBUTIONS) {
    const campaign_id = newCampaignId();
    const events = values.map(
      (e2e_ms, i): Written => ({
        event: event(i + 1, { campaign_id, e2e_ms, occurred_at: START + (i % 3) * MINUTE_MS, queued_at: START }),
      }),
    );
    // Seven ranges: states are merged when they are read.
    const step = Math.ceil(events.length / 7);
    for (let at = 0; at < events.length; at += step) {
      await write(db, from, events.slice(at, at + step));
      from += step;
    }
    const where = `WHERE tenant_id = 'default' AND campaign_id = '${campaign_id}'`;
    const onRaw = (filter: string) =>
      `SELECT arraySort(groupArray(e2e_ms)) AS all FROM delivery_raw ${where} AND kind = 'sent' AND NOT is_repeat ${filter}`;
    const questions = [
      ['campaign_stats', `SELECT p50_ms, p95_ms, p99_ms FROM campaign_stats ${where}`, ''],
      [
        'latency_per_hour',
        `SELECT p50_ms, p95_ms, p99_ms FROM latency_per_hour ${where} ORDER BY hour LIMIT 1`,
        `AND toStartOfHour(occurred_at) = toStartOfHour(fromUnixTimestamp64Milli(${START}, 'UTC'))`,
      ],
      [
        'latency_per_minute',
        `SELECT p50_ms, p95_ms, p99_ms FROM latency_per_minute ${where} ORDER BY minute LIMIT 1`,
        `AND occurred_at < fromUnixTimestamp64Milli(${START + MINUTE_MS})`,
      ],
    ] as const;
    for (const [view, question, filter] of questions) {
      const [raw] = await db.rows<{ all: number[] }>(onRaw(filter));
      const all = (raw?.all ?? []).map(Number);
      const [row] = await db.rows<Record<string, number>>(question);
      LEVELS.forEach(([column, level]) => {
        // A rank that falls between two values may be answered with either.
        const rank = level * (all.length - 1);
        const [low, high] = [all[Math.floor(rank)] as number, all[Math.ceil(rank)] as number];
        const found = Number(row?.[column]);
        const holds = found >= low * 0.99 - 1e-9 && found <= high * 1.01 + 1e-9;
        t.true(holds, `${name}, ${view}.${column}: ${found} for ${low} to ${high}`);
      });
    }
  }
});

withDatabase('the same values give the same bits, in whatever order and ranges they come', async (t, db) => {
  const values = DISTRIBUTIONS.flatMap(([, of]) => of.slice(0, 1_500));
  const chance = chances(9);
  const shuffled = values
    .map((value) => ({ value, key: chance.next().value }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
  let from = 0;
  const state = async (of: readonly number[], step: number): Promise<string[]> => {
    const campaign_id = newCampaignId();
    const events = of.map((e2e_ms, i): Written => {
      const more: Partial<DeliveryEvent> = { campaign_id, e2e_ms, provider_ms: 1 + (e2e_ms % 500), occurred_at: START };
      return { event: event(i + 1, more) };
    });
    for (let at = 0; at < events.length; at += step) {
      await write(db, from, events.slice(at, at + step));
      from += step;
    }
    const found: string[] = [];
    for (const table of ['delivery_by_minute', 'delivery_by_hour', 'delivery_by_campaign']) {
      const [row] = await db.rows<{ e: string; p: string }>(
        `SELECT hex(e2e_ms) AS e, hex(provider_ms) AS p FROM ${table} FINAL WHERE campaign_id = '${campaign_id}'`,
      );
      found.push(`${row?.e}`, `${row?.p}`);
    }
    return found;
  };
  const whole = await state(values, values.length);
  t.true((whole[0]?.length ?? 0) > 20);
  t.is(new Set(whole).size, 2, 'minute, hour and campaign hold the same states');
  t.deepEqual(await state(shuffled, values.length), whole, 'shuffled');
  t.deepEqual(await state(values, 997), whole, 'in ranges');
  t.deepEqual(await state([...shuffled].reverse(), 613), whole, 'shuffled, in other ranges');
  t.notDeepEqual(await state(values.slice(1), 997), whole, 'one value less');
});
