import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type BrokerSet, startBrokerSet } from '../../support/broker-set.ts';
import { type ClickHouseFront, startClickHouseFront } from '../../support/clickhouse-front.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { type OwnClickHouse, startOwnClickHouse } from '../../support/own-clickhouse.ts';
import { type RegistryFront, startRegistryFront } from '../../support/registry-front.ts';
import { startTestPlatform, type TestPlatform } from '../../support/test-platform.ts';
import type { WorldKind } from './scenario.ts';
import { type Sending, startSending } from './sending.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

/** The sink of the world `analytics` repeats an insert that has no answer by then. */
export const INSERT_TIMEOUT_MS = 5_000;

/** A ClickHouse that may be broken, and what stands between it and the services. */
export interface Analytics {
  readonly engine: OwnClickHouse;
  readonly front: ClickHouseFront;
}

/** C: messages that one dispatcher has under way at most. Lower than by default, so that the bound says something. */
export const SLOTS = 128;

export interface FaultWorld {
  readonly p: TestPlatform;
  /** Past the proxy: what the test reads is not what it breaks. */
  readonly db: pg.Client;
  /** Between the services and Postgres. */
  readonly postgres: FaultProxy;
  /** Between the services and the registry. */
  readonly registry: RegistryFront;
  /** Of a world of the kind `brokers` or `small-disk`. */
  readonly brokers: BrokerSet | undefined;
  /** Of a world of the kind `sending`. */
  readonly sending: Sending | undefined;
  /** Of a world of the kind `small-disk`. */
  readonly disk: SmallDisk | undefined;
  /** Of a world of the kind `analytics`. */
  readonly analytics: Analytics | undefined;
  /** Folders with the logs of services and brokers; gone after `stop`. */
  readonly logs: readonly string[];
  /** Every fault ends, and everything is ready. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

/** All of Volley with something in front of each store that can be broken. */
export async function startFaultWorld(kind: WorldKind): Promise<FaultWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'volley-faults-'));
  const closing: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const opened = <T>(value: T, close: (value: T) => Promise<unknown>): T => {
    closing.unshift(() => close(value));
    return value;
  };
  const stop = async () => {
    for (const close of closing.splice(0)) await close();
  };
  try {
    const disk = kind === 'small-disk' ? opened(mountSmallDisk(join(folder, 'disk')), (d) => d.unmount()) : undefined;
    const startBrokers = () =>
      startBrokerSet({ folder, ...(disk ? { brokers: 1, dataFolder: disk.folder } : { brokers: 3 }) });
    const brokers =
      kind === 'brokers' || disk !== undefined ? opened(await startBrokers(), (set) => set.stop()) : undefined;
    const sending = kind === 'sending' ? opened(await startSending(), (s) => s.close()) : undefined;
    const engine = kind === 'analytics' ? opened(await startOwnClickHouse(folder), (own) => own.stop()) : undefined;
    const front: ClickHouseFront | undefined = engine && opened(await startClickHouseFront(), (f) => f.close());
    const given = new URL(process.env.VOLLEY_TEST_POSTGRES ?? 'postgres://127.0.0.1:5432');
    const postgres = opened(await startFaultProxy({ target: `127.0.0.1:${given.port}` }), (proxy) => proxy.close());
    const registry = opened(await startRegistryFront(), (front) => front.close());
    const p = opened(
      await startTestPlatform(`${kind.replace('-', '_')}_faults`, {
        ...(brokers === undefined ? {} : { kafka: brokers }),
        ...(engine === undefined ? {} : { clickhouse: engine.address }),
        through: {
          registry: (address) => registry.through(address),
          ...(front === undefined ? {} : { clickhouse: (address: string) => front.through(address) }),
          postgres(address) {
            const url = new URL(address);
            url.port = String(postgres.port);
            return url.toString();
          },
        },
        env: {
          VOLLEY_CONCURRENCY: String(SLOTS),
          // An inspector on a free port, for the fault that stops an event loop.
          NODE_OPTIONS: '--inspect-port=127.0.0.1:0',
          ...sending?.env,
          ...(engine === undefined ? {} : { VOLLEY_SINK_INSERT_TIMEOUT_MS: String(INSERT_TIMEOUT_MS) }),
        },
        providers: [
          { name: 'simulated', channel: 'simulated', url: 'simulated:' },
          { name: 'steady', channel: 'simulated', url: 'simulated:?transient=0' },
          ...(sending?.providers ?? []),
        ],
      }),
      (platform) => platform.stop(),
    );
    const db = opened(new pg.Client({ connectionString: p.stores.postgres }), (client) => client.end());
    await db.connect();
    return {
      p,
      db,
      postgres,
      registry,
      brokers,
      sending,
      disk,
      analytics: engine && front && { engine, front },
      logs: [join(p.folder, 'logs'), join(folder, 'logs')],
      async heal() {
        await postgres.heal();
        await registry.set('pass');
        sending?.heal();
        front?.heal();
        await engine?.heal();
        disk?.free();
        await brokers?.heal();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
