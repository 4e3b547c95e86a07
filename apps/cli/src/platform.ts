import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildConsole } from '@volley/console/build';
import {
  type RunningStack,
  type StackOptions,
  type SupervisedService,
  startStack,
  superviseService,
} from '@volley/local-stack';
import { NODE_ARGS } from '@volley/runtime/node-args';
import { repository } from './places.ts';
import { createPortPicker } from './ports.ts';
import { superviseReplays } from './replay-processes.ts';
import { setUp } from './setup.ts';
import type { StackFile } from './stack-file.ts';

export type ServiceName = 'ingest-api' | 'dispatcher' | 'sink';

export interface PlatformOptions
  extends Pick<StackOptions, 'root' | 'dataDir' | 'logDir' | 'cacheDir' | 'log' | 'onCrash' | 'ports'> {
  /** Free ports for everything; otherwise the contract's, or the next free ones. */
  readonly anyPorts?: boolean;
  readonly external?: NonNullable<StackOptions['external']>;
  /** Added to every service's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Added to one service's environment (tests: failpoints). Read again at each start of the service. */
  readonly serviceEnv?: Partial<Record<ServiceName, Readonly<Record<string, string | undefined>>>>;
  readonly dispatchers?: number;
  readonly sinks?: number;
  /** Builds the console when it has changed, and serves it. Default false. */
  readonly console?: boolean;
  /** Default true: the processes that do replays. */
  readonly replays?: boolean;
  readonly signal?: AbortSignal;
  /** A pid changed: a service was started again. */
  readonly onChange?: () => void;
  /** Default true: a service that dies is started again. */
  readonly restart?: boolean;
}

export interface Platform {
  readonly stack: RunningStack;
  /** What `.volley/stack.json` says, as of now. */
  describe(): StackFile;
  /** Milliseconds: stores, setup, services. */
  readonly timings: Readonly<Record<string, number>>;
  readonly services: readonly { service: ServiceName; handle: SupervisedService; admin: string }[];
  stop(): Promise<void>;
}

/** The development key: made once per data folder, kept with the data, mode 600. */
function developmentKey(dataDir: string): string {
  const path = join(dataDir, 'api-key');
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  const key = `vly_dev_${randomBytes(24).toString('hex')}`;
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(path, `${key}\n`, { mode: 0o600 });
  return key;
}

/** The development key, beside those that the user has given. */
function apiKeys(developmentKey: string): string {
  const { VOLLEY_API_KEYS: given, VOLLEY_API_KEYS_FILE: file } = process.env;
  const own = given || (file ? readFileSync(file, 'utf8').trim() : '');
  return own ? `${own},${developmentKey}` : developmentKey;
}

