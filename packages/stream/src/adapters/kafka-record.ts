import type { KafkaMessage } from 'kafkajs';
import type { StreamRecord } from '../port.ts';

const NO_HEADERS: Readonly<Record<string, Buffer>> = Object.freeze({});

/**
 * Records of one partition with their bytes in one buffer of their own. kafkajs gives views into the answer of a whole
 * fetch, up to 8 MiB for all partitions: one record that waits would keep all of it in memory, out of sight of every
 * bound, once for each fetch that brought a record of a partition that stands still.
 */
export function toRecords(topic: string, partition: number, messages: readonly KafkaMessage[]): StreamRecord[] {
  let bytes = 0;
  for (const { key, value, headers } of messages) {
    bytes += (key?.length ?? 0) + (value?.length ?? 0);
    if (headers !== undefined) for (const name in headers) bytes += lastValue(headers[name]).length;
  }
  const own = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  const keep = (view: Buffer): Buffer => {
    const from = at;
    at += view.copy(own, from);
    return own.subarray(from, at);
  };
  return messages.map((message) => ({
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key === null ? null : keep(message.key),
    value: message.value === null ? null : keep(message.value),
    headers: toHeaders(message.headers, keep),
    timestampMs: Number(message.timestamp),
  }));
}

function toHeaders(headers: KafkaMessage['headers'], keep: (view: Buffer) => Buffer): Readonly<Record<string, Buffer>> {
  if (headers === undefined) return NO_HEADERS;
  const kept: Record<string, Buffer> = {};
  for (const name in headers) {
    const value = keep(lastValue(headers[name]));
    // Assigned, this one name would not become a property.
    if (name === '__proto__') Object.defineProperty(kept, name, { value, enumerable: true });
    else kept[name] = value;
  }
  return kept;
}

type HeaderValue = NonNullable<KafkaMessage['headers']>[string];

/** kafkajs gives a list for a name that was written twice: the last value counts. */
function lastValue(given: HeaderValue): Buffer {
  const value = Array.isArray(given) ? given[given.length - 1] : given;
  return Buffer.isBuffer(value) ? value : Buffer.from(value ?? '');
}
