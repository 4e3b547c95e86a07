import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, spawnChild } from '../../apps/local-stack/src/process/child.ts';
import { createPortPicker } from '../../apps/local-stack/src/process/ports.ts';
import { runTool } from '../../apps/local-stack/src/process/run-tool.ts';
import { toolEnvironment } from '../../apps/local-stack/src/setup/cache.ts';
import { archiveFlags } from '../../apps/local-stack/src/setup/class-archive.ts';
import { setUpKafka } from '../../apps/local-stack/src/stack-setup.ts';
import { kafkaMain } from '../../apps/local-stack/src/stores/kafka.ts';
import { kafkaLogging, kafkaProperties } from '../../apps/local-stack/src/stores/kafka-properties.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { type ClusterView, describeCluster } from './kafka-metadata.ts';
import { until } from './until.ts';

export interface Broker {
  /** Kafka's node id, from 1. */
  readonly id: number;
  /** What clients are told to connect to: every byte between them and the broker goes through it. */
  readonly proxy: FaultProxy;
  pid(): number;
  running(): boolean;
  /** SIGKILL. Resolves when the process is gone. Its proxy refuses connections then, as its own port would. */
  kill(): Promise<void>;
  /** SIGTERM: leaders are handed over first. */
  stop(): Promise<void>;
  /** Starts it again in its folder; resolves when it is in the cluster. Replicas may still be catching up. */
  start(): Promise<void>;
  /** Resolves when the process has ended by itself. */
  ended(timeoutMs: number): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  freeze(): void;
  thaw(): void;
}

export interface BrokerSet {
  /** The proxies' addresses, separated by commas. */
  readonly address: string;
  readonly brokers: readonly Broker[];
  readonly replicationFactor: number;
  readonly minInSyncReplicas: number;
  /** As one living broker sees it. */
  describe(): Promise<ClusterView>;
  leaderOf(topic: string, partition: number): Promise<Broker>;
  /** Every partition has a leader and all its replicas in sync. */
  untilInSync(timeoutMs?: number): Promise<void>;
  /** Every process runs, nothing is frozen, no proxy has a fault, all replicas are in sync. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

export interface BrokerSetOptions {
  /** 1: broker and controller in one process. 3: three brokers and a controller of its own, so that a fault is a broker's. */
  readonly brokers: 1 | 3;
  /** Data and logs; whoever gives it removes it. */
  readonly folder: string;
  /** Data only, where it is to lie apart from the logs. */
  readonly dataFolder?: string;
}

const repository = join(import.meta.dirname, '..', '..');
const CONTROLLER = 100;
/** C1 only, as the local stack's broker: half the start. A node idles in 160 MiB. */
const JVM = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:MaxDirectMemorySize=64m'];
const READY_MS = 90_000;

interface Node {
  readonly id: number;
  readonly folder: string;
  /** Where clients of the test connect past the proxy; 0: no broker. */
  readonly port: number;
  readonly properties: Readonly<Record<string, string | number>>;
}

