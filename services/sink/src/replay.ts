import { constants, setPriority } from 'node:os';
import { createReplayLeases, type HeldReplay } from '@volley/contract/replays';
import {
  backoffMs,
  createFailpoints,
  createLifecycle,
  createLogger,
  createMetrics,
  giveBackIdleMemory,
  settingsOrExit,
  sleep,
  startAdminServer,
  systemClock,
} from '@volley/runtime';
import { createReplayStore } from './adapters/replay-store.ts';
import { batchLimits, REPLAY_SETTINGS } from './config.ts';
import { CATALOGUE, REPLAY_CATALOGUE } from './metrics.ts';

/** A job waits for this at most; one look is one row by an index. */
const LOOK_EVERY_MS = 1_000;
/** Tables from before a swap are looked for this often. */
const SWEEP_EVERY_MS = 3_600_000;
const SESSION_MS = 10_000;
const DAY_MS = 86_400_000;

const settings = settingsOrExit(REPLAY_SETTINGS, process.env, process.argv);
const log = createLogger('sink-replay', settings.logLevel);
const lifecycle = createLifecycle(log, settings.drainMs + 12_000);
giveBackIdleMemory();
const { m: metrics, registry: metricsRegistry } = createMetrics(REPLAY_CATALOGUE);
if (settings.clickhouseCluster !== '') {
  // An exchange is one step on one server; on several it is as many, and what holds between them has not been shown.
  log.fatal('replays rebuild the tables of one server: VOLLEY_CLICKHOUSE_CLUSTER is set');
  process.exit(2);
}
const clientId = `${settings.namespace}-sink-replay-${settings.slot}`;
const { clickhouseUrl: url, clickhouseDatabase: database } = settings;
const store = createReplayStore({ url: settings.postgresUrl, applicationName: clientId });
lifecycle.add({ name: 'postgres', stop: () => store.close() });
// Told apart from another process of this slot by the fence; the pid is for whoever reads the row.
const leases = createReplayLeases(store.query, {
  owner: `${clientId}/${process.pid}`,
  monotonicMs: () => systemClock.monotonicMs(),
});
const failpoints = createFailpoints(settings.failpoints);
const stopping = new AbortController();
const nowMs = () => systemClock.now();

let problem: string | undefined = 'Postgres has not been asked yet';
const admin = await startAdminServer({
  host: settings.adminHost,
  port: settings.adminPort,
  registry: metricsRegistry,
  ready: () => (lifecycle.stopping() ? ['stopping'] : problem === undefined ? [] : [problem]),
});
lifecycle.add({ name: 'admin', stop: () => admin.close() });

const waitBefore = (attempt: number) =>
  backoffMs(Math.min(attempt, 30), settings.retryBaseMs, settings.retryCapMs, Math.random());

/** What reads, decodes and inserts, loaded for the first job and not before. */
async function load() {
  const { groupsOf, topicsOf } = await import('@volley/contract');
  const { createRegistry } = await import('@volley/contract/registry');
  const { createKafkaClient } = await import('@volley/stream/kafka');
  const { createDeadLetters } = await import('./adapters/dead-letters.ts');
  const { createLog } = await import('./adapters/log.ts');
  const { createComparing } = await import('./adapters/replay-comparing-clickhouse.ts');
  const { createReplayTables, openReplayClient } = await import('./adapters/replay-tables-clickhouse.ts');
  const { createClickHouseRowStore } = await import('./adapters/row-store-clickhouse.ts');
  const { createSchemas } = await import('./adapters/schemas.ts');
  const { COLUMNS } = await import('./core/to-row.ts');
  const { work } = await import('./replay-worker.ts');

  // Live traffic comes first where there is not enough for both.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const { monotonicMs } = systemClock;
  const topics = topicsOf(settings.namespace);
  const stream = createKafkaClient({
    brokers: settings.kafkaBrokers,
    clientId,
    log: (level, text, fields) => log[level]({ kafka: fields }, text),
  });
  const producer = await stream.producer({ clientId: `${clientId}-dead-letters` });
  const ch = openReplayClient({ url, database });
  const stores = new Map<string, ReturnType<typeof createClickHouseRowStore>>();
  const storeOf = (suffix: string) => {
    const { insertTimeoutMs, maxInserts } = settings;
    const opened =
      stores.get(suffix) ??
      createClickHouseRowStore({
        url,
        database,
        columns: COLUMNS,
        insertTimeoutMs,
        maxOpenConnections: maxInserts + 2,
        suffix,
      });
    stores.set(suffix, opened);
    return opened;
  };
  const adminClient = await stream.admin();
  const cluster = await adminClient.clusterId();
  await adminClient.close();
  const registry = createRegistry({ url: settings.registryUrl, clientId, nowMs: monotonicMs });
  const deps = {
    leases,
    stream,
    topic: topics.deliveries,
    deadLetterTopic: topics.deliveriesDlq,
    sinkGroup: groupsOf(settings.namespace).sink,
    groupPrefix: `${settings.namespace}.replay-`,
    clientId,
    cluster,
    tables: (shortId: string) => createReplayTables(ch, shortId, nowMs),
    comparing: (shortId: string) => createComparing(ch, shortId, nowMs),
    store: storeOf,
    deadLetters: createDeadLetters({ producer, log }),
    schemas: createSchemas({ store: registry.store, nowMs: monotonicMs }),
    log: createLog(stream, topics.deliveries),
    limits: batchLimits(settings),
    sessionMs: SESSION_MS,
    queueBytes: settings.queueBytes,
    drainMs: settings.drainMs,
    graceMs: settings.replayKeepDays * DAY_MS,
    clock: systemClock,
    waitBefore,
    sleep,
    failpoints,
    metrics: sinkMetrics(),
    logger: log,
  };
  return {
    run: (held: HeldReplay) => work(held, deps, stopping.signal),
    async close() {
      await producer.close();
      await stream.close();
      await ch.close();
      for (const opened of stores.values()) await opened.close();
    },
  };
}

