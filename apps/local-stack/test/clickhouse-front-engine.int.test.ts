import { randomUUID } from 'node:crypto';
import { ClickHouseError } from '@clickhouse/client';
import test from 'ava';
import { conformanceSubject } from './support/conformance.ts';
import { until } from './support/stacks.ts';

// What the sink and the statistics need of the engine behind it: deduplication, states, swaps, ending a query.
const subject = conformanceSubject();

test('a block with a known token is dropped, and the token is forgotten with its request', async (t) => {
  const table = await subject.numberTable('tokens', 'SETTINGS non_replicated_deduplication_window = 100');
  const insert = (n: number, token?: string) =>
    subject.client.insert({
      table,
      values: [{ n }],
      format: 'JSONEachRow',
      ...(token ? { clickhouse_settings: { insert_deduplication_token: token } } : {}),
    });
  await insert(1, 'A');
  await insert(2, 'A');
  await insert(3);
  await insert(4, 'B');
  t.deepEqual(
    (await subject.rows<{ n: string }>(`SELECT n FROM ${table} ORDER BY n`)).map(({ n }) => Number(n)),
    [1, 3, 4],
  );
});

test('two equal blocks without a token are one, as long as the window is set', async (t) => {
  const table = await subject.numberTable('hashes', 'SETTINGS non_replicated_deduplication_window = 100');
  await subject.client.insert({ table, values: [{ n: 7 }], format: 'JSONEachRow' });
  await subject.client.insert({ table, values: [{ n: 7 }], format: 'JSONEachRow' });
  t.deepEqual(await subject.rows(`SELECT toUInt32(count()) AS c FROM ${table}`), [{ c: 1 }]);
});

test('tokens hold for the target of a view as well, where it has a window', async (t) => {
  const window = 'SETTINGS non_replicated_deduplication_window = 100';
  const source = await subject.numberTable('cascade_source', window);
  const target = subject.fresh('cascade_target');
  await subject.client.command({
    query: `CREATE TABLE ${target} (c UInt64) ENGINE = SummingMergeTree ORDER BY tuple() ${window}`,
  });
  await subject.client.command({
    query: `CREATE MATERIALIZED VIEW ${subject.fresh('cascade')} TO ${target} AS SELECT count() AS c FROM ${source}`,
  });
  for (const repeat of [1, 2]) {
    await subject.client.insert({
      table: source,
      values: [{ n: repeat }, { n: repeat + 10 }],
      format: 'JSONEachRow',
      clickhouse_settings: {
        insert_deduplication_token: 'same',
        deduplicate_blocks_in_dependent_materialized_views: 1,
      },
    });
  }
  t.deepEqual(await subject.rows(`SELECT toUInt32(sum(c)) AS c FROM ${target}`), [{ c: 2 }]);
});

test('a client that goes away ends its query', async (t) => {
  const mark = `gone_${randomUUID().replaceAll('-', '')}`;
  const count = () =>
    subject.rows<{ c: number }>(
      `SELECT toUInt32(count()) AS c FROM system.processes WHERE position(query, '${mark}') > 0 AND position(query, 'processes') = 0`,
    );
  const abort = new AbortController();
  const slow = subject.client.query({
    query: `SELECT count() AS ${mark} FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))`,
    format: 'JSON',
    abort_signal: abort.signal,
    clickhouse_settings: { cancel_http_readonly_queries_on_client_close: 1 },
  });
  slow.catch(() => {});
  await until(async () => (await count())[0]?.c === 1, 'the query runs');
  abort.abort();
  await t.throwsAsync(slow);
  await until(async () => (await count())[0]?.c === 0, 'the query has ended');
});

test('KILL QUERY by the id the client gave', async (t) => {
  const queryId = randomUUID();
  const slow = subject.rows('SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))', {
    query_id: queryId,
  });
  const ended = t.throwsAsync(slow, { instanceOf: ClickHouseError });
  let over = false;
  void ended.then(() => {
    over = true;
  });
  await until(async () => {
    if (!over) await subject.client.command({ query: `KILL QUERY WHERE query_id = '${queryId}' ASYNC` });
    return over;
  }, 'the query is killed');
  t.is(((await ended) as ClickHouseError).code, '394');
});

