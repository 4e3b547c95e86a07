import { createHash, randomUUID } from 'node:crypto';
import { globSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startFront, type TestFront } from '../../../apps/local-stack/test/support/front.ts';
import {
  createClickHouseMigrationTarget,
  migrationFiles,
} from '../../../services/sink/src/adapters/migrator-clickhouse.ts';
import { createClickHouseRowStore } from '../../../services/sink/src/adapters/row-store-clickhouse.ts';
import { migrate } from '../../../services/sink/src/core/migrations.ts';
import { COLUMNS } from '../../../services/sink/src/core/to-row.ts';
import type { RowRange } from '../../../services/sink/src/ports.ts';
import { type ClickHouse, createClickHouse } from '../../support/clickhouse.ts';
import { createDeliveryRanges, type RangeFacts } from './delivery-ranges.ts';

const SQL = fileURLToPath(new URL('../../../services/sink/sql', import.meta.url));
const PARTITIONS = 4;
const READERS = 2;
const INSERT_TIMEOUT_MS = 30_000;

export interface EngineRun {
  readonly kills: number;
  /** Acknowledged, each once. */
  readonly ranges: readonly RangeFacts[];
  /** Inserts that got no answer, by what had been stored of them when the engine was back. */
  readonly unanswered: { readonly whole: number; readonly nothing: number; readonly part: number };
  /** Tokens without a block, which the front took out of the deduplication logs. */
  readonly tokensRemoved: number;
  /** Answers that readers got in between. */
  readonly answers: number;
  /** From SIGKILL to the next acknowledged insert, and from its start to the first answer; ms, sorted. */
  readonly backMs: readonly number[];
  readonly startMs: readonly number[];
}

export interface Tables {
  query: ClickHouse['query'];
  /** SHA-256 of the answer's bytes. */
  digest(sql: string): Promise<string>;
}

/** An embedded engine of the test's own behind its front, with the project's tables. */
export interface EngineGround {
  /** Inserts and reads until the engine was killed so often, and every insert is acknowledged. Once. */
  killed(times: number): Promise<EngineRun>;
  readonly tables: Tables;
  /** The same ranges in tables of their own, each inserted once and without a kill. */
  reference(ranges: readonly RangeFacts[]): Promise<Tables>;
  stop(): Promise<void>;
}

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/**
 * Resolves when so many tokens more were logged, of any table. A kill right after that comes between a token and its part,
 * or between one table of an insert and the next.
 */
function tokensLogged(dataFolder: string, count: number): Promise<void> {
  let left = count;
  return new Promise((resolve) => {
    const watchers = globSync('store/*/*/deduplication_logs', { cwd: dataFolder }).map((folder) =>
      watch(join(dataFolder, folder), () => {
        left -= 1;
        if (left > 0) return;
        for (const watcher of watchers) watcher.close();
        resolve();
      }),
    );
  });
}

async function migrated(url: string, database: string): Promise<void> {
  const target = createClickHouseMigrationTarget({ url, database });
  try {
    await target.prepare();
    const result = await migrate(target, await migrationFiles(SQL));
    if (!result.ok) throw new Error(result.errors.join('\n'));
  } finally {
    await target.close();
  }
}

export async function startEngineGround(seed: number, random: (below: number) => number): Promise<EngineGround> {
  const front = await startFront();
  try {
    await migrated(front.url, 'volley');
    return createGround(front, seed, random);
  } catch (error) {
    await front.remove();
    throw error;
  }
}

