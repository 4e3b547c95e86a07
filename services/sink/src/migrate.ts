import { fileURLToPath } from 'node:url';
import { createLogger, settingsOrExit, sleep, systemClock } from '@volley/runtime';
import { createClickHouseMigrationTarget, migrationFiles } from './adapters/migrator-clickhouse.ts';
import { sinkGroup } from './adapters/sink-group.ts';
import { MIGRATION_SETTINGS } from './config.ts';
import { migrate } from './core/migrations.ts';
import { whyNoStandstill } from './core/standstill.ts';

/** Brings the analytics schema up to date and ends: 0 done (or nothing to do), 1 failed. Can be run again at any time. */
const settings = settingsOrExit(MIGRATION_SETTINGS, process.env, process.argv);
const log = createLogger('sink-migrate', settings.logLevel);
const folder = fileURLToPath(new URL('../sql', import.meta.url));
const { clickhouseUrl: url, clickhouseDatabase: database, clickhouseCluster: cluster } = settings;
const { kafkaBrokers: brokers, namespace } = settings;
/** No table, no row that could be missed: the first time needs no log. */
const NO_GROUP = { members: [], planned: [] };

try {
  const target = createClickHouseMigrationTarget({ url, database, cluster });
  await target.prepare();
  const result = await migrate(target, await migrationFiles(folder), (isUpdate) =>
    whyNoStandstill(
      async () => ({
        ...(isUpdate ? await sinkGroup({ brokers, namespace }) : NO_GROUP),
        inserts: await target.inserts(),
      }),
      {
        monotonicMs: () => systemClock.monotonicMs(),
        sleep,
        onWait: (why) => log.warn({ database }, `waiting: ${why}`),
      },
    ),
  );
  if (result.ok) {
    log.info({ database, applied: result.applied }, 'analytics schema is up to date');
  } else {
    for (const error of result.errors) log.error({ database }, error);
    process.exitCode = 1;
  }
  await target.close();
} catch (error) {
  log.error({ database, err: error }, 'analytics schema could not be migrated');
  process.exitCode = 1;
}
