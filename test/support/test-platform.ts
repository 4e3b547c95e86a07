import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Topics, topicsOf } from '@volley/contract';
import type { Provider } from '@volley/contract/providers';
import type { StreamClient } from '@volley/stream';
import { createKafkaClient } from '@volley/stream/kafka';
import { type Platform, type PlatformOptions, type ServiceName, startPlatform } from '../../apps/cli/src/platform.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { type ClickHouse, createClickHouse } from './clickhouse.ts';
import { type ExtraHow, type ExtraService, startExtraService } from './extra-service.ts';
import { type FreshStores, freshStores, makeTopics } from './fresh-stores.ts';
import { until } from './until.ts';

const SERVICES: readonly ServiceName[] = ['ingest-api', 'dispatcher', 'sink'];

export interface TestPlatform {
  readonly stores: Pick<FreshStores, 'kafka' | 'registry' | 'postgres' | 'namespace' | 'clickhouseDatabase'>;
  readonly topics: Topics;
  readonly api: ApiClient;
  readonly clickhouse: ClickHouse;
  readonly client: StreamClient;
  /** Own folder; what is in it is gone after `stop`. */
  readonly folder: string;
  readonly platform: Platform;
  /** What the simulated provider accepted, a line a call. */
  journal(): string;
  pid(service: ServiceName, slot?: number): number;
  /** A signal to the process itself. Answers the pid that it had. */
  signal(service: ServiceName, name: NodeJS.Signals, slot?: number): number;
  /** SIGKILL, now. Answers the pid that it had. */
  kill(service: ServiceName, slot?: number): number;
  /** How often processes of this service ended, and how, oldest first: `0`, `1` … for codes, or the signal. */
  exits(service: ServiceName): string[];
  /** What `/readyz` says: undefined when it does not answer. */
  readiness(service: ServiceName, slot?: number): Promise<{ ready: boolean; body: string } | undefined>;
  /** `/metrics` as text. */
  metrics(service: ServiceName, slot?: number): Promise<string>;
  /** Resolves when the service runs under another pid than `before` and says that it is ready. */
  untilRestarted(service: ServiceName, before: number, timeoutMs?: number, slot?: number): Promise<void>;
  /** One more process of a service, under this slot; with an API of its own where it is ingest-api. */
  startExtra(service: ServiceName, slot: number, how?: ExtraHow): Promise<ExtraService>;
  /** Starts the service again with this failpoint armed once (`name:action[:n]`); resolves when it is ready. */
  arm(service: ServiceName, failpoint: string): Promise<number>;
  /** Lines that the supervisor and the stores printed, newest last: for the message of a failed test. */
  lines(): string[];
  /** The end of a service's log. */
  logTail(service: ServiceName, lines?: number): string;
  stop(): Promise<void>;
}

export interface TestPlatformOptions {
  readonly providers?: readonly Provider[];
  readonly env?: Readonly<Record<string, string>>;
  /** A Postgres of the test's own, which it may kill; `platform.stack` starts it again. */
  readonly ownPostgres?: boolean;
  /** Brokers of the test's own, in place of the shared one. Topics are made with their replicas. */
  readonly kafka?: { readonly address: string; readonly replicationFactor: number; readonly minInSyncReplicas: number };
  /** A ClickHouse of the test's own, in place of the shared one. */
  readonly clickhouse?: string;
  /** Another address of the same store: a proxy in front of it. Set-up and services use it, the test itself does not. */
  readonly through?: Partial<Record<'registry' | 'postgres' | 'clickhouse', (address: string) => string>>;
  readonly dispatchers?: number;
  readonly sinks?: number;
  readonly partitions?: number;
  /** With the console under `/`. */
  readonly console?: boolean;
  /** With the processes that do replays: two more that start on the same two cores. */
  readonly replays?: boolean;
}

const repository = join(import.meta.dirname, '..', '..');

async function ask(admin: string, path: string): Promise<{ ok: boolean; text: string }> {
  const response = await fetch(`${admin}${path}`, { signal: AbortSignal.timeout(2_000) });
  return { ok: response.ok, text: await response.text() };
}