function tablesOf(url: string, database: string): Tables {
  const { query } = createClickHouse(url, database);
  return {
    query,
    async digest(sql) {
      const address = new URL(url);
      const credentials = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
      address.username = '';
      address.password = '';
      address.searchParams.set('database', database);
      // An error has its status then, and is not hashed with what came before it.
      address.searchParams.set('wait_end_of_query', '1');
      const answer = await fetch(address, {
        method: 'POST',
        body: `${sql} FORMAT RowBinary`,
        headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
        signal: AbortSignal.timeout(300_000),
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (!answer.ok) throw new Error(`ClickHouse: ${bytes.toString('utf8', 0, 500)}`);
      return createHash('sha256').update(bytes).digest('hex');
    },
  };
}

function createGround(front: TestFront, seed: number, random: (below: number) => number): EngineGround {
  const tables = tablesOf(front.url, 'volley');
  const storeOf = (database: string) =>
    createClickHouseRowStore({
      url: front.url,
      database,
      columns: COLUMNS,
      insertTimeoutMs: INSERT_TIMEOUT_MS,
      maxOpenConnections: PARTITIONS + 1,
    });
  const midnightMs = Math.floor(Date.now() / 86_400_000) * 86_400_000;
  const cluster = randomUUID();
  const rangesOf = (partition: number) => createDeliveryRanges({ seed, partition, cluster, midnightMs });

  async function killed(times: number): Promise<EngineRun> {
    const store = storeOf('volley');
    const ranges: RangeFacts[] = [];
    const unanswered = { whole: 0, nothing: 0, part: 0 };
    const backMs: number[] = [];
    const startMs: number[] = [];
    let [answers, kills, over] = [0, 0, false];
    let killedAtMs: number | undefined;
    let failure: Error | undefined;
    /** Whoever got no answer waits for this before it asks again. */
    let back = Promise.resolve();

    const stored = async ({ partition, from, to }: RowRange) => {
      const [row] = await tables.query<{ n: number }>(
        `SELECT count() AS n FROM delivery_raw WHERE source_partition = ${partition} AND source_offset >= ${from} AND source_offset < ${to}`,
      );
      return row?.n ?? 0;
    };

    async function insertAll(partition: number): Promise<void> {
      const log = rangesOf(partition);
      while (!over) {
        const range = log.next();
        for (let mayBeThere = false; ; mayBeThere = true) {
          if (mayBeThere) {
            await back;
            // Another kill may come before it can be asked; then it is asked once more after that.
            const there = await stored(range).catch(() => undefined);
            if (there === undefined) continue;
            unanswered[there === 0 ? 'nothing' : there === range.rows.count ? 'whole' : 'part'] += 1;
          }
          if ((await store.insert(range)).ok) break;
          if (failure !== undefined) throw failure;
        }
        if (killedAtMs !== undefined) backMs.push(performance.now() - killedAtMs);
        killedAtMs = undefined;
        ranges.push({ partition, from: range.from, facts: range.facts });
      }
    }

    /** What the statistics ask, all the time: an answer or an error, but never a wait for ever. */
    async function readAll(): Promise<void> {
      const questions = [
        'SELECT * FROM campaign_stats',
        'SELECT sum(sent) FROM throughput_per_minute',
        'SELECT minute, max(p99_ms) FROM latency_per_minute GROUP BY minute ORDER BY minute DESC LIMIT 60',
        'SELECT * FROM failure_reasons',
        "SELECT count() FROM delivery_events WHERE kind = 'failed'",
      ];
      while (!over) {
        const question = questions[random(questions.length)] as string;
        const answered = await tables.query(`${question} SETTINGS max_execution_time = 5`).then(
          () => true,
          () => false,
        );
        if (answered) answers += 1;
        else await back;
        await lasting(10);
      }
    }

    const inserting = Array.from({ length: PARTITIONS }, (_, partition) => insertAll(partition));
    const all = Promise.all([...inserting, ...Array.from({ length: READERS }, () => readAll())]);
    const ended = all.then(
      () => {},
      (error: Error) => {
        failure = error;
      },
    );
    try {
      while (kills < times && failure === undefined) {
        // After so many answers and a bit, and not after a time: a busy machine would never get past its start.
        const enough = ranges.length + random(5);
        while (ranges.length < enough && failure === undefined) await lasting(2);
        if (kills % 3 > 0) await lasting(random(100));
        else await Promise.race([tokensLogged(join(front.folder, 'clickhouse', 'data'), 1 + random(16)), ended]);
        let isBack: () => void = () => {};
        back = new Promise((resolve) => {
          isBack = resolve;
        });
        const { child } = front;
        process.kill(child.pid, 'SIGKILL');
        killedAtMs = performance.now();
        kills += 1;
        await child.exited;
        const startedMs = performance.now();
        await front.again();
        startMs.push(performance.now() - startedMs);
        isBack();
      }
    } finally {
      over = true;
    }
    await all;
    await store.close();
    const log = readFileSync(join(front.folder, 'clickhouse.log'), 'utf8');
    const removed = log.match(/^.*removed from .*$/gm) ?? [];
    const tokensRemoved = removed.reduce((sum, line) => sum + line.split('blocks: ')[1]!.split(', ').length, 0);
    return { kills, ranges, unanswered, tokensRemoved, answers, backMs: sorted(backMs), startMs: sorted(startMs) };
  }

  return {
    killed,
    tables,
    async reference(ranges) {
      await migrated(front.url, 'reference');
      const store = storeOf('reference');
      try {
        for (const partition of new Set(ranges.map((range) => range.partition))) {
          const again = rangesOf(partition);
          for (const _ of ranges.filter((range) => range.partition === partition)) {
            const answer = await store.insert(again.next());
            if (!answer.ok) throw new Error(answer.error);
          }
        }
      } finally {
        await store.close();
      }
      return tablesOf(front.url, 'reference');
    },
    stop: () => front.remove(),
  };
}
