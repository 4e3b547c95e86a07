/**
 * 1, 2 and 3 dispatchers, each time with the same messages, and what a message costs them.
 *
 * - Bound by the provider, which takes 100 ms and 50 places each: what one does predicts how long the others take, which is the
 *   formula of docs/load.md held against what is measured.
 * - Bound by the cores, with a provider that takes no time: all of them share the cores with the stores, so it is the cost of a
 *   message that tells what another one brings on a machine of its own.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSeconds, dispatchersNeeded, type Plan, runLoad, secondsNeeded } from '@volley/load';
import { createApi } from '../src/api.ts';
import { query } from '../src/clickhouse.ts';
import { startPlatform } from '../src/platform.ts';

const CAMPAIGNS = 48;
const MOST = 3;
const BIN_S = 0.1;

interface Bound {
  readonly name: string;
  readonly latencyMs: number;
  /** Calls that each dispatcher may have under way. */
  readonly places: number;
  readonly messagesEach: number;
}
const BY_PROVIDER: Bound = { name: 'slow', latencyMs: 100, places: 50, messagesEach: 150 };
const BY_CORES: Bound = { name: 'fast', latencyMs: 0, places: 1_000, messagesEach: 1_250 };
const messagesOf = ({ messagesEach }: Bound) => CAMPAIGNS * messagesEach;

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this through npm run bench`);
  return value;
}
const external = {
  kafka: need('VOLLEY_TEST_KAFKA'),
  registry: need('VOLLEY_TEST_REGISTRY'),
  postgres: need('VOLLEY_TEST_POSTGRES'),
  clickhouse: need('VOLLEY_TEST_CLICKHOUSE'),
};
const temp = need('VOLLEY_TEST_TEMP');
const providers = join(temp, 'providers-of-dispatchers.json');
const urlOf = ({ latencyMs }: Bound) => `simulated:?min_ms=${latencyMs}&max_ms=${latencyMs}&transient=0`;
writeFileSync(
  providers,
  JSON.stringify([BY_PROVIDER, BY_CORES].map((b) => ({ name: b.name, channel: 'simulated', url: urlOf(b) }))),
);

const planOf = (bound: Bound, perRequest: number): Plan => ({
  ...{ shape: 'campaigns', perRequest, readers: 0, provider: bound.name, ids: false, unpaced: false },
  stages: [{ perSecond: CAMPAIGNS * perRequest, seconds: 1, warmUp: false }],
  ...{ generators: 1, connections: 16, timeoutMs: 30_000, drainMs: 120_000, maxLateMs: 10_000 },
});

interface Measured {
  /** From the first outcome to the last. */
  readonly seconds: number;
  /** Of all dispatchers together. */
  readonly cpuUsAMessage: number;
}

async function measure(bound: Bound, dispatchers: number): Promise<Measured> {
  const folder = join(temp, `dispatchers-${bound.name}-${dispatchers}`);
  const platform = await startPlatform({
    ...{ root: folder, dataDir: join(folder, 'data'), logDir: join(folder, 'logs'), cacheDir: temp, anyPorts: true },
    ...{ external, dispatchers, replays: false, log: () => {}, onCrash: () => {} },
    env: {
      VOLLEY_NAMESPACE: 'dispatchers',
      VOLLEY_PROVIDERS_FILE: providers,
      VOLLEY_CONCURRENCY: String(bound.places),
    },
  });
  try {
    const { api, api_key: key, clickhouse, pids } = platform.describe();
    const mine = [(pids as Record<string, number | number[]>).dispatcher ?? []].flat();
    if (mine.length !== dispatchers) throw new Error(`${mine.length} dispatchers run, and not ${dispatchers}`);
    const cpuS = () => mine.reduce((sum, pid) => sum + (cpuSeconds(pid) ?? Number.NaN), 0);
    const system = {
      ...{ api: createApi(api, key), origin: api, key, database: 'volley' },
      query: <T>(sql: string) => query<T>(clickhouse, sql),
    };
    const load = (perRequest: number) =>
      runLoad({ plan: planOf(bound, perRequest), system, signal: new AbortController().signal, log: () => {} });
    // Code is compiled and every dispatcher has its connections: what a process costs once is no cost of a message.
    await load(bound.messagesEach / 5);
    const before = cpuS();
    const ran = await load(bound.messagesEach);
    const used = cpuS() - before;
    if (!ran.accounts.accounted || ran.outcomes === undefined) throw new Error(ran.accounts.problems.join('; '));
    const bins = [...ran.outcomes.ended.keys()];
    const seconds = (Math.max(...bins) - Math.min(...bins) + 1) * BIN_S;
    return { seconds, cpuUsAMessage: (used * 1e6) / messagesOf(bound) };
  } finally {
    await platform.stop();
  }
}

const rows: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];
const costs: typeof rows = [];
const cost = (name: string, value: number, floor?: string) =>
  costs.push({ name, value, unit: 'µs a message', ...(floor === undefined ? {} : { floor }) });

const slow = messagesOf(BY_PROVIDER);
let perDispatcherPerSecond = 0;
for (let dispatchers = 1; dispatchers <= MOST; dispatchers++) {
  const { seconds } = await measure(BY_PROVIDER, dispatchers);
  if (dispatchers === 1) perDispatcherPerSecond = slow / seconds;
  const said = secondsNeeded({ messages: slow, dispatchers, perDispatcherPerSecond });
  const name = `${dispatchers} by the formula`;
  process.stderr.write(`${dispatchers}: ${seconds.toFixed(1)} s, by the formula ${said.toFixed(1)} s\n`);
  if (dispatchers > 1) rows.push({ name, value: said, unit: 's' });
  const needed = dispatchersNeeded({ messages: slow, seconds, perDispatcherPerSecond });
  rows.push({
    ...{ name: `${dispatchers} measured`, value: seconds, unit: 's' },
    ...(dispatchers > 1 ? { floor: name } : {}),
    note: `${Math.round(slow / seconds)} messages/s; for this time the formula asks for ${needed}`,
  });
}
const fast = messagesOf(BY_CORES);
for (let dispatchers = 1; dispatchers <= MOST; dispatchers++) {
  const { seconds, cpuUsAMessage } = await measure(BY_CORES, dispatchers);
  process.stderr.write(`${dispatchers} without latency: ${seconds.toFixed(1)} s\n`);
  const name = (of: number) => `${of} without latency`;
  rows.push({
    ...{ name: name(dispatchers), value: fast / seconds, unit: 'messages/s', note: 'the stores on the same cores' },
    ...(dispatchers > 1 ? { floor: name(1) } : {}),
  });
  cost(`${name(dispatchers)}, CPU`, cpuUsAMessage, dispatchers > 1 ? `${name(1)}, CPU` : undefined);
}
const bound = `${BY_PROVIDER.places} places of ${BY_PROVIDER.latencyMs} ms each`;
const bench = `1, 2 and 3 dispatchers: ${slow.toLocaleString('en-US')} messages with ${bound}, ${fast.toLocaleString('en-US')} without latency`;
process.stdout.write(`${JSON.stringify({ bench, rows: [...rows, ...costs] })}\n`);
