/**
 * What the comments on the derived tables in sql/ stand on: each choice beside the other ones, over the same events in
 * blocks as the sink inserts them. `npm run bench -- tables`, or with VOLLEY_TEST_CLICKHOUSE set:
 * node services/sink/bench/tables.bench.ts [events]
 */
import { COLUMNS } from '../src/core/to-row.ts';
import { createTestDatabase } from '../test/clickhouse.ts';
import { campaignIdSql, generatedEvents } from '../test/tables/generated-events.ts';

const events = Number(process.argv[2] ?? 2_000_000);
const BLOCK = 50_000;
const db = await createTestDatabase();
const results: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];
const run = (query: string, settings: Record<string, string> = {}) =>
  db.client.command({
    query,
    clickhouse_settings: { max_block_size: '1048576', max_insert_threads: '1', ...settings },
  });
const add = (name: string, value: number, unit: string, floor?: string, note?: string) => {
  results.push({ name, value, unit, ...(floor ? { floor } : {}), ...(note ? { note } : {}) });
  process.stderr.write(`${name.padEnd(60)} ${value.toFixed(2).padStart(10)} ${unit}  ${note ?? ''}\n`);
};

async function milliseconds(query: string, times = 15): Promise<number> {
  await db.rows(query);
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const before = performance.now();
    await db.rows(query);
    taken.push(performance.now() - before);
  }
  return taken.sort((a, b) => a - b)[Math.floor(times / 2)] as number;
}

/** Fills it block by block; milliseconds of a block in the middle of their order. */
async function fill(table: string, select: string, source: string, blocks: number): Promise<number> {
  const taken: number[] = [];
  for (let block = 0; block < blocks; block++) {
    const from = `(SELECT * FROM ${source} WHERE block = ${block})`;
    const before = performance.now();
    await run(`INSERT INTO ${table} ${select.replace('SOURCE', from)}`);
    taken.push(performance.now() - before);
  }
  return taken.sort((a, b) => a - b)[Math.floor(blocks / 2)] as number;
}

async function bytesOf(table: string): Promise<{ bytes: number; rows: number }> {
  await run(`OPTIMIZE TABLE ${table} FINAL`);
  const [size] = await db.rows<{ bytes: string; rows: string }>(
    `SELECT sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts
     WHERE database = '${db.name}' AND table = '${table}' AND active`,
  );
  return { bytes: Number(size?.bytes), rows: Number(size?.rows) };
}

