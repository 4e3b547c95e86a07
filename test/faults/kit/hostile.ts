import { randomUUID } from 'node:crypto';
import {
  createEncoder,
  DEAD_LETTER_HEADERS,
  type DeliveryEvent,
  HEADERS,
  type Message,
  type Reason,
} from '@volley/contract';
import { createRegistry, type Registry } from '@volley/contract/registry';
import type { Ack, OutgoingRecord, StreamRecord } from '@volley/stream';
import type { TestPlatform } from '../../support/test-platform.ts';
import { until } from '../../support/until.ts';

/** Contract of the scenarios: a record that is no message is in the dead-letter topic so soon after it was written. */
export const LETTER_MS = 5_000;

/** A record that somebody else wrote, and what becomes of it. */
export interface Hostile extends OutgoingRecord {
  readonly what: string;
  /** The reason of its dead letter; undefined: it is taken, and there is none. */
  readonly ends: Reason | undefined;
}

/** A stranger who may write to the topics and to the registry. */
export interface Stranger {
  readonly registry: Registry;
  readonly messageId: number;
  readonly eventId: number;
  message(value: Message): Buffer;
  event(value: DeliveryEvent): Buffer;
  /** A body under this schema id. */
  framed(schemaId: number, body: Buffer): Buffer;
  /** Registers a schema under a subject of the stranger's own; answers its id. */
  register(text: string): Promise<number>;
  /** Writes them and waits for their dead letters; answers what is wrong with these, being later than `withinMs` included. */
  write(records: readonly Hostile[], withinMs?: number): Promise<readonly string[]>;
  /** Offset of the last record that it wrote, once that is known. */
  lastPlace(): Promise<number>;
  close(): Promise<void>;
}

export async function createStranger(p: TestPlatform): Promise<Stranger> {
  const { topics, stores, client } = p;
  const registry = createRegistry({
    url: stores.registry,
    clientId: `${stores.namespace}-stranger`,
    nowMs: () => performance.now(),
  });
  const messageId = await registry.idOf(topics.messages.bulk, 'Message');
  const eventId = await registry.idOf(topics.deliveries, 'DeliveryEvent');
  const producer = await client.producer({ clientId: `${stores.namespace}-stranger` });
  let last = Promise.resolve(-1);

  function framed(schemaId: number, body: Buffer): Buffer {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(schemaId, 1);
    return Buffer.concat([head, body]);
  }

  const lettersOf = (topic: string) => (topic === topics.deliveries ? topics.deliveriesDlq : topics.dlq);

  /** What lies at the end of these partitions, from where they ended before. */
  async function since(topic: string, from: readonly number[]): Promise<StreamRecord[]> {
    const admin = await client.admin();
    const bounds = await admin.logBounds(topic).finally(() => admin.close());
    const records: StreamRecord[] = [];
    const ranges = bounds
      .map(({ end }, partition) => ({ topic, partition, from: from[partition] ?? 0, to: end }))
      .filter(({ from, to }) => from < to);
    if (ranges.length > 0) await client.readRanges({ ranges, onRecord: (record) => void records.push(record) });
    return records;
  }

  async function endsOf(topic: string): Promise<number[]> {
    const admin = await client.admin();
    const bounds = await admin.logBounds(topic).finally(() => admin.close());
    return bounds.map(({ end }) => end);
  }

  async function write(records: readonly Hostile[], withinMs = LETTER_MS): Promise<readonly string[]> {
    const places = [topics.dlq, topics.deliveriesDlq];
    const before = new Map<string, number[]>();
    for (const topic of places) before.set(topic, await endsOf(topic));
    const writing = producer.send(records.map(({ what: _, ends: __, ...record }) => record));
    last = writing.then((acks) => acks.at(-1)?.offset ?? -1);
    const acks = await writing;
    const writtenMs = Date.now();
    const waiting = records.map((hostile, i) => ({ hostile, ack: acks[i] as Ack }));
    const due = waiting.filter(({ hostile }) => hostile.ends !== undefined);
    const found = new Map<string, StreamRecord>();
    const originOf = ({ topic, partition, offset }: Ack) => `${topic}/${partition}/${offset}`;
    const missing = () => due.filter(({ ack }) => !found.has(originOf(ack)));
    await until(
      `${due.length} dead letters are there`,
      async () => {
        for (const topic of new Set(missing().map(({ hostile }) => lettersOf(hostile.topic))))
          for (const letter of await since(topic, before.get(topic) ?? [])) {
            const origin = letter.headers[DEAD_LETTER_HEADERS.origin]?.toString() ?? '';
            found.set(origin.slice(0, origin.lastIndexOf('/')), letter);
          }
        return missing().length === 0;
      },
      { timeoutMs: 60_000, everyMs: 100, seen: () => missing().map(({ hostile }) => hostile.what) },
    );
    return waiting.flatMap(({ hostile, ack }) => {
      const letter = found.get(originOf(ack));
      return letter === undefined ? [] : flawsOf(hostile, letter, letter.timestampMs - writtenMs, withinMs);
    });
  }

  return {
    registry,
    messageId,
    eventId,
    message: createEncoder('Message', messageId),
    event: createEncoder('DeliveryEvent', eventId),
    framed,
    register: (text) => registry.register(`${stores.namespace}.stranger-${randomUUID()}`, text),
    write,
    lastPlace: () => last,
    close: () => producer.close(),
  };
}

const PAST: ReadonlySet<string> = new Set([
  HEADERS.attempt,
  HEADERS.deferrals,
  HEADERS.notBefore,
  HEADERS.origin,
  HEADERS.firstFailedAt,
]);
/** Headers of a hostile record that are kept at most; more of them are cut off. */
const KEPT_HEADERS = 64;

/** What is wrong with the dead letter of this record. */
function flawsOf(hostile: Hostile, letter: StreamRecord, afterMs: number, withinMs: number): string[] {
  const flaws: string[] = [];
  const must = (held: boolean, flaw: string) => {
    if (!held) flaws.push(`${hostile.what}: ${flaw}`);
  };
  const bytesOf = (value: string | Buffer | null) => (typeof value === 'string' ? Buffer.from(value) : value);
  const same = (a: Buffer | null, b: Buffer | null) => (a === null || b === null ? a === b : a.equals(b));
  const reason = letter.headers[DEAD_LETTER_HEADERS.reason]?.toString();
  must(hostile.ends === undefined || reason === hostile.ends, `its reason is ${reason}, not ${hostile.ends}`);
  must(hostile.ends !== undefined, `it is a dead letter: ${letter.headers[DEAD_LETTER_HEADERS.error]?.toString()}`);
  must(same(letter.value, hostile.value), `${letter.value?.length} other bytes, not ${hostile.value?.length}`);
  must(same(letter.key, bytesOf(hostile.key)), 'its key is another one');
  // Its producer's clock, which is ours; what is read back is a little later.
  must(afterMs <= withinMs, `its letter came after ${afterMs} ms`);
  // What a move writes is a record's past, and is left out when it goes on.
  const headers = Object.entries(hostile.headers ?? {}).filter(([name]) => !PAST.has(name));
  const kept = headers.filter(([name, value]) => same(letter.headers[name] ?? null, bytesOf(value))).length;
  must(kept >= Math.min(headers.length, KEPT_HEADERS), `${kept} of ${headers.length} headers are as they were`);
  return flaws;
}