/** The sink's code counts for itself here: nobody shall take rows of a replay for rows of the sinks. */
function sinkMetrics() {
  const { m } = createMetrics(CATALOGUE, false);
  return { ...m, rows: metrics.replayRows };
}

let loaded: ReturnType<typeof load> | undefined;
async function take(held: HeldReplay): Promise<void> {
  const { replay_id, fence } = { replay_id: held.job.replay_id, fence: held.fence };
  log.info({ replay_id, fence, undo: held.job.undo_requested }, 'replay claimed');
  metrics.replaysHeld.set(1);
  try {
    loaded ??= load();
    await (await loaded).run(held);
  } catch (error) {
    // What could not be loaded is tried again; the job is another one's after its lease, or ours once more.
    loaded = undefined;
    log.error({ replay_id, err: error }, 'the replay was left');
    await leases.release(held).catch(() => {});
    await sleep(waitBefore(5), stopping.signal);
  } finally {
    metrics.replaysHeld.set(0);
  }
}

const ALIVE = `SELECT replay_id FROM replays
  WHERE target = 'analytics' AND (status IN ('pending', 'running', 'paused') OR undo_requested)`;

async function sweepOnce(): Promise<void> {
  const { openReplayClient, createReplayTables } = await import('./adapters/replay-tables-clickhouse.ts');
  const { besideIn, shortIdOf } = await import('./core/replay/tables.ts');
  const { sweep } = await import('./replay-sweep.ts');
  const ch = openReplayClient({ url, database });
  let names = 0;
  const mine = `s${Date.now().toString(36)}${process.pid.toString(36)}`;
  try {
    await sweep(
      {
        found: async () => besideIn(await ch.found()),
        async alive() {
          const rows = await store.query<{ replay_id: string }>(ALIVE, []);
          return new Set(rows.map(({ replay_id }) => shortIdOf(replay_id)));
        },
        tables: (shortId) => createReplayTables(ch, shortId, nowMs),
        nextName: (shortId) => `${shortId}_${mine}_${names++}`,
        clock: systemClock,
        sleep,
        logger: log,
      },
      stopping.signal,
    );
  } finally {
    await ch.close();
  }
}

let sweptAtMs = systemClock.monotonicMs();
async function look(): Promise<void> {
  while (!stopping.signal.aborted) {
    let held: HeldReplay | undefined;
    try {
      held = await leases.claim(['analytics']);
      problem = undefined;
    } catch (error) {
      if (problem === undefined) log.warn({ err: error }, 'Postgres does not answer: waiting');
      problem = 'Postgres does not answer';
    }
    if (held !== undefined) await take(held);
    else if (systemClock.monotonicMs() - sweptAtMs > SWEEP_EVERY_MS) {
      sweptAtMs = systemClock.monotonicMs();
      await sweepOnce().catch((error) => log.warn({ err: error }, 'tables from before a swap could not be looked for'));
    } else await sleep(LOOK_EVERY_MS, stopping.signal);
  }
}

const looking = look();
lifecycle.add({
  name: 'replay',
  async stop() {
    stopping.abort();
    await looking;
    await (await loaded?.catch(() => undefined))?.close();
  },
});
log.info({ admin: `http://${settings.adminHost}:${admin.port}` }, 'waiting for replays');