test('max_execution_time ends a query that takes too long', async (t) => {
  const error = await t.throwsAsync(
    () =>
      subject.rows('SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))', {
        clickhouse_settings: { max_execution_time: 1 },
      }),
    { instanceOf: ClickHouseError },
  );
  t.is((error as ClickHouseError).code, '159');
});

test('queries answer while inserts run', async (t) => {
  const table = await subject.numberTable('busy');
  const block = Array.from({ length: 20_000 }, (_, n) => [n, 'text']);
  const inserts = Array.from({ length: 6 }, () =>
    subject.client.insert({ table, values: block, format: 'JSONCompactEachRow' }),
  );
  const reads = Array.from({ length: 60 }, () =>
    subject.rows<{ c: number }>(`SELECT toUInt32(count()) AS c FROM ${table}`),
  );
  for (const [row] of await Promise.all(reads)) t.is((row?.c ?? 1) % 20_000, 0);
  await Promise.all(inserts);
  t.deepEqual(await subject.rows(`SELECT toUInt32(count()) AS c FROM ${table}`), [{ c: 120_000 }]);
});

test('a view into AggregatingMergeTree keeps quantilesDD states that merge', async (t) => {
  const source = subject.fresh('latency');
  const target = subject.fresh('per_minute');
  const state = 'AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64)';
  await subject.client.command({
    query: `CREATE TABLE ${source} (minute DateTime, ms Float64) ENGINE = MergeTree ORDER BY minute`,
  });
  await subject.client.command({
    query: `CREATE TABLE ${target} (minute DateTime, sent SimpleAggregateFunction(sum, UInt64), q ${state}) ENGINE = AggregatingMergeTree ORDER BY minute`,
  });
  await subject.client.command({
    query: `CREATE MATERIALIZED VIEW ${subject.fresh('rollup')} TO ${target} AS
      SELECT minute, count() AS sent, quantilesDDState(0.01, 0.5, 0.95, 0.99)(ms) AS q FROM ${source} GROUP BY minute`,
  });
  for (const half of [0, 1]) {
    const values = Array.from({ length: 500 }, (_, i) => ['2026-11-21 10:00:00', 2 * i + half + 1]);
    await subject.client.insert({ table: source, values, format: 'JSONCompactEachRow' });
  }
  const [row] = await subject.rows<{ sent: number; q: number[] }>(
    `SELECT toUInt32(sum(sent)) AS sent, quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(q) AS q FROM ${target}`,
  );
  t.is(row?.sent, 1000);
  [500, 950, 990].forEach((exact, index) => {
    t.true(Math.abs((row?.q[index] ?? 0) - exact) <= exact * 0.011, `${row?.q[index]} is within 1% of ${exact}`);
  });
});

test('EXCHANGE TABLES swaps two tables', async (t) => {
  const [left, right] = [await subject.numberTable('left'), await subject.numberTable('right')];
  await subject.client.insert({ table: left, values: [{ n: 1 }], format: 'JSONEachRow' });
  await subject.client.command({ query: `EXCHANGE TABLES ${left} AND ${right}` });
  t.deepEqual(await subject.rows(`SELECT toUInt32(count()) AS c FROM ${right}`), [{ c: 1 }]);
  t.deepEqual(await subject.rows(`SELECT toUInt32(count()) AS c FROM ${left}`), [{ c: 0 }]);
});

test('an insert of 24 MiB in one request', async (t) => {
  const table = await subject.numberTable('large');
  const line = `[1,"${'x'.repeat(1000)}"]\n`;
  const count = Math.ceil((24 * 1024 * 1024) / line.length);
  const query = encodeURIComponent(`INSERT INTO ${table} FORMAT JSONCompactEachRow`);
  const answer = await subject.raw('POST', `/?database=${subject.database}&query=${query}`, {
    body: line.repeat(count),
  });
  t.is(answer.status, 200, answer.body.toString());
  t.deepEqual(await subject.rows(`SELECT toUInt32(count()) AS c FROM ${table}`), [{ c: count }]);
});