/** Brokers of the local stack's Kafka on this host, each behind a proxy that it gives as its address. */
export async function startBrokerSet(options: BrokerSetOptions): Promise<BrokerSet> {
  const { folder, dataFolder = folder } = options;
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const ports = createPortPicker(() => {});
  const setupLog = join(folder, 'logs', 'setup.log');
  const cacheDir = join(repository, '.volley', 'cache');
  const runtime = await setUpKafka({ cacheDir, logFile: setupLog, log: () => {} }, ports);
  const replicationFactor = options.brokers;
  const minInSyncReplicas = options.brokers === 3 ? 2 : 1;
  const controllerPort = await ports.any('controller');
  const controllerId = options.brokers === 1 ? 1 : CONTROLLER;

  const shared = {
    'controller.quorum.voters': `${controllerId}@127.0.0.1:${controllerPort}`,
    'inter.broker.listener.name': 'INTERNAL',
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'offsets.topic.replication.factor': replicationFactor,
    'transaction.state.log.replication.factor': replicationFactor,
    'transaction.state.log.min.isr': minInSyncReplicas,
    'share.coordinator.state.topic.replication.factor': replicationFactor,
    'share.coordinator.state.topic.min.isr': minInSyncReplicas,
    'min.insync.replicas': minInSyncReplicas,
  };

  async function planBroker(id: number): Promise<{ node: Node; proxy: FaultProxy }> {
    const [port, internal] = [await ports.any('client'), await ports.any('internal')];
    const proxy = await startFaultProxy({
      target: `127.0.0.1:${port}`,
      port: await ports.any('proxy'),
      protocol: 'kafka',
    });
    const alone = options.brokers === 1;
    return {
      proxy,
      node: {
        id,
        port,
        folder: join(dataFolder, `kafka-${id}`),
        properties: {
          ...shared,
          'node.id': id,
          'process.roles': alone ? 'broker,controller' : 'broker',
          listeners: [
            `CLIENT://127.0.0.1:${port}`,
            `INTERNAL://127.0.0.1:${internal}`,
            ...(alone ? [`CONTROLLER://127.0.0.1:${controllerPort}`] : []),
          ].join(','),
          'advertised.listeners': `CLIENT://${proxy.address},INTERNAL://127.0.0.1:${internal}`,
        },
      },
    };
  }

  const planned: { node: Node; proxy: FaultProxy }[] = [];
  for (let id = 1; id <= options.brokers; id++) planned.push(await planBroker(id));
  const nodes = planned.map(({ node }) => node);
  const controller: Node | undefined =
    options.brokers === 1
      ? undefined
      : {
          id: CONTROLLER,
          port: 0,
          folder: join(dataFolder, `kafka-${CONTROLLER}`),
          properties: {
            ...shared,
            'node.id': CONTROLLER,
            'process.roles': 'controller',
            listeners: `CONTROLLER://127.0.0.1:${controllerPort}`,
          },
        };

  const childOf = (node: Node, name: string, main: string, args: readonly string[]) => ({
    name,
    command: runtime.java.command,
    args: [...JVM, ...archiveFlags(runtime.archive), ...kafkaMain(node.folder, runtime.jars, main), ...args],
    env: toolEnvironment(),
    cwd: node.folder,
    logFile: join(folder, 'logs', `kafka-${node.id}.log`),
    // A controlled shutdown waits for other brokers to take over what it leads; there may be none.
    stopGraceMs: 15_000,
  });

  await format([...(controller === undefined ? [] : [controller]), ...nodes], async (first) => {
    const { args, command, cwd, env } = childOf(first, 'storage tool', 'kafka.tools.StorageTool', [
      'format',
      '-t',
      randomBytes(16).toString('base64url').replace(/^-/, 'A'),
      '-c',
      join(first.folder, 'server.properties'),
    ]);
    const made = await runTool([command, ...args], { cwd, env, logFile: setupLog });
    if (!made.ok) throw new Error(`storage could not be formatted: ${made.tail.join(' | ')}`);
  });

  const children = new Map<number, Child>();
  const frozen = new Set<number>();
  const launch = async (node: Node) => {
    children.set(
      node.id,
      await spawnChild(childOf(node, `kafka-${node.id}`, 'kafka.Kafka', [join(node.folder, 'server.properties')])),
    );
  };
  const alive = () => nodes.filter(({ id }) => children.get(id)?.running() && !frozen.has(id));

  async function describe(): Promise<ClusterView> {
    for (const { port } of alive()) {
      const view = await describeCluster(port).catch(() => undefined);
      if (view !== undefined) return view;
    }
    throw new Error('no broker answers');
  }

  const untilMember = (node: Node) =>
    until(
      `broker ${node.id} is in the cluster`,
      async () => {
        if (!children.get(node.id)?.running()) throw new Error(`it ended: ${children.get(node.id)?.tail().join('\n')}`);
        return (await describeCluster(node.port)).brokers.includes(node.id);
      },
      { timeoutMs: READY_MS, everyMs: 100 },
    );

  const ended = async (id: number, how: (child: Child) => void | Promise<void>) => {
    const child = children.get(id);
    if (child === undefined || !child.running()) return;
    await how(child);
    await child.exited;
    frozen.delete(id);
  };
  const signal = (id: number, name: NodeJS.Signals) => process.kill(children.get(id)?.pid as number, name);

  const brokers = planned.map(
    ({ node, proxy }): Broker => ({
      id: node.id,
      proxy,
      pid: () => children.get(node.id)?.pid as number,
      running: () => children.get(node.id)?.running() === true,
      async kill() {
        await ended(node.id, ({ pid }) => void process.kill(pid, 'SIGKILL'));
        await proxy.refuse(true);
      },
      async stop() {
        await ended(node.id, (child) => child.stop());
        await proxy.refuse(true);
      },
      async start() {
        await launch(node);
        await untilMember(node);
        await proxy.refuse(false);
      },
      async ended(timeoutMs) {
        await until(`broker ${node.id} has ended`, () => !children.get(node.id)?.running(), { timeoutMs });
        await proxy.refuse(true);
      },
      freeze() {
        signal(node.id, 'SIGSTOP');
        frozen.add(node.id);
      },
      thaw() {
        signal(node.id, 'SIGCONT');
        frozen.delete(node.id);
      },
    }),
  );

  async function untilInSync(timeoutMs = 60_000): Promise<void> {
    let lagging: unknown;
    await until(
      'all replicas are in sync',
      async () => {
        const view = await describe();
        const wrong = view.partitions.filter((p) => p.leader < 0 || p.inSync.length < p.replicas.length);
        lagging = { brokers: view.brokers, wrong: wrong.slice(0, 3) };
        return view.brokers.length === nodes.length && wrong.length === 0;
      },
      { timeoutMs, everyMs: 100, seen: () => lagging },
    );
  }

  async function stop(): Promise<void> {
    await Promise.all(planned.map(({ proxy }) => proxy.close()));
    // Nobody needs what is in them any more: no hand-over of leaders, no flush.
    for (const child of children.values()) if (child.running()) process.kill(child.pid, 'SIGKILL');
    await Promise.all([...children.values()].map((child) => child.exited));
    await ports.release();
  }

  try {
    for (const node of [...(controller === undefined ? [] : [controller]), ...nodes]) await launch(node);
    await Promise.all(nodes.map(untilMember));
    await until('all brokers know each other', async () => (await describe()).brokers.length === nodes.length, {
      timeoutMs: READY_MS,
    });
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    address: brokers.map(({ proxy }) => proxy.address).join(','),
    brokers,
    replicationFactor,
    minInSyncReplicas,
    describe,
    async leaderOf(topic, partition) {
      // A topic that was made a moment ago, or whose leader has just died, has none yet.
      return until(`${topic} ${partition} has a leader`, async () => {
        const { partitions } = await describe();
        const leader = partitions.find((p) => p.topic === topic && p.partition === partition)?.leader;
        return brokers.find(({ id }) => id === leader);
      });
    },
    untilInSync,
    async heal() {
      for (const broker of brokers) {
        if (frozen.has(broker.id)) broker.thaw();
        await broker.proxy.heal();
      }
      await Promise.all(brokers.filter((broker) => !broker.running()).map((broker) => broker.start()));
      await untilInSync();
    },
    stop,
  };
}

