/**
 * The audit of one campaign of N messages, each with one event, among M messages of other campaigns: how long it takes when
 * everything agrees, and when a row is gone and has to be named. Beside it the floor: one count of the same rows.
 */
import { randomBytes } from 'node:crypto';
import { campaignIdFrom } from '@volley/contract';
import { createAuditWorld, TOPIC } from '../test/support/audit-world.ts';

const MESSAGES = Number(process.argv[2] ?? 1_000_000);
const OTHERS = Number(process.argv[3] ?? 1_000_000);
const AT_ONCE = 250_000;
const world = await createAuditWorld();
const HOW = { waitMs: 0, limit: 20 };

async function fill(id: string, from: number, n: number): Promise<void> {
  for (let at = 0; at < n; at += AT_ONCE)
    await world.clickhouse.command({
      query: `INSERT INTO delivery_raw SELECT
          toUUID(concat(substring({id:String}, 1, 28), leftPad(lower(hex(toUInt32(number + 1))), 8, '0'))) AS message_id,
          0 AS run, 'default' AS tenant_id, {id:String} AS campaign_id, number + 1 AS ordinal,
          concat('p', toString(number), '@b.example') AS recipient, 'sent' AS kind, NULL AS previous_kind, 1 AS attempt,
          0 AS deferrals, '' AS tier, 'bulk' AS lane, 'simulated' AS channel, 'simulated' AS provider, '' AS reason,
          '' AS detail, toDateTime64(1795000000 + intDiv(number, 5000), 3, 'UTC') AS queued_at,
          toDateTime64(1795000001 + intDiv(number, 5000), 3, 'UTC') AS occurred_at, 9 AS provider_ms, 1000 AS e2e_ms,
          NULL AS dlq_partition, NULL AS dlq_offset, 0 AS source_partition, {from:UInt64} + number AS source_offset,
          toDateTime64(1795000001 + intDiv(number, 5000), 3, 'UTC') AS appended_at, false AS is_repeat
        FROM numbers({at:UInt64}, {n:UInt64})`,
      query_params: { id, from, at, n: Math.min(AT_ONCE, n - at) },
    });
}
const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
  const began = performance.now();
  const value = await work();
  console.log(`${what}: ${((performance.now() - began) / 1_000).toFixed(2)} s`);
  return value;
};

try {
  const id = campaignIdFrom(1_795_000_000_000, randomBytes(6));
  const other = campaignIdFrom(1_795_000_000_001, randomBytes(6));
  await fill(other, MESSAGES, OTHERS);
  await fill(id, 0, MESSAGES);
  const end = MESSAGES + OTHERS;
  world.deliveries.committed = async () => [end];
  world.deliveries.bounds = async () => [{ start: 0, end }];
  const { pool } = world;
  await pool.query(
    `INSERT INTO campaigns (campaign_id, tenant_id, version, status, expected, state)
     VALUES ($1, 'default', 3, 'completed', $2, '{}')`,
    [id, MESSAGES],
  );
  for (let from = 1; from <= MESSAGES; from += 50_000)
    await pool.query(
      `INSERT INTO campaign_recipients (campaign_id, ordinal, contact_id, recipient, tags, attributes)
       SELECT $1, n, gen_random_uuid(), 'p' || n, '{}', '{}' FROM generate_series($2::int, $3::int) n`,
      [id, from, Math.min(from + 49_999, MESSAGES)],
    );
  await pool.query(
    `INSERT INTO progress_counts (campaign_id, partition, sent, failed, dead, suppressed, cancelled, expired, retrying, redriven, surplus)
     VALUES ($1, 0, $2, 0, 0, 0, 0, 0, 0, 0, 0)`,
    [id, MESSAGES],
  );
  await pool.query('INSERT INTO progress_offsets (topic, partition, next_offset, log_end) VALUES ($1, 0, $2, $2)', [
    TOPIC,
    end,
  ]);
  console.log(`${MESSAGES} messages among ${end}`);
  for (let i = 0; i < 3; i++) {
    await timed('floor: one count of its rows', () =>
      world.clickhouse
        .query({
          query: 'SELECT count(), uniqExact(source_offset) FROM delivery_events WHERE campaign_id = {id:String}',
          query_params: { id },
        })
        .then((answer) => answer.text()),
    );
    await timed('facts in Postgres', () => world.store.facts(id, TOPIC));
    const audit = await timed('audit, equal', () => world.auditor.check(id, HOW));
    if (audit?.verdict !== 'equal') throw new Error(JSON.stringify(audit));
  }
  await timed('all partitions', () => world.auditor.partitions());
  await world.run(`ALTER TABLE delivery_raw DELETE WHERE campaign_id = '${id}' AND ordinal = ${MESSAGES - 1}`);
  const audit = await timed('audit, a row gone', () => world.auditor.check(id, HOW));
  console.log(
    JSON.stringify(audit?.figures.filter((f) => f.difference !== 0).map((f) => [f.figure, f.difference, f.ids])),
  );
} finally {
  await world.stop();
}
