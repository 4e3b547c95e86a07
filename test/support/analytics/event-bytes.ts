import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeliveryEvent } from '@volley/contract';

/** Magic byte and schema id. */
const FRAME_BYTES = 5;

type FieldType = string | readonly FieldType[] | { readonly type: FieldType; readonly symbols?: readonly string[] };
interface Field {
  readonly name: string;
  readonly type: FieldType;
}

const SCHEMA = join(import.meta.dirname, '..', '..', '..', 'schemas', 'delivery-event.v1.avsc');
const { fields } = JSON.parse(readFileSync(SCHEMA, 'utf8')) as { readonly fields: readonly Field[] };

/**
 * A delivery event from its bytes, read by hand along its schema; undefined: the bytes are none. Whoever counts the log to
 * judge the product does not use the product's codec. What a later schema adds at the end is not looked at.
 */
export function eventIn(value: Buffer | null): DeliveryEvent | undefined {
  if (value === null || value.length < FRAME_BYTES || value[0] !== 0) return undefined;
  let at = FRAME_BYTES;

  function long(): number {
    let sum = 0;
    for (let factor = 1; factor < 2 ** 56; factor *= 128) {
      const byte = value?.[at++];
      if (byte === undefined) throw new RangeError('cut short');
      sum += (byte & 0x7f) * factor;
      if (byte < 128) return sum % 2 === 0 ? sum / 2 : -(sum + 1) / 2;
    }
    throw new RangeError('no number');
  }

  function text(): string {
    const length = long();
    if (length < 0 || at + length > (value as Buffer).length) throw new RangeError('cut short');
    at += length;
    return (value as Buffer).toString('utf8', at - length, at);
  }

  function read(type: FieldType): unknown {
    if (type === 'null') return null;
    if (type === 'string') return text();
    if (type === 'int' || type === 'long') return long();
    if (Array.isArray(type)) return read(type[long()] as FieldType);
    const named = type as { readonly type: FieldType; readonly symbols?: readonly string[] };
    if (named.type === 'enum') return named.symbols?.[long()];
    if (named.type === undefined) throw new RangeError('another type');
    return read(named.type);
  }

  try {
    return Object.fromEntries(fields.map(({ name, type }) => [name, read(type)])) as unknown as DeliveryEvent;
  } catch {
    return undefined;
  }
}
