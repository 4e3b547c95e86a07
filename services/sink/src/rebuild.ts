import { createLogger, settingsOrExit, sleep, systemClock } from '@volley/runtime';
import { createClickHouseRebuildTarget } from './adapters/rebuild-clickhouse.ts';
import { sinkGroup } from './adapters/sink-group.ts';
import { MIGRATION_SETTINGS } from './config.ts';
import { rebuild } from './core/rebuild.ts';
import { whyNoStandstill } from './core/standstill.ts';

/**
 * Makes the rollups and lists again from the raw rows and ends: 0 done, 1 not. Every sink is stopped before (SIGTERM) and
 * started after; it can be run again at any time. `--discard-older`: also when that loses what raw no longer holds.
 */
const settings = settingsOrExit(MIGRATION_SETTINGS, process.env, process.argv);
const log = createLogger('sink-rebuild', settings.logLevel);
const { clickhouseUrl: url, clickhouseDatabase: database, clickhouseCluster: cluster } = settings;
const { kafkaBrokers: brokers, namespace } = settings;

try {
  const target = createClickHouseRebuildTarget({ url, database, cluster });
  const why = await whyNoStandstill(
    async () => ({ ...(await sinkGroup({ brokers, namespace })), inserts: await target.inserts() }),
    { monotonicMs: () => systemClock.monotonicMs(), sleep, onWait: (why) => log.warn({ database }, `waiting: ${why}`) },
  );
  const result =
    why === undefined
      ? await rebuild(target, { discardOlder: process.argv.includes('--discard-older') })
      : ({ ok: false, error: why } as const);
  await target.close();
  if (result.ok) {
    const { tables, days, rows } = result;
    log.info({ database, tables, days, rows }, 'rollups and lists were made again from the raw rows');
  } else {
    log.error({ database }, result.error);
    process.exitCode = 1;
  }
} catch (error) {
  log.error({ database, err: error }, 'rollups and lists could not be made again');
  process.exitCode = 1;
}
