import avsc from 'avsc';
import { type CampaignEvent, type DeliveryEvent, type Message, SCHEMA_TEXTS } from './records.generated.ts';
import type { RecordName } from './topics.ts';

/**
 * Records <-> bytes in Confluent framing: byte 0 is 0, bytes 1 to 4 the schema id (big endian), then Avro.
 * Encoding and decoding are synchronous; only an id that was never seen needs the registry (registry.ts).
 */
export interface Records {
  CampaignEvent: CampaignEvent;
  Message: Message;
  DeliveryEvent: DeliveryEvent;
}

export const FRAME_BYTES = 5;
/** Above this nothing is decoded. A lane's record is at most 1 MiB; a dead letter's value is the same bytes. */
export const MAX_RECORD_BYTES = 1_048_576;

/**
 * Items of an array guard the decoder: Avro lets six bytes announce 200 million items, and avsc reads on past the end
 * of the buffer. A string there is undefined, which this refuses, so that the loop ends at the first missing item.
 */
class PresentString extends avsc.types.LogicalType {
  protected override _fromValue(value: unknown): unknown {
    if (value === undefined) throw new Error('array is truncated');
    return value;
  }
  protected override _toValue(value: unknown): unknown {
    return value;
  }
  protected override _resolve(type: avsc.Type): unknown {
    return avsc.Type.isType(type, 'string') || type.typeName === 'logical:present'
      ? (value: unknown) => this._fromValue(value)
      : undefined;
  }
}

interface ArraySchema {
  type: string;
  items?: unknown;
  values?: unknown;
}

/** `records`: names of the records around it, and of those that were before it. */
function guardItems(schema: unknown, records = new Set<string>()): unknown {
  const guarded = (inner: unknown) => guardItems(inner, records);
  if (Array.isArray(schema)) return schema.map(guarded);
  // Records that name records, each the one before it twice, are forty lines of schema and 2^40 steps of decoding no bytes.
  if (typeof schema === 'string' && records.has(schema.slice(schema.lastIndexOf('.') + 1)))
    throw new Error('a schema that names a record again is not accepted');
  if (typeof schema !== 'object' || schema === null) return schema;
  const s = schema as ArraySchema & { name?: unknown; fields?: { type: unknown }[] };
  if (s.fields) {
    if (typeof s.name === 'string') records.add(s.name.slice(s.name.lastIndexOf('.') + 1));
    return { ...s, fields: s.fields.map((f) => ({ ...f, type: guarded(f.type) })) };
  }
  if (s.type === 'array' && s.items === 'string') return { ...s, items: { type: 'string', logicalType: 'present' } };
  // Any other array or map could hold items of no width: a count without bytes behind it.
  if (s.type === 'array' || s.type === 'map')
    throw new Error(`a schema with ${s.type} of anything but strings is not accepted`);
  return { ...s, type: guarded(s.type) };
}

/**
 * An array that only the writer has is skipped by avsc as its count and block sizes say, unbounded: 200 million items
 * took 1.6 s, and a negative block size steps back and never ends. Reading it instead meets the guard of its items.
 */
class ReadNotSkipped extends avsc.types.ArrayType {
  protected _skip(tap: unknown): void {
    (this as unknown as { _read(tap: unknown): unknown })._read(tap);
  }
}

const typeHook = (schema: unknown, options: unknown): avsc.Type | undefined =>
  (schema as { type?: unknown }).type === 'array' ? new ReadNotSkipped(schema as avsc.Schema, options) : undefined;

export function parseSchema(text: string): avsc.Type {
  const schema = guardItems(JSON.parse(text)) as avsc.Schema;
  return avsc.Type.forSchema(schema, {
    logicalTypes: { present: PresentString },
    omitRecordMethods: true,
    typeHook: typeHook as never,
  });
}

export const RECORD_TYPES: Readonly<Record<RecordName, avsc.Type>> = {
  CampaignEvent: parseSchema(SCHEMA_TEXTS.CampaignEvent),
  Message: parseSchema(SCHEMA_TEXTS.Message),
  DeliveryEvent: parseSchema(SCHEMA_TEXTS.DeliveryEvent),
};

/** `value -> framed bytes`. One growing buffer per encoder is reused; what is returned is a copy of exact length. */
export function createEncoder<N extends RecordName>(name: N, schemaId: number): (value: Records[N]) => Buffer {
  const type = RECORD_TYPES[name];
  let scratch = Buffer.allocUnsafe(4_096);
  scratch.writeUInt8(0, 0);
  scratch.writeUInt32BE(schemaId, 1);
  return (value) => {
    let end = type.encode(value, scratch, FRAME_BYTES);
    if (end < 0) {
      // avsc answers minus the number of bytes that were missing.
      const bigger = Buffer.allocUnsafe((scratch.length - end) * 2);
      scratch.copy(bigger, 0, 0, FRAME_BYTES);
      scratch = bigger;
      end = type.encode(value, scratch, FRAME_BYTES);
    }
    return Buffer.from(scratch.subarray(0, end));
  };
}

export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: 'undecodable' | 'unknown_schema' | 'wrong_record'; readonly detail: string }
  /** The schema of this id must be fetched first: `await store.load(id)`, then decode again. */
  | { readonly ok: false; readonly reason: 'needs_schema'; readonly schemaId: number };

/** What is known of writer schemas by id. `unknown`: the registry said, and can be believed, that there is none. */
export interface SchemaStore {
  get(id: number): avsc.Type | 'unknown' | undefined;
  /** Resolves when `get` has an answer; rejects when the registry could not be asked (never a reason to give up a record). */
  load(id: number): Promise<void>;
}

const failed = (reason: 'undecodable' | 'unknown_schema' | 'wrong_record', detail: string) =>
  ({ ok: false, reason, detail }) as const;

export function createDecoder<N extends RecordName>(
  name: N,
  store: SchemaStore,
): (bytes: Buffer | null) => Decoded<Records[N]> {
  const reader = RECORD_TYPES[name];
  // One resolver per writer schema, not one per record: building it costs more than a thousand decodes.
  const resolvers = new Map<number, avsc.Type['createResolver'] extends (t: avsc.Type) => infer R ? R : never>();
  return (bytes) => {
    if (bytes === null) return failed('undecodable', 'the record has no value');
    if (bytes.length <= FRAME_BYTES || bytes[0] !== 0) return failed('undecodable', 'not in Confluent framing');
    if (bytes.length > MAX_RECORD_BYTES) return failed('undecodable', `longer than ${MAX_RECORD_BYTES} bytes`);
    const schemaId = bytes.readUInt32BE(1);
    const writer = store.get(schemaId);
    if (writer === undefined) return { ok: false, reason: 'needs_schema', schemaId };
    if (writer === 'unknown') return failed('unknown_schema', `schema id ${schemaId} does not exist`);
    if (writer.name !== reader.name) return failed('wrong_record', `written as ${writer.name ?? writer.typeName}`);
    try {
      let resolver = resolvers.get(schemaId);
      if (resolver === undefined) {
        resolver = reader.createResolver(writer);
        resolvers.set(schemaId, resolver);
      }
      const { value, offset } = reader.decode(bytes, FRAME_BYTES, resolver) as { value: Records[N]; offset: number };
      if (offset < 0) return failed('undecodable', 'truncated');
      if (offset !== bytes.length) return failed('undecodable', `${bytes.length - offset} bytes left over`);
      return { ok: true, value };
    } catch (error) {
      return failed('undecodable', (error as Error).message);
    }
  };
}
