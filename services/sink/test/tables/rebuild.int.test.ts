import { groupsOf, topicsOf } from '@volley/contract';
import type { StreamClient } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import test from 'ava';
import { createClickHouseRebuildTarget } from '../../src/adapters/rebuild-clickhouse.ts';
import { metadataOf } from '../../src/core/plan.ts';
import { rebuild } from '../../src/core/rebuild.ts';
import { clickHouseUrl, createTestDatabase, type TestDatabase } from '../clickhouse.ts';
import { event, until } from '../support.ts';
import { START, withDatabase, write } from '../views.ts';
import { contentsOf, DERIVED, history } from './derived.ts';
import { startProcess } from './process.ts';

const DAY_MS = 86_400_000;
const definitions = (name: string) =>
  `SELECT name, create_table_query FROM system.tables WHERE database = '${name}' ORDER BY name`;

withDatabase('every derived table made again from raw rows is the same, row by row and bit by bit', async (t, db) => {
  const events = history(START - 3 * DAY_MS, 3, 120);
  // In ranges, as they come: a campaign's states are merged from several.
  for (let from = 0; from < events.length; from += 250) await write(db, from, events.slice(from, from + 250));
  const before = await contentsOf(db);
  for (const table of DERIVED) t.true((before[table]?.length ?? 0) > 3, table);
  const made = await db.rows(definitions(db.name));

  for (const damage of ['emptied', 'counted twice'] as const) {
    for (const table of DERIVED) {
      if (damage === 'emptied') await db.client.command({ query: `TRUNCATE TABLE ${table}` });
      else
        await db.client.command({
          query: `INSERT INTO ${table} SELECT * FROM ${table} SETTINGS insert_deduplicate = 0`,
        });
    }
    t.notDeepEqual(await contentsOf(db), before, damage);
    // What a run that was killed leaves behind.
    await db.client.command({ query: 'CREATE TABLE delivery_by_hour_rebuilt (a UInt8) ENGINE = Memory' });
    const target = createClickHouseRebuildTarget({ url: db.url, database: db.name });
    const result = await rebuild(target, { discardOlder: false });
    await target.close();
    t.true(result.ok);
    if (result.ok) {
      t.deepEqual([...result.tables].sort(), [...DERIVED].sort());
      t.is(result.rows, events.length);
    }
    t.deepEqual(await contentsOf(db), before, damage);
    t.deepEqual(await db.rows(definitions(db.name)), made, 'and nothing else has changed');
  }
  // The views follow: what comes next is counted.
  await write(db, 1_000_000, history(START, 1, 10));
  const [after] = await db.rows<{ n: string }>('SELECT sum(events) AS n FROM delivery_by_hour');
  const [counted] = await db.rows<{ n: string }>('SELECT count() AS n FROM delivery_raw WHERE NOT is_repeat');
  t.is(after?.n, counted?.n);
});

/** Partition of raw rows that the log took at this time. */
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');

/** 30 days ago, 10 days ago, now; what of the second the log took before its second midnight is gone from raw. */
async function withALostDay(db: TestDatabase): Promise<void> {
  const old = START - 10 * DAY_MS;
  await write(db, 0, history(START - 30 * DAY_MS, 1, 20));
  await write(db, 10_000, history(old, 1, 20));
  await write(db, 20_000, history(START, 1, 20));
  const midnight = Math.floor(old / DAY_MS + 1) * DAY_MS;
  // As in any night: what has just happened is in the log on the next day, and keeps a bit of each lost day.
  const late = [{ event: event(900_001, { occurred_at: midnight - 1, queued_at: midnight - 100 }) }];
  await write(db, 30_000, late, 'late', midnight + 3);
  await db.client.command({ query: `ALTER TABLE delivery_raw DROP PARTITION ID '${dayOf(old)}'` });
}

const countOf = async (db: TestDatabase, of: string) =>
  Number((await db.rows<{ n: string }>(`SELECT ${of} AS n`))[0]?.n);

withDatabase('a day that raw lost is not thrown away unasked, also where a table was emptied', async (t, db) => {
  await withALostDay(db);
  const raw = await countOf(db, '(SELECT count() FROM delivery_raw WHERE NOT is_repeat)');
  const counted = await countOf(db, '(SELECT sum(events) FROM delivery_by_campaign)');
  t.true(raw > 0 && raw < counted, `${raw} of ${counted}`);
  const target = createClickHouseRebuildTarget({ url: db.url, database: db.name });
  for (const emptied of [undefined, 'delivery_by_hour', 'delivery_by_minute']) {
    if (emptied !== undefined) await db.client.command({ query: `TRUNCATE TABLE ${emptied}` });
    const before = await contentsOf(db);
    const refused = await rebuild(target, { discardOlder: false });
    t.false(refused.ok);
    if (!refused.ok) t.regex(refused.error, /--discard-older/);
    t.deepEqual(await contentsOf(db), before);
  }
  t.true((await rebuild(target, { discardOlder: true })).ok);
  await target.close();
  for (const table of ['delivery_by_minute', 'delivery_by_hour', 'delivery_by_campaign'])
    t.is(await countOf(db, `(SELECT sum(events) FROM ${table})`), raw, table);
});