/** The storage tool writes two files; those of another node of the cluster differ in its id. One JVM instead of four. */
async function format(nodes: readonly Node[], run: (first: Node) => Promise<void>): Promise<void> {
  for (const { folder, properties } of nodes) {
    mkdirSync(join(folder, 'log'), { recursive: true });
    const all = { ...parsed(kafkaProperties({ broker: 0, controller: 0 }, join(folder, 'log'))), ...properties };
    if (all['process.roles'] === 'controller') delete all['advertised.listeners'];
    if (all['process.roles'] === 'controller') delete all['inter.broker.listener.name'];
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}`);
    writeFileSync(join(folder, 'server.properties'), `${lines.join('\n')}\n`);
    writeFileSync(join(folder, 'log4j2.xml'), kafkaLogging);
  }
  const [first, ...others] = nodes as [Node, ...Node[]];
  await run(first);
  const meta = readFileSync(join(first.folder, 'log', 'meta.properties'), 'utf8');
  for (const { id, folder } of others) {
    copyFileSync(join(first.folder, 'log', 'bootstrap.checkpoint'), join(folder, 'log', 'bootstrap.checkpoint'));
    const own = meta
      .replace(/^node\.id=.*$/m, `node.id=${id}`)
      .replace(/^directory\.id=.*$/m, `directory.id=${randomBytes(16).toString('base64url')}`);
    writeFileSync(join(folder, 'log', 'meta.properties'), own);
  }
}

const parsed = (text: string): Record<string, string | number> =>
  Object.fromEntries(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