/** The three services under their supervisor on the shared stores, under names that no other test file uses. */
export async function startTestPlatform(name: string, options: TestPlatformOptions = {}): Promise<TestPlatform> {
  const folder = mkdtempSync(join(tmpdir(), `volley-${name}-`));
  const stores = await freshStores(name, options.kafka?.address, options.clickhouse);
  if (options.kafka !== undefined) await makeTopics(stores, { ...options.kafka, partitions: options.partitions ?? 12 });
  const through = (store: 'registry' | 'postgres' | 'clickhouse') =>
    (options.through?.[store] ?? String)(stores[store]);
  const journalFile = join(folder, 'provider-journal');
  const failpointFile = (service: ServiceName) => join(folder, `${service}.failpoints`);
  const logDir = join(folder, 'logs');
  const lines: string[] = [];
  mkdirSync(logDir, { recursive: true });
  writeFileSync(journalFile, '');
  const env: Record<string, string> = {
    VOLLEY_NAMESPACE: stores.namespace,
    VOLLEY_CLICKHOUSE_DATABASE: stores.clickhouseDatabase,
    VOLLEY_SIMULATED_JOURNAL: journalFile,
    // A machine that stands still for two seconds sends retries to the tiers, where a test would wait a minute for some.
    VOLLEY_RETRY_DELAYS_MS: '1000,2000,3000,3000',
    ...(options.partitions === undefined ? {} : { VOLLEY_PARTITIONS: String(options.partitions) }),
    ...options.env,
  };
  if (options.providers !== undefined) {
    env.VOLLEY_PROVIDERS_FILE = join(folder, 'providers.json');
    writeFileSync(env.VOLLEY_PROVIDERS_FILE, JSON.stringify(options.providers));
  }
  const armed = Object.fromEntries(
    SERVICES.map((service) => [service, { VOLLEY_FAILPOINTS: `@${failpointFile(service)}` }]),
  ) as NonNullable<PlatformOptions['serviceEnv']>;

  let platform: Platform;
  try {
    platform = await startPlatform({
      root: folder,
      dataDir: join(folder, 'data'),
      logDir,
      cacheDir: join(repository, '.volley', 'cache'),
      anyPorts: true,
      external: {
        kafka: stores.kafka,
        registry: through('registry'),
        clickhouse: through('clickhouse'),
        ...(options.ownPostgres ? {} : { postgres: through('postgres') }),
      },
      dispatchers: options.dispatchers ?? 1,
      sinks: options.sinks ?? 1,
      console: options.console ?? false,
      replays: options.replays ?? false,
      env,
      serviceEnv: armed,
      log: (line) => void lines.push(line),
      onCrash: (component) => void lines.push(`${component} died`),
    });
  } catch (error) {
    await stores.drop();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }

  const described = platform.describe();
  const client = createKafkaClient({ brokers: stores.kafka.split(','), clientId: `${stores.namespace}-test` });
  const extras: ExtraService[] = [];
  const found = (service: ServiceName, slot = 0) => {
    const name = slot === 0 ? service : `${service}-${slot}`;
    const one = platform.services.find((s) => s.handle.name === name);
    if (one === undefined) throw new Error(`there is no ${name}`);
    return one;
  };
  const logTail = (service: ServiceName, count = 30) => {
    const path = join(logDir, `${service}.log`);
    return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-count).join('\n') : '';
  };
  const pid = (service: ServiceName, slot = 0) => found(service, slot).handle.pid();
  const signal = (service: ServiceName, name: NodeJS.Signals, slot = 0) => {
    const before = pid(service, slot);
    process.kill(before, name);
    return before;
  };
  const kill = (service: ServiceName, slot = 0) => signal(service, 'SIGKILL', slot);
  const untilRestarted = async (service: ServiceName, before: number, timeoutMs = 30_000, slot = 0) => {
    await until(
      `${service} is ready again`,
      async () => pid(service, slot) !== before && (await ask(found(service, slot).admin, '/readyz')).ok,
      { timeoutMs, seen: () => logTail(service, 10) },
    );
  };

  return {
    // Past the proxies, if there are any: what the test reads is not what it breaks.
    stores: { ...stores, postgres: options.ownPostgres ? platform.stack.addresses.postgres : stores.postgres },
    topics: topicsOf(stores.namespace),
    api: createApiClient(
      () => described.api,
      () => described.api_key,
    ),
    clickhouse: createClickHouse(stores.clickhouse, stores.clickhouseDatabase),
    client,
    folder,
    platform,
    journal: () => readFileSync(journalFile, 'utf8'),
    pid,
    signal,
    kill,
    exits: (service) =>
      lines.flatMap((line) => {
        const ended = new RegExp(`^${service}(?:-\\d+)? ended (?:with code (\\d+)|by (\\w+))`).exec(line);
        return ended === null ? [] : [(ended[1] ?? ended[2]) as string];
      }),
    async readiness(service, slot) {
      const answer = await ask(found(service, slot).admin, '/readyz').catch(() => undefined);
      return answer && { ready: answer.ok, body: answer.text };
    },
    metrics: async (service, slot) => (await ask(found(service, slot).admin, '/metrics')).text,
    untilRestarted,
    async startExtra(service, slot, how = {}) {
      const { kafka, registry, postgres, clickhouse } = platform.stack.addresses;
      const extra = await startExtraService({
        service,
        slot,
        logDir,
        how,
        env: {
          ...env,
          VOLLEY_KAFKA_BROKERS: kafka,
          VOLLEY_REGISTRY_URL: registry,
          VOLLEY_POSTGRES_URL: postgres,
          VOLLEY_CLICKHOUSE_URL: clickhouse,
          VOLLEY_API_KEYS: described.api_key,
        },
        log: (line) => void lines.push(line),
      });
      extras.push(extra);
      return extra;
    },
    async arm(service, failpoint) {
      writeFileSync(failpointFile(service), failpoint);
      await untilRestarted(service, kill(service));
      if (readFileSync(failpointFile(service), 'utf8') !== '')
        throw new Error(`${service} did not take its failpoints from VOLLEY_FAILPOINTS`);
      return pid(service);
    },
    lines: () => lines,
    logTail,
    async stop() {
      await client.close();
      await Promise.all(extras.map((extra) => extra.stop()));
      await platform.stop();
      await stores.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