/** The statement that made a live table or view, for a variant under another name. */
async function created(name: string): Promise<string> {
  const [found] = await db.rows<{ text: string }>(
    `SELECT create_table_query AS text FROM system.tables WHERE database = '${db.name}' AND name = '${name}'`,
  );
  return (found?.text ?? '').replace(`${db.name}.${name}`, 'VARIANT');
}
async function selectOf(table: string): Promise<string> {
  const [found] = await db.rows<{ text: string }>(
    `SELECT as_select AS text FROM system.tables WHERE database = '${db.name}' AND name = '${table}_mv'`,
  );
  return (found?.text ?? '').replace(/FROM \S*\bdelivery_raw`?(?![\w.])/, 'FROM SOURCE');
}
async function variant(of: string, name: string, change: (ddl: string) => string): Promise<string> {
  const ddl = change(await created(of));
  await run(ddl.replace('VARIANT', name));
  return name;
}

const history = { startMs: Math.floor(Date.now() / 86_400_000 - 3) * 86_400_000, eventsASecond: 2_000 };
const events_ = async (name: string, messagesACampaign: number, rows: number) => {
  await run(
    `CREATE TABLE ${name} ENGINE = MergeTree ORDER BY block AS
     SELECT toUInt32(intDiv(rowNumberInAllBlocks(), ${BLOCK})) AS block, * FROM (${generatedEvents({ ...history, from: 0, rows, messagesACampaign })})
     SETTINGS max_threads = 1`,
  );
  return Math.ceil(rows / BLOCK);
};
const blocks = await events_('events_large', 100_000, events);
const manyBlocks = await events_('events_many', 500, events);
const one = (await db.rows<{ id: string }>(`SELECT ${campaignIdSql('toUInt64(5)')} AS id`))[0]?.id;
const WHERE = `WHERE tenant_id = 'default' AND campaign_id = '${one}'`;

// Lists of messages: what the id is, and how the latest state is kept.
const latest = await selectOf('message_latest');
const asIs = await variant('message_latest', 'latest_string', (ddl) => ddl);
const byUuid = await variant('message_latest', 'latest_uuid', (ddl) =>
  ddl
    .replace('`message_id` String', '`message_id` UUID')
    .replace(/ORDER BY \(([^)]*)message_id\)/, 'ORDER BY ($1toString(message_id))'),
);
await run(`CREATE TABLE latest_states (tenant_id LowCardinality(String), campaign_id LowCardinality(String), ordinal Int64 CODEC(Delta, ZSTD(1)),
    message_id String CODEC(ZSTD(1)), recipient SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    latest AggregateFunction(argMax, Tuple(LowCardinality(String), LowCardinality(String), Int32, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')), UInt64) CODEC(ZSTD(1)))
  ENGINE = AggregatingMergeTree ORDER BY (tenant_id, campaign_id, ordinal, message_id)`);
const states = `SELECT tenant_id, campaign_id, ordinal, message_id, max(recipient),
    argMaxState(tuple(kind, reason, attempt, queued_at, occurred_at), rank) FROM (${latest}) GROUP BY tenant_id, campaign_id, ordinal, message_id`;
const page = (table: string) =>
  `SELECT ordinal, toString(message_id) AS id, recipient, kind, reason, attempt, queued_at, occurred_at FROM ${table} FINAL ${WHERE}
   AND ordinal > 60000 ORDER BY ordinal, id LIMIT 100`;
const failedPage = (table: string) => page(table).replace('ordinal > 60000', "ordinal > 60000 AND kind = 'failed'");
for (const [table, select, ask] of [
  [asIs, latest, page(asIs)],
  [byUuid, latest.replace(/toString\((\w+\.)?message_id\)/, '$1message_id'), page(byUuid)],
  [
    'latest_states',
    states,
    `SELECT ordinal, message_id AS id, max(recipient), argMaxMerge(latest) FROM latest_states ${WHERE} AND ordinal > 60000
     GROUP BY tenant_id, campaign_id, ordinal, message_id ORDER BY ordinal, id LIMIT 100`,
  ],
] as const) {
  const floor = table === asIs ? undefined : asIs;
  add(
    `${table}: insert of a block`,
    await fill(table, select, 'events_large', blocks),
    'ms',
    floor && `${floor}: insert of a block`,
  );
  const unmerged = await milliseconds(ask);
  const { bytes, rows } = await bytesOf(table);
  add(`${table}: disk`, bytes / rows, 'bytes/message', floor && `${floor}: disk`, `${rows} messages`);
  add(
    `${table}: page, after merging`,
    await milliseconds(ask),
    'ms',
    floor && `${floor}: page, after merging`,
    `${unmerged.toFixed(1)} ms before`,
  );
}
add('latest_string: page of failed, after merging', await milliseconds(failedPage(asIs)), 'ms');
await variant('message_failures', 'failures', (ddl) => ddl);
add(
  'failures: insert of a block',
  await fill('failures', await selectOf('message_failures'), 'events_large', blocks),
  'ms',
);
add(
  'failures: reasons of a campaign',
  await milliseconds(`SELECT reason, count() FROM failures FINAL ${WHERE} GROUP BY reason`),
  'ms',
);
add(
  'the same from latest_string',
  await milliseconds(
    `SELECT reason, count() FROM latest_string FINAL ${WHERE} AND kind IN ('failed', 'dead') GROUP BY reason`,
  ),
  'ms',
  'failures: reasons of a campaign',
);

// Totals of campaigns: rows in a granule.
const totals = await selectOf('delivery_by_campaign');
const stats = (table: string) =>
  `SELECT kind, sum(events), quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(e2e_ms) FROM ${table} ${WHERE} GROUP BY kind`;
for (const granule of [8_192, 1_024, 256, 64]) {
  const table = await variant('delivery_by_campaign', `totals_${granule}`, (ddl) =>
    ddl.replace(/index_granularity = \d+/, `index_granularity = ${granule}`),
  );
  await fill(table, totals, 'events_many', manyBlocks);
  const { bytes, rows } = await bytesOf(table);
  const ms = await milliseconds(stats(table), 60);
  add(
    `totals, granules of ${granule}: a campaign`,
    ms,
    'ms',
    undefined,
    `${rows} rows, ${(bytes / rows).toFixed(0)} bytes each`,
  );
}

// Minutes: rows in a granule, for the latency of one campaign per minute.
const minutes = await selectOf('delivery_by_minute');
const perMinute = (table: string) =>
  `SELECT minute, quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(e2e_ms) FROM ${table} ${WHERE} GROUP BY minute`;
for (const granule of [8_192, 1_024, 256]) {
  const table = await variant('delivery_by_minute', `minutes_${granule}`, (ddl) =>
    ddl.replace(/index_granularity = \d+/, `index_granularity = ${granule}`),
  );
  await fill(table, minutes, 'events_many', manyBlocks);
  const { bytes, rows } = await bytesOf(table);
  const ms = await milliseconds(perMinute(table), 60);
  add(
    `minutes, granules of ${granule}: a campaign`,
    ms,
    'ms',
    undefined,
    `${rows} rows, ${(bytes / rows).toFixed(0)} bytes each`,
  );
}

// States: codec. Rollups: time, and what a partition a day would do to an insert of the widest range.
for (const codec of ['LZ4', 'ZSTD(1)', 'ZSTD(3)']) {
  const table = await variant('delivery_by_minute', `minute_${codec.toLowerCase().replace(/\W/g, '')}`, (ddl) =>
    ddl.replace(/(AggregateFunction\(quantilesDD[^`]*?\)) CODEC\(ZSTD\(1\)\)/g, `$1 CODEC(${codec})`),
  );
  const ms = await fill(table, minutes, 'events_many', manyBlocks);
  const { bytes, rows } = await bytesOf(table);
  add(
    `minute, states as ${codec}: disk`,
    bytes / rows,
    'bytes/row',
    undefined,
    `${rows} rows, insert of a block ${ms.toFixed(1)} ms`,
  );
}
await run(`CREATE TABLE events_wide ENGINE = MergeTree ORDER BY block AS SELECT * REPLACE (
    occurred_at - toIntervalSecond(sipHash64(message_id) % 777600) AS occurred_at) FROM events_many WHERE block < 2`);