withDatabase('what is older than the retention is not missed: rollups drop it later than raw does', async (t, db) => {
  await write(db, 0, history(START, 1, 20));
  const wanted = await contentsOf(db);
  for (const table of ['delivery_by_minute', 'delivery_by_hour', 'latency_by_minute']) {
    const time = table === 'delivery_by_hour' ? 'hour' : 'minute';
    await db.client.command({ query: `SYSTEM STOP TTL MERGES ${table}` });
    await db.client.command({
      query: `INSERT INTO ${table} SELECT * REPLACE (${time} - INTERVAL 91 DAY AS ${time}) FROM ${table}`,
    });
  }
  t.notDeepEqual(await contentsOf(db), wanted);
  const target = createClickHouseRebuildTarget({ url: db.url, database: db.name });
  t.true((await rebuild(target, { discardOlder: false })).ok);
  await target.close();
  t.deepEqual(await contentsOf(db), wanted);
});

/** As the sink commits: offset 0 of partition 0, and what is planned from there. It is in its group until it is stopped. */
async function commitBeside(client: StreamClient, groupId: string, topic: string, metadata: string) {
  let epoch = 0;
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  const events = {
    onBatch: () => resolve(),
    onAssigned: (e: number) => {
      epoch = e;
    },
    onRevoked: () => {},
    onFatal: (error: Error) => {
      throw error;
    },
  };
  const consumer = client.consumer({ groupId, topics: [topic], clientId: groupId, events, maxWaitMs: 50 });
  await consumer.start();
  await arrived;
  await until('committed', async () => {
    return (await consumer.commit(epoch, [{ topic, partition: 0, offset: 0, metadata }])) === 'committed';
  });
  return consumer;
}

test('the process waits for sinks to leave, refuses while an insert is planned, and does its work when none is', async (t) => {
  const brokers = process.env.VOLLEY_TEST_KAFKA;
  if (!brokers) throw new Error('VOLLEY_TEST_KAFKA is not set');
  const namespace = `rebuild-${process.pid}-${Date.now()}`;
  const topic = topicsOf(namespace).deliveries;
  const groupId = groupsOf(namespace).sink;
  const db = await createTestDatabase();
  const client = createKafkaClient({ brokers: [brokers], clientId: namespace });
  const admin = await client.admin();
  const start = () =>
    startProcess(new URL('../../src/rebuild.ts', import.meta.url), {
      VOLLEY_CLICKHOUSE_URL: clickHouseUrl(),
      VOLLEY_CLICKHOUSE_DATABASE: db.name,
      VOLLEY_KAFKA_BROKERS: brokers,
      VOLLEY_NAMESPACE: namespace,
    });
  try {
    await admin.ensureTopics([{ topic, partitions: 2, replicationFactor: 1, config: {} }]);
    const producer = await client.producer({ clientId: namespace });
    await producer.send([{ topic, partition: 0, key: 'k', value: Buffer.from('v') }]);
    await write(db, 0, history(START, 1, 20));
    const before = await contentsOf(db);
    await db.client.command({ query: 'TRUNCATE TABLE delivery_by_campaign' });

    const plan = metadataOf({ from: 0, to: 40, rows: 40, layout: 2, generation: '0' });
    await (await commitBeside(client, groupId, topic, plan)).stop();
    const refused = start();
    t.is(await refused.ended, 1, refused.stdout());
    t.regex(refused.stdout(), /planned/);
    t.notDeepEqual(await contentsOf(db), before);

    // An idle sink has nothing planned, and would write when the next event came.
    const idle = await commitBeside(client, groupId, topic, '');
    const done = start();
    await until('it waits', () => /waiting: somebody is in the group of the sinks/.test(done.stdout()));
    t.notDeepEqual(await contentsOf(db), before);
    await idle.stop();
    t.is(await done.ended, 0, done.stdout());
    t.deepEqual(await contentsOf(db), before);
  } finally {
    await admin.deleteTopics([topic]);
    await client.close();
    await db.drop();
  }
});
