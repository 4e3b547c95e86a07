import {
  createDecoder,
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  RECORD_TYPES,
  type RecordName,
  type SchemaStore,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createLogger } from '@volley/runtime';
import type { StreamClient, StreamRecord } from '@volley/stream';
import { createMemoryBroker } from '@volley/stream/memory';

export const PARTITIONS = 3;
export const topics = topicsOf('t');
export const silent = createLogger('test', 'silent');

const IDS: Readonly<Record<RecordName, number>> = { CampaignEvent: 1, Message: 2, DeliveryEvent: 3 };
const types = new Map(Object.entries(IDS).map(([name, id]) => [id, RECORD_TYPES[name as RecordName]]));

/**
 * A registry in memory: three schemas, each to be loaded first, anything else unknown. `missing`: so many times the answer
 * is that there is no such schema.
 */
export function createTestSchemas(): SchemaStore & { away: boolean; missing: number } {
  const loaded = new Set<number>();
  const absent = new Set<number>();
  return {
    away: false,
    missing: 0,
    get: (id) => (loaded.has(id) ? (types.get(id) ?? 'unknown') : absent.has(id) ? 'unknown' : undefined),
    async load(id) {
      if (this.away) throw new Error('the registry is away');
      if (this.missing > 0) {
        this.missing -= 1;
        absent.add(id);
      } else loaded.add(id);
    },
  };
}

export const encoderOf = <N extends RecordName>(name: N) => createEncoder(name, IDS[name]);

/** A broker with all topics. */
export async function createTestLog() {
  const broker = createMemoryBroker();
  const client = broker.client();
  const admin = await client.admin();
  await admin.ensureTopics(topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions: PARTITIONS }));
  return { broker, client, admin, close: () => client.close() };
}

/** Every record of a topic, by partition and offset. */
export async function readAll(client: StreamClient, topic: string): Promise<StreamRecord[]> {
  const admin = await client.admin();
  const bounds = await admin.logBounds(topic);
  const records: StreamRecord[] = [];
  const ranges = bounds.flatMap(({ start, end }, partition) =>
    start < end ? [{ topic, partition, from: start, to: end }] : [],
  );
  if (ranges.length > 0) await client.readRanges({ ranges, onRecord: (record) => void records.push(record) });
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

export function decodeAll<N extends RecordName>(name: N, records: readonly StreamRecord[]) {
  const store: SchemaStore = { get: (id) => types.get(id) ?? 'unknown', load: async () => {} };
  const decode = createDecoder(name, store);
  return records.flatMap((record) => {
    const decoded = decode(record.value);
    return decoded.ok ? [decoded.value] : [];
  });
}

/** Waits for a condition, never for a time. */
export async function until<T>(what: string, ask: () => T | Promise<T>, timeoutMs = 10_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`waited too long: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
