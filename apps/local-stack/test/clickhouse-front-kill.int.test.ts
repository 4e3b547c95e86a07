import { globSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createClient } from '@clickhouse/client';
import test from 'ava';
import { startFront } from './support/front.ts';

// The engine logs a block's token before its part exists. Without the repair at the front's start about one kill in a
// hundred loses the block whose insert it interrupted; with it a retry under the same token always lands exactly once.
const kills = 10;
const rowsPerBlock = 1000;

test('blocks whose insert was cut off by SIGKILL land exactly once when they are tried again with their token', async (t) => {
  const front = await startFront();
  t.teardown(() => front.remove());
  const connect = () =>
    createClient({ url: front.url, max_open_connections: 4, request_timeout: 20_000, log: { level: 127 } });
  let client = connect();
  const window = 'SETTINGS non_replicated_deduplication_window = 100000';
  await client.command({
    query: `CREATE TABLE raw (block UInt32, n UInt32) ENGINE = MergeTree ORDER BY (block, n) ${window}`,
  });
  await client.command({
    query: `CREATE TABLE sums (block UInt32, c UInt64) ENGINE = SummingMergeTree ORDER BY block ${window}`,
  });
  await client.command({
    query: 'CREATE MATERIALIZED VIEW to_sums TO sums AS SELECT block, count() AS c FROM raw GROUP BY block',
  });

  const insert = (block: number) =>
    client.insert({
      table: 'raw',
      values: Array.from({ length: rowsPerBlock }, (_, n) => [block, n]),
      format: 'JSONCompactEachRow',
      clickhouse_settings: {
        insert_deduplication_token: `block-${block}`,
        deduplicate_blocks_in_dependent_materialized_views: 1,
      },
    });

  let next = 0;
  for (let kill = 0; kill < kills; kill++) {
    // A different moment each time, in the middle of inserts: the kill follows a number of answers, not a time.
    const upTo = next + 1 + (kill % 4);
    const pid = front.child.pid;
    for (;;) {
      const answer = insert(next);
      if (next === upTo) setImmediate(() => process.kill(pid, 'SIGKILL'));
      try {
        await answer;
        next++;
      } catch {
        break;
      }
    }
    await front.child.exited;
    await client.close();
    await front.again();
    client = connect();
    // `next` has an unknown outcome: that is the one to try again.
    await insert(next);
    next++;
  }
  const query = `SELECT toUInt32(count()) AS blocks, toUInt32(min(c)) AS least, toUInt32(max(c)) AS most FROM (SELECT block, sum(c) AS c FROM TABLE GROUP BY block)`;
  const expected = [{ blocks: next, least: rowsPerBlock, most: rowsPerBlock }];
  const ask = async (source: string) =>
    (await client.query({ query: query.replace('TABLE', source), format: 'JSONEachRow' })).json();
  t.deepEqual(await ask('(SELECT block, 1 AS c FROM raw)'), expected);
  t.deepEqual(await ask('sums'), expected);
  await client.close();
});

test('a token whose part never appeared does not stand in the way of its block', async (t) => {
  const front = await startFront();
  t.teardown(() => front.remove());
  const client = createClient({ url: front.url, log: { level: 127 } });
  await client.command({
    query:
      'CREATE TABLE cut (n UInt8) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100',
  });
  const insert = (n: number) =>
    client.insert({
      table: 'cut',
      values: [[n]],
      format: 'JSONCompactEachRow',
      clickhouse_settings: { insert_deduplication_token: `token-${n}` },
    });
  const stored = async () =>
    (await (await client.query({ query: 'SELECT n FROM cut ORDER BY n', format: 'JSONEachRow' })).json()) as unknown[];
  await insert(1);
  await insert(2);
  process.kill(front.child.pid, 'SIGKILL');
  await front.child.exited;
  // What a kill between the two writes leaves behind: the token in the log, and no part.
  const parts = globSync(path.join(front.folder, 'clickhouse/data/store/*/*/all_2_2_0'));
  t.is(parts.length, 1);
  for (const part of parts) rmSync(part, { recursive: true });
  await front.again();
  t.deepEqual(await stored(), [{ n: 1 }]);
  await insert(2);
  await insert(1);
  t.deepEqual(await stored(), [{ n: 1 }, { n: 2 }]);
  await client.close();
});

test('SIGTERM lets a running query finish, refuses new ones, and ends with 0', async (t) => {
  const front = await startFront();
  t.teardown(() => front.remove());
  const client = createClient({ url: front.url, log: { level: 127 } });
  const slow = client.query({
    query: 'SELECT sleepEachRow(0.5) AS s FROM numbers(4) SETTINGS max_block_size = 1',
    format: 'JSONEachRow',
  });
  for (;;) {
    const processes = await client.query({
      query: `SELECT count() AS c FROM system.processes WHERE query LIKE '%sleepEachRow%'`,
      format: 'JSONEachRow',
    });
    const [row] = await processes.json<{ c: string }>();
    if (Number(row?.c) >= 2) break;
  }
  process.kill(front.child.pid, 'SIGTERM');
  t.is((await (await slow).json()).length, 4);
  await client.close();
  t.deepEqual(await front.child.exited, { code: 0, signal: null });
  await t.throwsAsync(fetch(new URL('/ping', front.url.replace(/\/\/.*@/, '//'))));
});

test('a second front on the same folder ends and says why; the first goes on', async (t) => {
  const front = await startFront();
  t.teardown(() => front.remove());
  const rival = await front.rival();
  t.deepEqual(await rival.exited, { code: 1, signal: null });
  t.regex(rival.tail().join('\n'), /Cannot lock file/);
  t.is((await fetch(new URL('/ping', front.url.replace(/\/\/.*@/, '//')))).status, 200);
});
