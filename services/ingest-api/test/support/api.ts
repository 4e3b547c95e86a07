import { randomBytes } from 'node:crypto';
import { createDecoder, topicsOf } from '@volley/contract';
import type { Provider } from '@volley/contract/providers';
import { createMetrics, type Failpoints, systemClock } from '@volley/runtime';
import { type StreamProducer, StreamUnavailable } from '@volley/stream';
import { v7 } from 'uuid';
import { createKeyCheck } from '../../src/adapters/http/auth.ts';
import { createHandlers } from '../../src/adapters/http/handlers.ts';
import { startHttp } from '../../src/adapters/http/server.ts';
import { openApiDocument } from '../../src/adapters/openapi.ts';
import { createCampaignStore } from '../../src/adapters/postgres/campaign-store.ts';
import { createContactStore } from '../../src/adapters/postgres/contact-store.ts';
import { createDirectStore } from '../../src/adapters/postgres/direct-store.ts';
import type { Pool } from '../../src/adapters/postgres/pool.ts';
import { createFrozenRecipients, createProgressReader } from '../../src/adapters/postgres/progress-store.ts';
import type { Analytics } from '../../src/analytics-ports.ts';
import type { AuditDesk } from '../../src/audit-ports.ts';
import { TENANT } from '../../src/commands.ts';
import { campaignView } from '../../src/core/campaign-record.ts';
import { parseSegment } from '../../src/core/segment.ts';
import type { DeadLetterDesk } from '../../src/dead-letter-ports.ts';
import { createDirect, createRedo } from '../../src/direct.ts';
import type { LaneLog } from '../../src/direct-ports.ts';
import type { Freshness } from '../../src/freshness.ts';
import { createMessageBodies } from '../../src/message-bodies.ts';
import type { RecordFinder } from '../../src/message-body-ports.ts';
import { createMessageReads } from '../../src/messages.ts';
import { metricCatalogue } from '../../src/metrics.ts';
import type { Overview } from '../../src/overview-ports.ts';
import { type Common, commandSide, readSide } from '../../src/pipeline.ts';
import { StoreUnavailable } from '../../src/ports.ts';
import type { ReplayDesk } from '../../src/replay-ports.ts';
import { createReports } from '../../src/reports.ts';
import { inert } from './database.ts';
import { createTestSchemas, encoderOf, silent } from './log.ts';

export const KEY = 'test-key';

/** ClickHouse away: the counts must not need it. */
const away = () => Promise.reject(new StoreUnavailable('clickhouse', 'away'));
export const absentAnalytics: Analytics = {
  percentiles: away,
  span: away,
  series: away,
  histogram: away,
  failures: away,
  states: away,
  queued: away,
  directState: away,
  directPlaces: away,
  directStates: away,
  timeline: away,
};

/** Nothing is known of the log. */
export const noLanes: LaneLog = {
  backlog: async () => undefined,
  endsAt: () => ({}),
  saw: () => {},
  whichOf: async () => new Set(),
};
const absentProducer: Pick<StreamProducer, 'send'> = {
  send: () => Promise.reject(new StreamUnavailable('away')),
};

export const absentDeadLetters: DeadLetterDesk = {
  list: away,
  show: away,
  ask: away,
  redrives: away,
  redrive: away,
  cancel: away,
};

const absentReplays: ReplayDesk = { ask: away, list: away, find: away, act: away };

const absentAuditor: AuditDesk = { campaign: away, all: away };

export const providers: readonly Provider[] = [
  { name: 'simulated', channel: 'simulated', url: 'simulated:' },
  { name: 'mail', channel: 'smtp', url: 'smtp://127.0.0.1:25' },
  { name: 'hook', channel: 'webhook', url: 'https://127.0.0.1:9/', secret: 'whsec_abc' },
];

export function commonParts(): Common {
  const { m } = createMetrics(metricCatalogue, false);
  const nothing = () => {};
  return {
    clock: systemClock,
    log: silent,
    metric: m,
    failpoints: inert,
    topics: topicsOf('t'),
    partitions: 3,
    providers,
    wakeRelay: nothing,
    wakeFanout: nothing,
    wakeProgress: nothing,
    wakeRedrive: nothing,
  };
}

export const identity = { random: (n: number) => randomBytes(n), newEventId: () => v7() };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at whatever came
  readonly body: any;
}

