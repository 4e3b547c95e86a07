/**
 * What the comments in sql/ stand on: bytes of a row by column, the message id in three types, and the two ways of
 * finding a message's state. `npm run bench -- storage`, or with VOLLEY_TEST_CLICKHOUSE set:
 * node services/sink/bench/storage.bench.ts [rows]
 */
import { createTestDatabase } from '../test/clickhouse.ts';

const rows = Number(process.argv[2] ?? 1_000_000);
const db = await createTestDatabase();
const results: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];
const run = (query: string) => db.client.command({ query });

/** Campaigns of 100,000 messages in order of their completion: neighbours are near in ordinal, a tenth is deferred once. */
const SOURCE = `SELECT number, intDiv(number, 100000) AS c,
    greatest(1, toUInt32(number % 100000) + sipHash64(number) % 200) AS ord,
    concat('01932f0a-', leftPad(lower(hex(toUInt16(c))), 4, '0'), '-7', substring(lower(hex(sipHash64(c))), 1, 3), '-8',
      substring(lower(hex(sipHash64(c))), 4, 3), '-', substring(lower(hex(sipHash64(c))), 7, 4)) AS prefix,
    concat(prefix, leftPad(lower(hex(toUInt32(ord))), 8, '0')) AS id,
    toDateTime64('2026-11-21 10:00:00', 3, 'UTC') + toIntervalMillisecond(intDiv(number, 12)) AS at,
    toInt64(20 + exp(4 + sqrt(-2 * log((sipHash64(number) % 1000000 + 1) / 1000001))
      * cos(6.28318 * (sipHash64(number + 7) % 1000000) / 1e6) * 0.8)) AS e2e,
    number % 10 = 0 AS deferred
  FROM numbers(${rows})`;

async function bytesOf(table: string): Promise<Map<string, number>> {
  await run(`OPTIMIZE TABLE ${table} FINAL`);
  const found = await db.rows<{ column: string; bytes: string }>(
    `SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns
     WHERE database = '${db.name}' AND table = '${table}' AND active GROUP BY column ORDER BY bytes DESC`,
  );
  return new Map(found.map(({ column, bytes }) => [column, Number(bytes) / rows]));
}

async function milliseconds(query: string): Promise<number> {
  await db.rows(query);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = performance.now();
    await db.rows(query);
    times.push(performance.now() - before);
  }
  return times.sort((a, b) => a - b)[2] as number;
}

for (const [name, type, value] of [
  ['UUID', 'UUID', 'toUUID(id)'],
  ['String', 'String', 'id'],
  ['random UUID', 'UUID', 'generateUUIDv4()'],
] as const) {
  const table = `id_${name.toLowerCase().replace(' ', '_')}`;
  await run(
    `CREATE TABLE ${table} (c String, at DateTime64(3, 'UTC'), id ${type} CODEC(ZSTD(1))) ENGINE = MergeTree ORDER BY (c, at)`,
  );
  await run(`INSERT INTO ${table} SELECT prefix, at, ${value} FROM (${SOURCE})`);
  results.push({ name: `message id as ${name}`, value: (await bytesOf(table)).get('id') ?? 0, unit: 'bytes/row' });
  const ms = await milliseconds(`SELECT uniqExact(id) FROM ${table}`);
  results.push({ name: `uniqExact of ${name}`, value: ms, unit: 'ms', note: `${rows} rows` });
}

await run(`INSERT INTO delivery_raw SELECT toUUID(id), 0, 'default', concat(prefix, '00000000'), ord,
    concat('user', toString(ord), '@example.test'), if(deferred, 'deferred', 'sent'), NULL, 1, 0, if(deferred, 'memory', ''),
    'bulk', 'simulated', 'simulated', if(deferred, 'provider_transient', ''), if(deferred, '', '250 accepted'),
    at - toIntervalMillisecond(e2e), at, 5 + number % 11, e2e, NULL, NULL, c % 12, number, at, false
  FROM (${SOURCE})`);
