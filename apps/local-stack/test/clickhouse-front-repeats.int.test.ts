import { randomUUID } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import test from 'ava';
import { startFront, type TestFront } from './support/front.ts';
import { until } from './support/stacks.ts';

// Clients whose timeout is shorter than their insert waits and runs, and who send it again. None of the tables has a
// deduplication window: what the engine runs twice is there twice.
let front: TestFront;
let client: ClickHouseClient;
test.before(async () => {
  front = await startFront();
  client = createClient({ url: front.url, max_open_connections: 30, log: { level: ClickHouseLogLevel.OFF } });
});
test.after.always(async () => {
  await client?.close();
  await front?.remove();
});

async function ask<T>(query: string, query_id: string = randomUUID()): Promise<T[]> {
  return (await client.query({ query, format: 'JSONEachRow', query_id })).json<T>();
}

/** Each of its rows takes so long to insert. */
async function slowTable(name: string, secondsARow: number): Promise<string> {
  await client.command({
    query: `CREATE TABLE ${name} (n UInt32, s UInt8 DEFAULT sleepEachRow(${secondsARow})) ENGINE = MergeTree ORDER BY n`,
  });
  return name;
}

const numbersIn = async (table: string) =>
  (await ask<{ n: number }>(`SELECT n FROM ${table} ORDER BY n`)).map(({ n }) => n);

const running = async (table: string) => {
  const [row] = await ask<{ c: number }>(
    `SELECT toUInt32(count()) AS c FROM system.processes WHERE query LIKE 'INSERT INTO ${table} %'`,
  );
  return row?.c === 1;
};

interface Sent {
  id: string;
  answered: Promise<unknown>;
  leave(): Promise<void>;
}

function send(table: string, numbers: readonly number[], token: string | undefined): Sent {
  const leaving = new AbortController();
  const id = randomUUID();
  const answered = client.insert({
    table,
    columns: ['n'],
    values: numbers.map((n) => [n]),
    format: 'JSONCompactEachRow',
    query_id: id,
    abort_signal: leaving.signal,
    ...(token === undefined ? {} : { clickhouse_settings: { insert_deduplication_token: token } }),
  });
  answered.catch(() => {});
  return {
    id,
    answered,
    async leave() {
      leaving.abort();
      await answered.catch(() => {});
    },
  };
}

/** The front has it, in the engine or waiting: no other query may have its id. */
const known = (sent: Sent) =>
  until(async () => {
    const refused = await ask('SELECT 1', sent.id).then(
      () => undefined,
      (error) => error,
    );
    return refused?.code === '216';
  }, 'the front has it');

test.serial('a repeat of an insert that still runs for a client that left is answered when that ends', async (t) => {
  const table = await slowTable('abandoned', 0.3);
  const numbers = [1, 2, 3, 4, 5, 6];
  const first = send(table, numbers, 'A');
  await until(() => running(table), 'the insert runs');
  await first.leave();
  const repeats = [send(table, numbers, 'A'), send(table, numbers, 'A')];
  for (const repeat of repeats) await known(repeat);
  t.true(await running(table), 'they came while it ran');
  for (const { answered } of repeats) await answered;
  t.deepEqual(await numbersIn(table), numbers);
  t.deepEqual(globSync(path.join(front.folder, 'clickhouse/inserts/*')), [], 'its file is gone');
  const log = readFileSync(path.join(front.folder, 'clickhouse.log'), 'utf8');
  t.regex(
    log,
    new RegExp(
      `insert ${first.id}: waited 0\\.\\d s, ran [12]\\.\\d s, wrote 6 rows, its client was gone, repeats answered with it: 2`,
    ),
  );
});

test.serial('a repeat that comes after its end is answered with it as well', async (t) => {
  const table = await slowTable('ended', 0.3);
  const first = send(table, [1, 2, 3], 'A');
  await until(() => running(table), 'the insert runs');
  await first.leave();
  await until(async () => !(await running(table)), 'the insert has ended');
  await send(table, [1, 2, 3], 'A').answered;
  t.deepEqual(await numbersIn(table), [1, 2, 3]);
  await send(table, [1, 2], 'A').answered;
  t.deepEqual(await numbersIn(table), [1, 1, 2, 2, 3], 'other rows are another insert');
});

test.serial('a repeat that comes when the table was emptied meanwhile is run', async (t) => {
  const table = await slowTable('emptied', 0.3);
  const first = send(table, [1, 2, 3], 'A');
  await until(() => running(table), 'the insert runs');
  await first.leave();
  await until(async () => !(await running(table)), 'the insert has ended');
  await client.command({ query: `TRUNCATE TABLE ${table}` });
  await send(table, [1, 2, 3], 'A').answered;
  t.deepEqual(await numbersIn(table), [1, 2, 3]);
});

test.serial('without a token two equal inserts are two', async (t) => {
  const table = await slowTable('twice', 0.1);
  await Promise.all([send(table, [1], undefined).answered, send(table, [1], undefined).answered]);
  t.deepEqual(await numbersIn(table), [1, 1]);
});

test.serial('an insert that waits is dropped when its client leaves, unless a repeat waits with it', async (t) => {
  const [busy, table] = [await slowTable('busy', 0.5), await slowTable('waiting', 0)];
  const before = send(busy, [1, 2, 3, 4], 'A');
  await until(() => running(busy), 'the place is taken');
  const [dropped, kept] = [send(table, [1], 'B'), send(table, [2], 'C')];
  for (const sent of [dropped, kept]) await known(sent);
  const repeat = send(table, [2], 'C');
  await known(repeat);
  for (const sent of [dropped, kept]) await sent.leave();
  t.true(await running(busy), 'all of this came while the place was taken');
  await before.answered;
  await repeat.answered;
  await send(table, [3], 'D').answered;
  t.deepEqual(await numbersIn(table), [2, 3]);
});

test.serial('a repeat is ended by its id, and the insert that it waits for goes on', async (t) => {
  const table = await slowTable('killed', 0.5);
  const first = send(table, [1, 2, 3, 4], 'A');
  await until(() => running(table), 'the insert runs');
  const repeat = send(table, [1, 2, 3, 4], 'A');
  await known(repeat);
  await client.command({ query: `KILL QUERY WHERE query_id = '${repeat.id}' ASYNC` });
  t.like(await t.throwsAsync(repeat.answered), { code: '394' });
  await first.answered;
  t.deepEqual(await numbersIn(table), [1, 2, 3, 4]);
});

test.serial('an error is the answer to the repeat too', async (t) => {
  await client.command({
    query: `CREATE TABLE failing (n UInt32, s UInt8 DEFAULT throwIf(sleepEachRow(0.3) = 0 AND n = 3)) ENGINE = MergeTree ORDER BY n`,
  });
  const first = send('failing', [1, 2, 3], 'A');
  await until(() => running('failing'), 'the insert runs');
  const repeat = send('failing', [1, 2, 3], 'A');
  await known(repeat);
  for (const { answered } of [first, repeat]) t.like(await t.throwsAsync(answered), { code: '395' });
  t.deepEqual(await numbersIn('failing'), []);
});