async function answersReady(admin: string): Promise<boolean> {
  const response = await fetch(`${admin}/readyz`, { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.ok;
}

/** Stores, set-up, then the services side by side. Rejects with everything stopped again when a part cannot start. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const startedMs = performance.now();
  const timings: Record<string, number> = {};
  const services: { service: ServiceName; handle: SupervisedService; admin: string }[] = [];
  let replays: SupervisedService[] = [];
  const pids = new Map<string, number>();
  const { signal } = options;
  // Made while the stores start, when something of it has changed: a second or two.
  const given = options.env?.VOLLEY_CONSOLE_DIR ?? process.env.VOLLEY_CONSOLE_DIR;
  const built = options.console
    ? given === undefined
      ? buildConsole().catch((error: Error) => void options.log(`the console cannot be built: ${error.message}`))
      : given
    : undefined;
  const stack = await startStack(options);
  timings.stores = performance.now() - startedMs;

  const stop = async () => {
    // Replays go on from where they are. ingest-api before the others (nothing new comes in), then the dispatcher, the sink
    // last: what is on its way gets as far as it can.
    await Promise.all(replays.map((handle) => handle.stop()));
    for (const name of ['ingest-api', 'dispatcher', 'sink']) {
      await Promise.all(services.filter((s) => s.service === name).map((s) => s.handle.stop()));
    }
    await stack.stop();
  };

  try {
    const apiKey = developmentKey(options.dataDir);
    const pick = createPortPicker(options.anyPorts ?? false);
    const setUpStartMs = performance.now();
    const namespace = options.env?.VOLLEY_NAMESPACE ?? process.env.VOLLEY_NAMESPACE ?? 'volley';
    const partitions = options.env?.VOLLEY_PARTITIONS ?? process.env.VOLLEY_PARTITIONS ?? '12';
    const env: Record<string, string | undefined> = {
      ...process.env,
      VOLLEY_KAFKA_BROKERS: stack.addresses.kafka,
      VOLLEY_REGISTRY_URL: stack.addresses.registry,
      VOLLEY_POSTGRES_URL: stack.addresses.postgres,
      VOLLEY_CLICKHOUSE_URL: stack.addresses.clickhouse,
      VOLLEY_NAMESPACE: namespace,
      VOLLEY_PARTITIONS: partitions,
      ...options.env,
      VOLLEY_PARENT_IPC: undefined,
    };
    await setUp({
      kafkaBrokers: stack.addresses.kafka,
      registryUrl: stack.addresses.registry,
      namespace,
      partitions: Number(partitions),
      env: env as NodeJS.ProcessEnv,
    });
    timings.setup = performance.now() - setUpStartMs;
    signal?.throwIfAborted();

    const servicesStartMs = performance.now();
    const consoleDir = await built;
    const adminPort = Number(process.env.VOLLEY_ADMIN_PORT ?? 9464);
    const httpPort = await pick(Number(process.env.VOLLEY_HTTP_PORT ?? 8080));
    const api = `http://127.0.0.1:${httpPort}`;
    const plan: { service: ServiceName; slot: number; port: number; env: Record<string, string | undefined> }[] = [
      {
        service: 'ingest-api',
        slot: 0,
        port: await pick(adminPort),
        env: {
          VOLLEY_HTTP_PORT: String(httpPort),
          VOLLEY_API_KEYS: apiKeys(apiKey),
          VOLLEY_API_KEYS_FILE: undefined,
          VOLLEY_CONSOLE_DIR: consoleDir || '',
        },
      },
    ];
    for (let slot = 0; slot < (options.dispatchers ?? 1); slot++)
      plan.push({ service: 'dispatcher', slot, port: await pick(slot === 0 ? adminPort + 1 : adminPort + 6), env: {} });
    for (let slot = 0; slot < (options.sinks ?? 1); slot++)
      plan.push({ service: 'sink', slot, port: await pick(slot === 0 ? adminPort + 2 : adminPort + 16), env: {} });

    const onPid = (name: string, pid: number) => {
      const restarted = pids.has(name);
      pids.set(name, pid);
      if (restarted) options.onChange?.();
    };
    const restart = options.restart ?? true;
    await Promise.all(
      plan.map(async ({ service, slot, port, env: own }) => {
        const name = slot === 0 ? service : `${service}-${slot}`;
        const admin = `http://127.0.0.1:${port}`;
        const handle = await superviseService({
          name,
          command: process.execPath,
          args: [...NODE_ARGS, join(repository, 'services', service, 'src', 'main.ts')],
          env: {
            ...env,
            ...own,
            ...options.serviceEnv?.[service],
            VOLLEY_ADMIN_PORT: String(port),
            VOLLEY_SLOT: String(slot),
          },
          logFile: join(options.logDir, `${name}.log`),
          cwd: repository,
          ready: () => answersReady(admin),
          restart,
          onPid: (pid) => onPid(name, pid),
          log: options.log,
          stopGraceMs: 20_000,
        });
        services.push({ service, handle, admin });
        options.log(`${name} ready (${admin})`);
      }),
    );
    const { logDir, log } = options;
    const envOf = (service: ServiceName) => ({ ...env, ...options.serviceEnv?.[service] });
    if (options.replays ?? true) replays = await superviseReplays({ env: envOf, logDir, restart, onPid, log });
    timings.services = performance.now() - servicesStartMs;
    timings.total = performance.now() - startedMs;

    const several = <T>(values: T[]): T | T[] => (values.length === 1 ? (values[0] as T) : values);
    const of = (service: ServiceName) =>
      services.filter((s) => s.service === service).sort((a, b) => a.handle.name.localeCompare(b.handle.name));
    return {
      stack,
      timings,
      services,
      stop,
      describe: () => ({
        api,
        console: consoleDir ? api : null,
        ...stack.addresses,
        api_key: apiKey,
        admin: Object.fromEntries(
          (['ingest-api', 'dispatcher', 'sink'] as const).map((s) => [s, several(of(s).map((x) => x.admin))]),
        ),
        pids: {
          ...stack.pids,
          ...Object.fromEntries(
            (['ingest-api', 'dispatcher', 'sink'] as const).map((s) => [
              s,
              several(of(s).map((x) => pids.get(x.handle.name) ?? 0)),
            ]),
          ),
          ...Object.fromEntries(replays.map(({ name }) => [name, pids.get(name) ?? 0])),
        },
        supervisor_pid: process.pid,
      }),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
