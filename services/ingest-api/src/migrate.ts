/** Set-up step: brings Postgres to the newest schema. Exit 0 when it is there, 1 when it could not be brought there. */
import { createLogger, settingsOrExit } from '@volley/runtime';
import { migrate } from './adapters/postgres/migrations.ts';
import { settingsTable } from './config.ts';

const settings = settingsOrExit(settingsTable, process.env, process.argv);
const log = createLogger('ingest-api-migrate', settings.logLevel);
try {
  const applied = await migrate(settings.postgresUrl);
  log.info({ applied }, applied.length > 0 ? 'Postgres is migrated' : 'Postgres is current');
} catch (error) {
  log.fatal({ err: error }, 'Postgres could not be migrated');
  process.exitCode = 1;
}
