import { randomBytes } from 'node:crypto';
import { createDecoder, createEncoder, groupsOf, topicsOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { createReplayLeases, type Query } from '@volley/contract/replays';
import {
  createFailpoints,
  createLifecycle,
  createLogger,
  createMetrics,
  giveBackIdleMemory,
  settingsOrExit,
  startAdminServer,
  systemClock,
} from '@volley/runtime';
import { createConsumerLoop } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import { v7 } from 'uuid';
import { createAnalytics } from './adapters/clickhouse/analytics.ts';
import { createAuditReader } from './adapters/clickhouse/audit.ts';
import { createDeadLetterIndex } from './adapters/clickhouse/dead-letters.ts';
import { createRehearsalReader } from './adapters/clickhouse/rehearsals.ts';
import { createKeyCheck } from './adapters/http/auth.ts';
import { createConsole } from './adapters/http/console.ts';
import { createHandlers } from './adapters/http/handlers.ts';
import { startHttp } from './adapters/http/server.ts';
import { type RoleLoop, startLoop } from './adapters/loop.ts';
import { openApiDocument } from './adapters/openapi.ts';
import { isOutage, untilThere } from './adapters/outage.ts';
import { createAuditStore } from './adapters/postgres/audit-store.ts';
import { createCampaignStore, forgetOldKeys } from './adapters/postgres/campaign-store.ts';
import { createContactStore } from './adapters/postgres/contact-store.ts';
import { createDirectStore } from './adapters/postgres/direct-store.ts';
import { createDispatcherReader } from './adapters/postgres/dispatchers.ts';
import { createFanoutStore } from './adapters/postgres/fanout-store.ts';
import { createLeases } from './adapters/postgres/leases.ts';
import { missingMigrations } from './adapters/postgres/migrations.ts';
import { createOutbox } from './adapters/postgres/outbox.ts';
import { ask as askPool, createPool } from './adapters/postgres/pool.ts';
import {
  createFrozenRecipients,
  createProgressReader,
  createProgressStore,
} from './adapters/postgres/progress-store.ts';
import { createRedriveJobs, createRedriveStore, forgetOldMarks } from './adapters/postgres/redrive-store.ts';
import { forgetAudience } from './adapters/postgres/rehearsal-store.ts';
import { createReplayStore } from './adapters/postgres/replay-store.ts';
import { holdSlot, slotTaken } from './adapters/postgres/slot-lock.ts';
import { readProvidersFile } from './adapters/providers-file.ts';
import { createAuditRole } from './audit-role.ts';
import { TENANT } from './commands.ts';
import { settingsTable } from './config.ts';
import { campaignView } from './core/campaign-record.ts';
import { parseSegment } from './core/segment.ts';
import { createVersionWatch } from './core/version-watch.ts';
import { DIRECT_DEADLINE_MS as deadlineMs, directLater } from './direct.ts';
import { createFreshness } from './freshness.ts';
import { createLetterReader } from './letters.ts';
import { createMessageBodies } from './message-bodies.ts';
import { createMessageReads } from './messages.ts';
import { metricCatalogue } from './metrics.ts';
import { createOverview } from './overview.ts';
import {
  auditSide,
  type Common,
  commandSide,
  deadLetterSide,
  directSide,
  fanoutSide,
  progressSide,
  readSide,
  redriveSide,
  relaySide,
  replaySide,
} from './pipeline.ts';
import type { LiveProgress, Round } from './ports.ts';
import { createQueueAges } from './queue-ages.ts';
import { createReadiness } from './readiness.ts';
import { createRecordFinder } from './record-finder.ts';
import { rehearsalSide } from './rehearsal-role.ts';
import { createCampaignReader } from './relay.ts';
import { createReports } from './reports.ts';

const FORGET_KEYS_EVERY_MS = 3_600_000;
/** A predecessor that was killed is gone when Postgres has seen its connection end: at once, unless the network hides it. */
const SLOT_WAIT_MS = 5_000;
const ROLES = ['http', 'relay', 'fanout', 'progress', 'redrive', 'rehearsal', 'audit'] as const;
type RoleName = Exclude<(typeof ROLES)[number], 'http'>;
const s = settingsOrExit(settingsTable, process.env, process.argv);
const log = createLogger('ingest-api', s.logLevel);
const lifecycle = createLifecycle(log, s.graceMs);
giveBackIdleMemory();
const { m: metric, registry: metricsRegistry } = createMetrics(metricCatalogue);
const has = (role: (typeof ROLES)[number]) => s.roles.includes(role);

function refuse(why: string): never {
  process.stderr.write(`config: ${why}\n`);
  process.exit(2);
}
for (const role of s.roles)
  if (!(ROLES as readonly string[]).includes(role)) refuse(`VOLLEY_ROLES: ${role} is not one of ${ROLES.join(', ')}`);

const providers = readProvidersFile(s.providersFile);
if (!providers.ok) refuse(providers.errors.join('\nconfig: '));

const clientId = `${s.namespace}-ingest-api-${s.slot}`;
const topics = topicsOf(s.namespace);
const failpoints = createFailpoints(s.failpoints);
const inert = createFailpoints(undefined);
const loops: Partial<Record<RoleName | 'direct', RoleLoop>> = {};
const common: Common = {
  clock: systemClock,
  log,
  metric,
  failpoints,
  topics,
  partitions: s.partitions,
  providers: providers.providers,
  wakeRelay: () => loops.relay?.wake(),
  wakeFanout: () => loops.fanout?.wake(),
  wakeProgress: () => loops.progress?.wake(),
  wakeRedrive: () => loops.redrive?.wake(),
};

const poolError = (error: Error) => log.warn({ err: error.message }, 'an idle Postgres connection broke');
const pools = { url: s.postgresUrl, onError: poolError };
const requests = { max: s.postgresConnections, timeoutMs: s.postgresTimeoutMs, forRequests: true };
const pool = createPool({ ...pools, ...requests, applicationName: clientId });
// A flood of requests takes no connection from the roles, which keep what was promised.
const rolePool = createPool({ ...pools, applicationName: `${clientId}-roles`, max: 4, timeoutMs: 5_000 });
lifecycle.add({ name: 'postgres', stop: async () => void (await Promise.all([pool.end(), rolePool.end()])) });

// Nothing connects before it is used: requests are answered also while the log or the registry is away.
const schemas = createRegistry({ url: s.registryUrl, clientId, nowMs: systemClock.monotonicMs });
const client = createKafkaClient({
  brokers: s.kafkaBrokers,
  clientId,
  log: (level, message, fields) => log[level](fields, message),
});
lifecycle.add({ name: 'kafka', stop: () => client.close() });
const freshness = createFreshness({ client, namespace: s.namespace, clock: systemClock });
const clickhouse = { url: s.clickhouseUrl, database: s.clickhouseDatabase, clientId, metric };
const analytics = createAnalytics({ ...clickhouse, ...freshness, monotonicMs: systemClock.monotonicMs });
const index = createDeadLetterIndex(clickhouse);
const auditReader = createAuditReader(clickhouse);
const rehearsals = createRehearsalReader(clickhouse);
const readers = [analytics, index, auditReader, rehearsals];
lifecycle.add({ name: 'clickhouse', stop: async () => void (await Promise.all(readers.map((of) => of.close()))) });
const kept = { groupId: groupsOf(s.namespace).sink, keptDays: s.auditMaxAgeDays };
const auditorOn = auditSide(common, { ...kept, reader: auditReader, client, isOutage });
const letters = {
  index,
  read: createLetterReader(client, topics.dlq),
  decode: createDecoder('Message', schemas.store),
  loadSchema: (id: number) => schemas.store.load(id),
};

const identity = { random: (n: number) => randomBytes(n), newEventId: () => v7() };
const notReady = new Set(s.roles.filter((role) => role !== 'http'));
let live: LiveProgress = { tallies: () => new Map(), countedTo: () => new Map() };
const liveNow: LiveProgress = { tallies: (id) => live.tallies(id), countedTo: () => live.countedTo() };
let stoppedPartitions = () => 0;

const ready = createReadiness({
  waiting: notReady,
  stopping: () => lifecycle.stopping(),
  stoppedPartitions: () => stoppedPartitions(),
  topic: topics.deliveries,
  askStore: () => pool.query('SELECT 1'),
  missingMigrations: () => missingMigrations(pool),
});
const admin = await startAdminServer({ host: s.adminHost, port: s.adminPort, registry: metricsRegistry, ready });
lifecycle.add({ name: 'admin', stop: () => admin.close() });

/** What needs the log or the registry waits for them; requests are answered meanwhile. */
const whenThere = <T>(what: string, start: () => Promise<T>) => untilThere(log, what, start);

/** Of roles that are asked for by hand, a few times a day. */
const RARE_REST_MS = 2_000;

function runRole(name: RoleName | 'direct', idleMs: number, round: Round, restMs?: number): void {
  loops[name] = startLoop({
    name,
    round,
    idleMs,
    ...(restMs === undefined ? {} : { restMs }),
    log,
    isOutage,
    onError: () => metric.roleErrors.inc({ role: name }),
    fatal: lifecycle.fatal,
  });
  lifecycle.add({ name, stop: async () => loops[name]?.stop() });
  notReady.delete(name);
  log.info({ role: name }, 'role started');
}

if (has('http')) {
  const store = createCampaignStore(pool, failpoints);
  const contacts = createContactStore(pool);
  const { commands, imports } = commandSide(common, { store, contacts, ...identity });
  const progress = { progress: createProgressReader(pool), live: liveNow, freshness };
  const reads = readSide(common, { store, contacts, ...progress, analytics });
  const frozen = createFrozenRecipients(pool);
  const find = createRecordFinder({ ...systemClock, client, topics });
  const desk = { ...letters, tenant: TENANT, jobs: createRedriveJobs(pool), newId: () => v7() };
  const direct = directLater();
  const dispatchers = createDispatcherReader(pool);
  const overview = createOverview({ client, dispatchers, namespace: s.namespace, clock: systemClock });
  const queueAges = createQueueAges(overview, metric, systemClock);
  const replayDeps = { tenant: TENANT, store: createReplayStore(pool), campaigns: store, contacts, client };
  const { replays, countReplays } = replaySide(common, { ...replayDeps, newId: () => v7() });
  setInterval(() => void countReplays().catch(() => {}), 10_000).unref();
  const { handlers, closeStreams } = createHandlers({
    tenant: TENANT,
    commands,
    direct: direct.direct,
    imports,
    reads,
    store,
    contacts,
    reports: createReports({ ...systemClock, store, figures: analytics }),
    messages: createMessageReads({ ...systemClock, store, contacts, frozen, index: analytics }),
    bodies: createMessageBodies({ ...common, ...letters, store, frozen, index: analytics, find }),
    view: campaignView,
    parseSegment,
    deadLetters: deadLetterSide(common, desk),
    auditor: auditorOn(createAuditStore(pool)),
    replays,
    providers: common.providers,
    overview,
    openApi: openApiDocument(),
    streams: (n) => metric.streams.set(n),
  });
  const pages = s.consoleDir === '' ? undefined : createConsole(s.consoleDir);
  if (s.consoleDir !== '' && !pages)
    log.warn({ dir: s.consoleDir }, 'VOLLEY_CONSOLE_DIR has no index.html: there is no console');
  const http = await startHttp({
    host: s.httpHost,
    port: s.httpPort,
    handlers,
    allowed: createKeyCheck(s.apiKeys),
    log,
    answered(operation, status, seconds) {
      metric.requests.inc({ operation, status: `${Math.floor(status / 100)}xx` });
      if (operation !== 'campaignStatsStream') metric.requestSeconds.observe(seconds, { operation });
    },
    stopping: () => lifecycle.stopping(),
    console: pages,
  });
  lifecycle.add({
    name: 'http',
    async stop() {
      closeStreams();
      await http.stop(5_000);
    },
  });
  const startDirect = async () => {
    const named = { clientId: `${clientId}-direct`, deadlineMs };
    const producer = await whenThere('the log', () => client.producer(named));
    const id = await whenThere('schema registry', () => schemas.idOf(topics.messages.transactional, 'Message'));
    const { direct: there, redo } = directSide(common, {
      ...{ ...identity, store: createDirectStore(pool, failpoints), campaigns: store },
      ...{ contacts, commands, client, producer },
      admin: await whenThere('the log', () => client.admin()),
      dispatchers: groupsOf(s.namespace).dispatcher,
      backlogMark: s.backlogMark,
      encode: createEncoder('Message', id),
    });
    direct.ready(there);
    runRole('direct', 5_000, redo);
  };
  void startDirect().catch(lifecycle.fatal);
  const forget = async () => {
    await Promise.all([forgetOldKeys(rolePool), forgetOldMarks(rolePool)]);
    while (await createDirectStore(rolePool, inert).forget());
  };
  setInterval(() => void forget().catch(() => {}), FORGET_KEYS_EVERY_MS).unref();
  setInterval(() => void freshness.look(), 5_000).unref();
  setInterval(() => void queueAges().catch(() => {}), 10_000).unref();
  log.info({ host: s.httpHost, port: http.port, admin_port: admin.port }, 'listening');
}

if (notReady.size > 0) {
  const slot = await whenThere('Postgres', () =>
    holdSlot({ url: s.postgresUrl, clientId, waitMs: SLOT_WAIT_MS, onLost: lifecycle.fatal }),
  );
  if (slot === 'taken') lifecycle.fatal(slotTaken(clientId));
  else lifecycle.add({ name: 'slot', stop: () => slot.release() });
  log.info({ slot: s.slot }, 'the slot is held');
  const leases = createLeases(rolePool, clientId, systemClock);
  const kafkaAdmin = await whenThere('the log', () => client.admin());
  lifecycle.add({ name: 'leases', stop: () => leases.release() });
  const store = createCampaignStore(rolePool, inert);
  const { commands } = commandSide(common, { store, contacts: createContactStore(rolePool), ...identity });
  const encoder = async <N extends 'CampaignEvent' | 'Message' | 'DeliveryEvent'>(topic: string, record: N) =>
    createEncoder(record, await whenThere('schema registry', () => schemas.idOf(topic, record)));

  if (has('progress')) {
    const progress = progressSide(common, {
      store: createProgressStore(rolePool, failpoints),
      client,
      admin: kafkaAdmin,
      commands,
      decode: createDecoder('DeliveryEvent', schemas.store),
      loadSchema: (id) => schemas.store.load(id),
      settle: (tracked) => loop.settle(tracked),
      fatal: lifecycle.fatal,
    });
    const loop = createConsumerLoop({
      client,
      groupId: groupsOf(s.namespace).progress,
      topics: [topics.deliveries],
      clientId: `${clientId}-progress`,
      // Counts are saved once a second: fewer, larger fetches cost the broker and this process less.
      minBytes: 64 * 1024,
      maxWaitMs: 100,
      handler: progress.handler,
    });
    await whenThere('the log', () => loop.start());
    live = progress.live;
    stoppedPartitions = progress.stoppedPartitions;
    runRole('progress', 200, progress.round);
    // The loop stops first: it waits until what it handed over is saved.
    lifecycle.add({ name: 'deliveries', stop: () => loop.stop(5_000) });
  }

  if (has('relay')) {
    const encode = await encoder(topics.campaigns, 'CampaignEvent');
    const producer = await whenThere('the log', () => client.producer({ clientId: `${clientId}-relay` }));
    const watch = createVersionWatch();
    const onRecord = createCampaignReader({
      watch,
      decode: createDecoder('CampaignEvent', schemas.store),
      loadSchema: (id) => schemas.store.load(id),
      behind: common.wakeRelay,
    });
    const follower = await whenThere('the log', () =>
      client.follow({
        topic: topics.campaigns,
        clientId: `${clientId}-relay-reader`,
        onRecord,
        onFatal: lifecycle.fatal,
      }),
    );
    await follower.caughtUp;
    runRole('relay', 200, relaySide(common, { outbox: createOutbox(rolePool), leases, producer, watch, encode }));
  }

  if (has('fanout')) {
    const encode = await encoder(topics.messages.bulk, 'Message');
    const producer = await whenThere('the log', () => client.producer({ clientId: `${clientId}-fanout` }));
    const lane = topics.messages.bulk;
    const { length } = await whenThere('the log', () => kafkaAdmin.logBounds(lane));
    // A partition that is not there would be refused for every message of some campaigns, and of others not.
    if (length < s.partitions)
      lifecycle.fatal(new Error(`VOLLEY_PARTITIONS is ${s.partitions}, and ${lane} has only ${length} partitions`));
    const fanout = fanoutSide(common, {
      store: createFanoutStore(rolePool, clientId, systemClock),
      client,
      admin: kafkaAdmin,
      producer,
      encode,
      backlogMark: s.backlogMark,
      unlimitedWindow: s.unlimitedWindow,
      live: liveNow,
    });
    lifecycle.add({ name: 'fan-out leases', stop: () => fanout.release() });
    runRole('fanout', 100, fanout.round);
  }

  if (has('redrive')) {
    const encode = await encoder(topics.messages.bulk, 'Message');
    const encodeEvent = await encoder(topics.deliveries, 'DeliveryEvent');
    const producer = await whenThere('the log', () => client.producer({ clientId: `${clientId}-redrive` }));
    const of = { owner: clientId, clock: systemClock, failpoints, topic: topics.deliveries };
    const writing = { producer, commands, encode, encodeEvent, frozen: createFrozenRecipients(rolePool) };
    const redrive = redriveSide(common, { ...letters, ...writing, store: createRedriveStore(rolePool, of) });
    lifecycle.add({ name: 'redrive leases', stop: () => redrive.release() });
    runRole('redrive', 100, redrive.round, RARE_REST_MS);
  }

  if (has('rehearsal')) {
    const ask: Query = (sql, params) => askPool(rolePool, sql, params);
    const rehearsal = rehearsalSide(common, {
      ...{ ...identity, store, commands, live: liveNow, progress: createProgressReader(rolePool), reader: rehearsals },
      leases: createReplayLeases(ask, { owner: `${clientId}-rehearsal`, monotonicMs: systemClock.monotonicMs }),
      forgetAudience: (id) => forgetAudience(rolePool, id),
    });
    lifecycle.add({ name: 'rehearsal leases', stop: () => rehearsal.release() });
    runRole('rehearsal', 500, rehearsal.round, RARE_REST_MS);
  }

  if (has('audit')) {
    const when = { hour: s.auditHour, mostCampaigns: s.auditCampaigns, waitMs: s.auditWaitMs, ...kept };
    const audits = createAuditStore(rolePool);
    const auditing = { ...common, ...when, auditor: auditorOn(audits), store: audits, leases, isOutage };
    runRole('audit', 1_000, createAuditRole(auditing));
  }
}
