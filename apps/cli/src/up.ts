import { mkdirSync } from 'node:fs';
import type { StoreName } from '@volley/local-stack';
import { CliError, printer, printJson } from './output.ts';
import { cacheDir, dataDir, home, logDir } from './places.ts';
import { type Platform, startPlatform } from './platform.ts';
import { readStackFile, removeStackFile, type StackFile, writeStackFile } from './stack-file.ts';

/** Stores whose address is given from outside are not started here. */
function externalStores(): Partial<Record<StoreName, string>> {
  const env = process.env;
  const given: [StoreName, string | undefined][] = [
    ['kafka', env.VOLLEY_KAFKA_BROKERS],
    ['registry', env.VOLLEY_REGISTRY_URL],
    ['postgres', env.VOLLEY_POSTGRES_URL],
    ['clickhouse', env.VOLLEY_CLICKHOUSE_URL],
  ];
  return Object.fromEntries(given.filter(([, address]) => address)) as Partial<Record<StoreName, string>>;
}

/** VOLLEY_KAFKA_PORT and the like: preferred, the next free one is taken when somebody else has it. */
function storePorts(): Partial<Record<StoreName, number>> {
  const ports: Partial<Record<StoreName, number>> = {};
  for (const store of ['kafka', 'registry', 'postgres', 'clickhouse'] as const) {
    const value = process.env[`VOLLEY_${store.toUpperCase()}_PORT`];
    if (value === undefined || value === '') continue;
    const port = Number(value);
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new CliError(`VOLLEY_${store.toUpperCase()}_PORT is not a port`, 2);
    ports[store] = port;
  }
  return ports;
}

function count(name: string): number {
  const value = Number(process.env[name] ?? 1);
  if (!Number.isInteger(value) || value < 1 || value > 64)
    throw new CliError(`${name} is not a number from 1 to 64`, 2);
  return value;
}

/** With the key behind `#`: the page takes it into its session and out of its address; no server ever sees it there. */
export const consoleAddress = (stack: StackFile, path = '/'): string =>
  `${stack.console}${path}#key=${encodeURIComponent(stack.api_key)}`;

export function describeLines(stack: StackFile): string[] {
  return [
    ...(stack.console ? [`Console     ${consoleAddress(stack)}`] : []),
    `API         ${stack.api}`,
    `API key     ${stack.api_key}`,
    `OpenAPI     ${stack.api}/openapi.json`,
    `Kafka       ${stack.kafka}`,
    `Registry    ${stack.registry}`,
    `ClickHouse  ${new URL(stack.clickhouse).origin}  (credentials: .volley/stack.json)`,
    `Admin       ${Object.values(stack.admin).flat().join('  ')}`,
  ];
}

export interface Running {
  readonly stack: StackFile;
  readonly platform: Platform;
  /** Resolves when a signal or the loss of the parent asked for the end, with the exit code. */
  readonly ended: Promise<number>;
  stop(): Promise<void>;
}

/** Starts stack and services of this clone and publishes stack.json. The caller prints, waits for `ended`, and stops. */
export async function bringUp(
  log: (line: string) => void,
  env: Record<string, string | undefined> = {},
): Promise<Running> {
  mkdirSync(home, { recursive: true });
  const abort = new AbortController();
  let end: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const asked = (code: number) => {
    abort.abort(new CliError('stopped before everything was up'));
    end(code);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => asked(0));
  process.on('disconnect', () => asked(1));

  let platform: Platform | undefined;
  let complete = false;
  const publish = () => {
    if (platform && complete) writeStackFile(home, platform.describe());
  };
  platform = await startPlatform({
    root: home,
    dataDir,
    logDir,
    cacheDir,
    external: externalStores(),
    ports: storePorts(),
    env,
    dispatchers: count('VOLLEY_DISPATCHERS'),
    sinks: count('VOLLEY_SINKS'),
    console: true,
    signal: abort.signal,
    log,
    onCrash(component, tail) {
      // A store is never started again behind the user's back: its data may need a look first.
      log(`${component} died by itself; its last lines:\n  ${tail.join('\n  ')}`);
      end(1);
    },
    onChange: publish,
  });
  complete = true;
  publish();
  const up = platform;
  let stopped: Promise<void> | undefined;
  return {
    stack: up.describe(),
    platform: up,
    ended,
    stop() {
      complete = false;
      stopped ??= (async () => {
        removeStackFile(home);
        await up.stop();
      })();
      return stopped;
    },
  };
}

/** `volley up`: stays until Ctrl-C. A second one in the same clone prints the addresses and is done. */
export async function up(options: { json: boolean }): Promise<number> {
  const print = printer(options.json);
  const show = (stack: StackFile) => {
    if (options.json) printJson(stack);
    else for (const line of describeLines(stack)) print(line);
  };
  const live = await readStackFile(home, dataDir);
  if (live) {
    print('already running:');
    show(live);
    return 0;
  }
  const running = await bringUp(print);
  print(
    `up in ${((running.platform.timings.total ?? 0) / 1000).toFixed(1)} s; Ctrl-C stops everything, data stays in .volley/data`,
  );
  show(running.stack);
  const code = await running.ended;
  print('stopping');
  await running.stop();
  return code;
}