/** The HTTP side on a real Postgres, without log and analytics. */
export async function startTestApi(
  pool: Pool,
  o: {
    failpoints?: Failpoints;
    analytics?: Analytics;
    freshness?: Pick<Freshness, 'look' | 'countedUntil'>;
    deadLetters?: DeadLetterDesk;
    producer?: Pick<StreamProducer, 'send'>;
    lanes?: LaneLog;
    overview?: Overview;
    auditor?: AuditDesk;
    replays?: ReplayDesk;
    find?: RecordFinder;
    redoMs?: number;
    roomWaitMs?: number;
  } = {},
) {
  const common = commonParts();
  const store = createCampaignStore(pool, o.failpoints ?? inert);
  const contacts = createContactStore(pool);
  const analytics = o.analytics ?? absentAnalytics;
  const { commands, imports } = commandSide(common, { store, contacts, ...identity });
  const live = { tallies: () => new Map(), countedTo: () => new Map() };
  const freshness = o.freshness ?? { look: async () => {}, countedUntil: () => null };
  const progress = { progress: createProgressReader(pool), live, freshness };
  const reads = readSide(common, { store, contacts, ...progress, analytics });
  const directDeps = {
    ...common,
    ...identity,
    ...{ failpoints: o.failpoints ?? inert, campaigns: store, contacts, commands, backlogMark: 1_000 },
    store: createDirectStore(pool, o.failpoints ?? inert, o.redoMs),
    producer: o.producer ?? absentProducer,
    encode: encoderOf('Message'),
    lanes: o.lanes ?? noLanes,
    ...(o.roomWaitMs === undefined ? {} : { roomWaitMs: o.roomWaitMs }),
  };
  const schemas = createTestSchemas();
  const { handlers, closeStreams } = createHandlers({
    tenant: TENANT,
    commands,
    imports,
    reads,
    store,
    contacts,
    reports: createReports({ ...systemClock, store, figures: analytics }),
    messages: createMessageReads({
      ...systemClock,
      ...{ store, contacts, index: analytics, frozen: createFrozenRecipients(pool) },
    }),
    bodies: createMessageBodies({
      ...{ store, frozen: createFrozenRecipients(pool), index: analytics, providers },
      ...{ decode: createDecoder('Message', schemas), loadSchema: (id: number) => schemas.load(id) },
      find: o.find ?? (async () => 'absent'),
    }),
    providers,
    view: campaignView,
    parseSegment,
    direct: createDirect(directDeps),
    deadLetters: o.deadLetters ?? absentDeadLetters,
    auditor: o.auditor ?? absentAuditor,
    replays: o.replays ?? absentReplays,
    overview: o.overview ?? (async () => undefined),
    openApi: openApiDocument(),
    streams: () => {},
  });
  const server = await startHttp({
    host: '127.0.0.1',
    port: 0,
    handlers,
    allowed: createKeyCheck([KEY]),
    log: silent,
    answered: () => {},
    stopping: () => false,
  });
  const origin = `http://127.0.0.1:${server.port}`;

  async function call(
    method: string,
    path: string,
    o: { json?: unknown; body?: string | Uint8Array | ReadableStream; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const headers: Record<string, string> = { authorization: `Bearer ${KEY}`, ...o.headers };
    if (o.json !== undefined) headers['content-type'] ??= 'application/json';
    const body = o.json === undefined ? o.body : JSON.stringify(o.json);
    const response = await fetch(`${origin}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: body as never, duplex: 'half' }),
    } as RequestInit);
    const text = await response.text();
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      // Not every answer is JSON.
    }
    return { status: response.status, headers: response.headers, text, body: parsed };
  }

  return {
    port: server.port,
    origin,
    call,
    commands,
    redo: createRedo(directDeps),
    forget: () => directDeps.store.forget(),
    importContacts: (rows: readonly object[]) =>
      call('POST', '/v1/contacts/import', {
        headers: { 'content-type': 'application/x-ndjson' },
        body: rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
      }),
    async create(json: Record<string, unknown> = {}): Promise<string> {
      const answer = await call('POST', '/v1/campaigns', { json: { name: 'Test', template: 'Hi {{name}}', ...json } });
      if (answer.status !== 201) throw new Error(`create: ${answer.status} ${answer.text}`);
      return answer.body.campaign_id;
    },
    async stop() {
      closeStreams();
      await server.stop(1_000);
    },
  };
}
export type TestApi = Awaited<ReturnType<typeof startTestApi>>;