const bytes = await bytesOf('delivery_raw');
const total = [...bytes.values()].reduce((a, b) => a + b, 0);
results.push({
  name: 'raw table',
  value: total,
  unit: 'bytes/row',
  note: [...bytes]
    .slice(0, 6)
    .map(([c, b]) => `${c} ${b.toFixed(2)}`)
    .join(', '),
});
const place = (bytes.get('source_partition') ?? 0) + (bytes.get('source_offset') ?? 0);
results.push({ name: 'place in the log', value: place, unit: 'bytes/row' });

// States of latency by (campaign, 50 ms): groups of 600 rows, as minutes of many campaigns are.
for (const sketch of [
  'quantilesDD(0.01, 0.5, 0.95, 0.99)',
  'quantilesTDigest(0.5, 0.95, 0.99)',
  'quantilesTiming(0.5, 0.95, 0.99)',
  'quantiles(0.5, 0.95, 0.99)',
]) {
  const [name = '', ...levels] = sketch.split('(');
  const table = `state_${name}`;
  await run(
    `CREATE TABLE ${table} (c String, at DateTime64(3), s AggregateFunction(${sketch}, Int64) CODEC(ZSTD(1))) ENGINE = AggregatingMergeTree ORDER BY (c, at)`,
  );
  await run(
    `INSERT INTO ${table} SELECT campaign_id, toStartOfInterval(occurred_at, INTERVAL 50 MILLISECOND) AS at, ${name}State(${levels.join('(')}(e2e_ms) FROM delivery_raw GROUP BY campaign_id, at`,
  );
  await run(`OPTIMIZE TABLE ${table} FINAL`);
  const [size] = await db.rows<{ n: string; bytes: string }>(
    `SELECT sum(rows) AS n, sum(data_compressed_bytes) AS bytes FROM system.parts
     WHERE database = '${db.name}' AND table = '${table}' AND active`,
  );
  const groups = Number(size?.n);
  results.push({
    name: `state of ${name}`,
    value: Number(size?.bytes) / groups,
    unit: 'bytes/group',
    note: `${groups} groups`,
  });
}

const [one] = await db.rows<{ c: string }>('SELECT any(campaign_id) AS c FROM delivery_raw');
const where = `WHERE campaign_id = '${one?.c}'`;
const packed = `SELECT state, count() FROM message_states ${where} GROUP BY state`;
const tuple = `SELECT s.1, count() FROM (SELECT argMin((kind, e2e_ms), (-run, kind != 'sent', source_offset)) AS s
  FROM delivery_raw ${where} GROUP BY tenant_id, campaign_id, message_id) GROUP BY s.1`;
const note = 'one campaign of 100,000 messages';
results.push({ name: 'states, order in one number', value: await milliseconds(packed), unit: 'ms', note });
results.push({ name: 'states, order in a tuple', value: await milliseconds(tuple), unit: 'ms', note });
results.push({
  name: 'campaign_stats',
  value: await milliseconds(`SELECT * FROM campaign_stats ${where}`),
  unit: 'ms',
  note,
});

// As many again, 2% of them dead: a page of those, over all campaigns and in one, beside the states of all messages.
await run(`INSERT INTO delivery_raw SELECT * REPLACE (
    toUUID(concat('01932f0b', substring(toString(message_id), 9))) AS message_id,
    concat('01932f0b', substring(campaign_id, 9)) AS campaign_id,
    if(sipHash64(source_offset) % 50 = 0, 'dead', kind) AS kind)
  FROM delivery_raw`);
const dead = `WHERE campaign_id = '01932f0b${one?.c.slice(8)}'`;
for (const [name, sql] of [
  ['dead letters, a page of all', 'SELECT * FROM dead_letters ORDER BY campaign_id, message_id LIMIT 1000'],
  ['dead letters, of one campaign', `SELECT * FROM dead_letters ${dead} ORDER BY campaign_id, message_id LIMIT 1000`],
  ['the same from all states', "SELECT message_id FROM message_states WHERE state IN ('failed', 'dead') LIMIT 1000"],
] as const)
  results.push({ name, value: await milliseconds(sql), unit: 'ms', note: `among ${rows * 2} events, 1% dead` });

await db.drop();
for (const { name, value, unit, note: n } of results)
  process.stderr.write(`${name.padEnd(32)} ${value.toFixed(2).padStart(10)} ${unit}  ${n ?? ''}\n`);
process.stdout.write(`${JSON.stringify({ bench: 'sink storage', rows: results })}\n`);
