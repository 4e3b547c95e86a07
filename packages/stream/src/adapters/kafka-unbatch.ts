import { createRequire } from 'node:module';

interface Decoder {
  readonly buffer: Buffer;
  offset: number;
}

/** Of the batch that a record stands in, as kafkajs has read it. */
export interface BatchContext {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly maxTimestamp: string;
  readonly magicByte?: number;
  readonly isControlBatch?: boolean;
  readonly timestampType?: number;
}

type Read = (decoder: Decoder, context: BatchContext) => object;

const LOG_APPEND_TIME = 1;
/** A number of seven bytes is below 2^49: exact, and so is its sum with a time or an offset. */
const MAX_VARINT_BYTES = 7;
/** A record that is not what it should be; kafkajs says what it makes of it. */
const STRANGE = -1;

/** Reads records of format 2. One at a time, because nothing in it waits. */
class Reader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  isStrange = false;

  begin(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#at = 1;
    this.isStrange = bytes.length === 0;
  }

  varInt(): number {
    const bytes = this.#bytes;
    let value = 0;
    let factor = 1;
    for (let read = 0; read < MAX_VARINT_BYTES; read++) {
      const byte = bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      factor *= 0x80;
    }
    this.isStrange = true;
    return STRANGE;
  }

  bytes(): Buffer | null {
    const size = this.varInt();
    if (size === -1) return null;
    const from = this.#at;
    this.#at += size;
    if (size < 0 || this.#at > this.#bytes.length) this.isStrange = true;
    return this.#bytes.subarray(from, this.#at);
  }

  text(): string {
    const size = this.varInt();
    const from = this.#at;
    this.#at += size;
    if (size < 0 || this.#at > this.#bytes.length) {
      this.isStrange = true;
      return '';
    }
    return this.#bytes.toString('utf8', from, this.#at);
  }

  /** Of a name that was written twice the last value counts. Without a prototype every name is a property like any other. */
  headers(): Record<string, Buffer | null> {
    const headers: Record<string, Buffer | null> = Object.create(null);
    const count = this.varInt();
    // Each has two bytes at least.
    if (count < 0 || count * 2 > this.#bytes.length - this.#at) this.isStrange = true;
    for (let i = 0; i < count && !this.isStrange; i++) headers[this.text()] = this.bytes();
    return headers;
  }
}

/** What kafkajs' own decoder of records gives, except for its times and offsets by way of BigInt, at a third of the cost. */
export function recordReader(original: Read): Read {
  const reader = new Reader();
  return (decoder, context) => {
    const { firstOffset, firstTimestamp, timestampType, maxTimestamp, magicByte, isControlBatch = false } = context;
    reader.begin(decoder.buffer);
    const attributes = decoder.buffer.length > 0 ? decoder.buffer.readInt8(0) : 0;
    const timestampDelta = reader.varInt();
    const timestamp =
      timestampType === LOG_APPEND_TIME && maxTimestamp
        ? maxTimestamp
        : String(Number(firstTimestamp) + timestampDelta);
    const offset = String(Number(firstOffset) + reader.varInt());
    const key = reader.bytes();
    const value = reader.bytes();
    const headers = reader.headers();
    if (reader.isStrange) return original(decoder, context);
    return {
      magicByte,
      attributes,
      timestamp,
      offset,
      key,
      value,
      headers,
      isControlRecord: isControlBatch,
      batchContext: context,
    };
  };
}

/** What a fetch loads when its answer is first read, and what that has kept of the decoder. */
const FETCH_ANSWER = /kafkajs.src.protocol.(requests.fetch.v\d+.(response|decodeMessages)|recordBatch.v0.decoder)\.js$/;
let patched = false;

/** kafkajs 2.2.4 reads each record by way of two BigInt objects and a copy of its headers for each header. */
export function readRecordsInOneGo(): void {
  if (patched) return;
  patched = true;
  const load = createRequire(import.meta.url);
  const name = 'kafkajs/src/protocol/recordBatch/record/v0/decoder.js';
  const original = load(name) as Read;
  (load.cache[load.resolve(name)] as { exports: unknown }).exports = recordReader(original);
  for (const loaded of Object.keys(load.cache)) if (FETCH_ANSWER.test(loaded)) delete load.cache[loaded];
}