for (const [name, key] of [
  ['month', 'toYYYYMM(minute)'],
  ['day', 'toYYYYMMDD(minute)'],
] as const) {
  const table = await variant('delivery_by_minute', `minute_by_${name}`, (ddl) => ddl.replace('toYYYYMM(minute)', key));
  const ms = await fill(table, minutes, 'events_wide', 2);
  const [parts] = await db.rows<{ n: string }>(
    `SELECT count() AS n FROM system.parts WHERE database = '${db.name}' AND table = '${table}'`,
  );
  add(`minute, partitions by ${name}: insert over nine days`, ms, 'ms', undefined, `${parts?.n} parts of two inserts`);
}
for (const table of ['delivery_by_minute', 'delivery_by_hour', 'latency_by_minute'] as const) {
  const name = await variant(table, `rollup_${table}`, (ddl) => ddl);
  const ms = await fill(name, await selectOf(table), 'events_large', blocks);
  const { bytes, rows } = await bytesOf(name);
  add(
    `${table}: disk`,
    bytes / events,
    'bytes/event',
    undefined,
    `${rows} rows, insert of a block ${ms.toFixed(1)} ms`,
  );
}
await run(`CREATE TABLE raw_without_ids AS delivery_raw`);
await run(`ALTER TABLE raw_without_ids DROP INDEX message_id_text`);
const withoutIds = await fill('raw_without_ids', `SELECT ${COLUMNS.join(', ')} FROM SOURCE`, 'events_large', blocks);
add('insert of a block into raw rows without the index of ids', withoutIds, 'ms');
await run(`CREATE TABLE raw_alone AS delivery_raw`);
const rawMs = await fill('raw_alone', `SELECT ${COLUMNS.join(', ')} FROM SOURCE`, 'events_large', blocks);
add('insert of a block into raw rows alone', rawMs, 'ms', 'insert of a block into raw rows without the index of ids');
for (const table of ['raw_without_ids', 'raw_alone']) {
  const { bytes, rows } = await bytesOf(table);
  add(`${table}: disk`, bytes / rows, 'bytes/event');
}
const allMs = await fill('delivery_raw', `SELECT ${COLUMNS.join(', ')} FROM SOURCE`, 'events_large', blocks);
add('insert of a block into raw rows with all views', allMs, 'ms', 'insert of a block into raw rows alone');
await run('OPTIMIZE TABLE delivery_by_minute FINAL');
const lastHour = `SELECT minute, sum(events) FROM delivery_by_minute WHERE minute >= (SELECT max(minute) - INTERVAL 5 MINUTE FROM delivery_by_minute) GROUP BY minute`;
add('five minutes of all campaigns', await milliseconds(lastHour), 'ms');

await db.drop();
process.stdout.write(`${JSON.stringify({ bench: 'sink tables', rows: results })}\n`);
