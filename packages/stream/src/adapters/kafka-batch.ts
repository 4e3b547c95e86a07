import { createRequire } from 'node:module';

/** As kafkajs' producer hands it over. */
export interface RecordFields {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key?: string | Buffer | null;
  readonly value?: string | Buffer | null;
  readonly headers?: Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>;
}
type HeaderValue = string | Buffer | null;

/** What kafkajs' encoders take for one of themselves. */
interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
  size(): number;
}

export interface BatchFields {
  readonly compression?: number;
  readonly records: readonly KafkaRecord[];
}

const COMPRESSION_MASK = 0x07;
/** Of a batch: from its first offset to the length, and from there to the number of its records. */
const BEFORE_LENGTH = 8;
const HEAD_BYTES = 61;

const sizeOf = (bytes: string | Buffer): number =>
  typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
const zigZag = (n: number): number => (n >= 0 ? n * 2 : -n * 2 - 1);

/** Of a whole number below 2^53, zigzagged. */
function sizeOfVarInt(n: number): number {
  let size = 1;
  for (let rest = zigZag(n); rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function writeVarInt(into: Buffer, at: number, n: number): number {
  let rest = zigZag(n);
  let next = at;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) into[next++] = (rest % 0x80) | 0x80;
  into[next++] = rest;
  return next;
}

const sizeOfBytes = (size: number): number => (size < 0 ? 1 : sizeOfVarInt(size) + size);

/** `size` as it was counted; -1: there is none. */
function writeBytes(into: Buffer, at: number, bytes: string | Buffer | null | undefined, size: number): number {
  const next = writeVarInt(into, at, size);
  if (bytes == null) return next;
  if (typeof bytes === 'string') into.write(bytes, next, size, 'utf8');
  else bytes.copy(into, next);
  return next + size;
}

/** One record of a batch, version 2 of the format. Its bytes are written where they belong, once. */
export class KafkaRecord implements Encoded {
  readonly bytes: number;
  readonly #fields: RecordFields;
  readonly #body: number;
  readonly #key: number;
  readonly #value: number;
  /** Name, value, their sizes, name, … */
  readonly #headers: (HeaderValue | number)[] = [];

  constructor(fields: RecordFields) {
    this.#fields = fields;
    this.#key = fields.key == null ? -1 : sizeOf(fields.key);
    this.#value = fields.value == null ? -1 : sizeOf(fields.value);
    let headers = 0;
    if (fields.headers !== undefined)
      for (const name in fields.headers) {
        const value = fields.headers[name] as HeaderValue | readonly HeaderValue[];
        if (Array.isArray(value)) for (const one of value) headers += this.#header(name, one);
        else headers += this.#header(name, value as HeaderValue);
      }
    this.#body =
      1 +
      sizeOfVarInt(fields.timestampDelta ?? 0) +
      sizeOfVarInt(fields.offsetDelta ?? 0) +
      sizeOfBytes(this.#key) +
      sizeOfBytes(this.#value) +
      sizeOfVarInt(this.#headers.length / 4) +
      headers;
    this.bytes = sizeOfVarInt(this.#body) + this.#body;
  }

  #header(name: string, value: HeaderValue): number {
    const nameSize = Buffer.byteLength(name);
    const valueSize = value === null ? -1 : sizeOf(value);
    this.#headers.push(name, value, nameSize, valueSize);
    return sizeOfBytes(nameSize) + sizeOfBytes(valueSize);
  }

  write(into: Buffer, at: number): number {
    const { timestampDelta = 0, offsetDelta = 0, key, value } = this.#fields;
    let next = writeVarInt(into, at, this.#body);
    into[next++] = 0;
    next = writeVarInt(into, next, timestampDelta);
    next = writeVarInt(into, next, offsetDelta);
    next = writeBytes(into, next, key, this.#key);
    next = writeBytes(into, next, value, this.#value);
    const headers = this.#headers;
    next = writeVarInt(into, next, headers.length / 4);
    for (let i = 0; i < headers.length; i += 4) {
      next = writeBytes(into, next, headers[i] as string, headers[i + 2] as number);
      next = writeBytes(into, next, headers[i + 1] as HeaderValue, headers[i + 3] as number);
    }
    return next;
  }

  /** By itself, as kafkajs' compression wants it. */
  get buffer(): Buffer {
    const buffer = Buffer.allocUnsafe(this.bytes);
    this.write(buffer, 0);
    return buffer;
  }
  get buf(): Buffer {
    return this.buffer;
  }
  size(): number {
    return this.bytes;
  }
}

type RecordBatch = (fields: BatchFields) => Promise<Encoded>;

/**
 * The head is kafkajs' own, of a batch without records; what depends on the records is put into it: length, checksum and their
 * number.
 */
export function batchWith(original: RecordBatch, crc32c: (bytes: Buffer) => number): RecordBatch {
  return async (fields) => {
    if (((fields.compression ?? 0) & COMPRESSION_MASK) !== 0) return original(fields);
    const { records } = fields;
    const head = (await original({ ...fields, records: [] })).buffer;
    let bytes = HEAD_BYTES;
    for (const record of records) bytes += record.bytes;
    const buffer = Buffer.allocUnsafe(bytes);
    head.copy(buffer, 0, 0, HEAD_BYTES);
    let at = HEAD_BYTES;
    for (const record of records) at = record.write(buffer, at);
    buffer.writeInt32BE(bytes - BEFORE_LENGTH - 4, BEFORE_LENGTH);
    buffer.writeInt32BE(records.length, HEAD_BYTES - 4);
    buffer.writeUInt32BE(crc32c(buffer.subarray(21)), 17);
    return { buf: buffer, buffer, size: () => bytes };
  };
}

interface Encoder {
  buf: Buffer;
  offset: number;
  ensureAvailable(bytes: number): void;
}

const PRODUCE_REQUEST = /kafkajs.src.protocol.requests.produce.v\d+.request\.js$/;
let patched = false;

/**
 * kafkajs 2.2.4 makes an encoder with 512 zeroed bytes for every record and every header and a Buffer for every number in it, so
 * that a record of three headers costs a producer twelve allocations and twice the CPU. Ours writes a batch into one buffer.
 * A produce request looks for these modules when it is loaded, which is when the first of its version is made.
 */
export function encodeBatchesInOneGo(): void {
  if (patched) return;
  patched = true;
  const load = createRequire(import.meta.url);
  const name = 'kafkajs/src/protocol/recordBatch/record/v0/index.js';
  load(name);
  (load.cache[load.resolve(name)] as { exports: unknown }).exports = (fields: RecordFields) => new KafkaRecord(fields);
  const batches = load('kafkajs/src/protocol/recordBatch/v0/index.js') as { RecordBatch: RecordBatch };
  const crc32c = load('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (bytes: Buffer) => number;
  batches.RecordBatch = batchWith(batches.RecordBatch, crc32c);
  for (const loaded of Object.keys(load.cache)) if (PRODUCE_REQUEST.test(loaded)) delete load.cache[loaded];
  const { prototype } = load('kafkajs/src/protocol/encoder.js') as { prototype: Encoder };
  // Nobody sees what lies behind `offset`: it need not be zeroed.
  prototype.ensureAvailable = function (bytes) {
    const needed = this.offset + bytes;
    if (needed <= this.buf.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed + 64, this.buf.length * 2));
    this.buf.copy(larger, 0, 0, this.offset);
    this.buf = larger;
  };
}

/**
 * kafkajs sorts the messages of a request by partition and copies what it has of one for each message that joins it
 * (producer/groupMessagesPerPartition.js): 2,000 of one partition are two million copies. It calls `reduce`, here alone; ours
 * asks the partitioner once for each partition, which every message names.
 */
export function sortedInOneGo<M extends { readonly partition: number }>(messages: M[]): M[] {
  const reduce = (place: (sorted: object, message: M) => Record<number, M[]>): Record<number, M[]> => {
    const sorted: Record<number, M[]> = {};
    for (const message of messages) {
      const there = sorted[message.partition];
      if (there === undefined) Object.assign(sorted, place({}, message));
      else there.push(message);
    }
    return sorted;
  };
  return Object.assign(messages, { reduce: reduce as never });
}
