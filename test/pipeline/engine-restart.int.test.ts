import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { startFront } from '../../apps/local-stack/test/support/front.ts';
import {
  createClickHouseMigrationTarget,
  migrationFiles,
} from '../../services/sink/src/adapters/migrator-clickhouse.ts';
import { createClickHouseRowStore } from '../../services/sink/src/adapters/row-store-clickhouse.ts';
import { migrate } from '../../services/sink/src/core/migrations.ts';
import { registerStatement, stampStatement } from '../../services/sink/src/core/replay/register.ts';
import { COLUMNS } from '../../services/sink/src/core/to-row.ts';
import { FIRST_GENERATION } from '../../services/sink/src/core/token.ts';
import { createDeliveryRanges } from '../faults/kit/delivery-ranges.ts';
import { createClickHouse } from '../support/clickhouse.ts';
import { until } from '../support/until.ts';

const SQL = fileURLToPath(new URL('../../services/sink/sql', import.meta.url));
const DATABASE = 'volley';

interface Table {
  name: string;
  engine: string;
}

/** The tables a range reaches, with what is stored in each: parts that were not merged show a block that came twice. */
async function ground(t: { teardown(f: () => unknown): void }) {
  const front = await startFront();
  t.teardown(() => front.remove());
  const target = createClickHouseMigrationTarget({ url: front.url, database: DATABASE });
  t.teardown(() => target.close());
  await target.prepare();
  const migrated = await migrate(target, await migrationFiles(SQL));
  if (!migrated.ok) throw new Error(migrated.errors.join('\n'));
  const store = createClickHouseRowStore({
    url: front.url,
    database: DATABASE,
    columns: COLUMNS,
    insertTimeoutMs: 30_000,
    maxOpenConnections: 1,
  });
  t.teardown(() => store.close());
  const { query } = createClickHouse(front.url, DATABASE);
  const ranges = createDeliveryRanges({
    seed: 1,
    partition: 0,
    cluster: randomUUID(),
    midnightMs: Math.floor(Date.now() / 86_400_000) * 86_400_000,
  });
  return {
    target,
    tables: () =>
      query<Table>(
        `SELECT name, engine FROM system.tables WHERE database = '${DATABASE}' AND engine LIKE '%MergeTree' AND name != 'schema_migrations' ORDER BY name`,
      ),
    parts: () =>
      query<{ table: string; parts: number }>(
        `SELECT table, toUInt32(count()) AS parts FROM system.parts WHERE database = '${DATABASE}' AND active AND table != 'schema_migrations' GROUP BY table ORDER BY table`,
      ),
    /** Until the next start. A merge that was past its last look at the order ends first. */
    async withoutMerges() {
      await target.run('SYSTEM STOP MERGES');
      await until('no merge runs', async () => (await query('SELECT 1 FROM system.merges')).length === 0);
    },
    async restart() {
      await front.child.stop();
      await front.again();
    },
    async insertedOf(count: number) {
      const those = Array.from({ length: count }, () => ranges.next());
      const insert = async () => {
        for (const range of those) {
          const answer = await store.insert(range);
          if (!answer.ok) throw new Error(answer.error);
        }
      };
      await insert();
      return insert;
    },
  };
}

// A view whose query was altered in place named its blocks otherwise after the next start (26.7.2).
test('a range that was stored before the engine was started anew is known in every table after it', async (t) => {
  const { parts, insertedOf, restart, withoutMerges } = await ground(t);
  await withoutMerges();
  const again = await insertedOf(20);
  const stored = await parts();
  t.deepEqual(
    stored.map(({ table }) => table).filter((table) => !table.startsWith('.inner')),
    [
      'delivery_by_campaign',
      'delivery_by_hour',
      'delivery_by_minute',
      'delivery_ends',
      'delivery_raw',
      'latency_by_minute',
      'message_failures',
      'message_latest',
    ],
  );
  await restart();
  await withoutMerges();
  const before = await parts();
  await again();
  t.deepEqual(await parts(), before);
});

test('so it is after the tables were stamped and their register changed, as replays of analytics do', async (t) => {
  const { target, tables, parts, insertedOf, restart, withoutMerges } = await ground(t);
  await withoutMerges();
  const again = await insertedOf(5);
  for (const { name } of await tables()) {
    if (name !== 'delivery_raw') await target.run(stampStatement(name, FIRST_GENERATION));
  }
  const open = { generation: FIRST_GENERATION, register: { state: 'open', nonce: 'a' } } as const;
  await target.run(registerStatement('delivery_raw', undefined, open));
  const before = await parts();
  await again();
  t.deepEqual(await parts(), before, 'in the same life of the engine');
  await restart();
  await withoutMerges();
  const after = await parts();
  await again();
  t.deepEqual(await parts(), after, 'in the next one');
});
