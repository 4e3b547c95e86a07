import test from 'ava';
import avsc from 'avsc';
import {
  createDecoder,
  createEncoder,
  type Decoded,
  FRAME_BYTES,
  MAX_RECORD_BYTES,
  parseSchema,
  RECORD_TYPES,
  type SchemaStore,
} from '../src/codec.ts';
import { type Message, SCHEMA_TEXTS } from '../src/records.generated.ts';
import { GOLDEN_VALUES } from './_golden-values.ts';
import { schemaCases } from './_schemas.ts';

const ID = 1_000_007;
const OTHER_ID = 1_000_008;
const message = GOLDEN_VALUES['message.v1']?.full as unknown as Message;

const storeOf = (types: Record<number, avsc.Type | 'unknown'>): SchemaStore => ({
  get: (id) => types[id],
  load: () => Promise.resolve(),
});
const store = storeOf({ [ID]: RECORD_TYPES.Message, [OTHER_ID]: RECORD_TYPES.DeliveryEvent, 13: 'unknown' });
const encode = createEncoder('Message', ID);
const decoder = createDecoder('Message', store);

/** Decoded values are of a class of avsc's: compared as plain objects. */
const plain = (decoded: Decoded<Message>): unknown =>
  decoded.ok ? { ...decoded, value: { ...decoded.value } } : decoded;
const decode = (bytes: Buffer | null) => plain(decoder(bytes));

/** Payload under a frame with this id. */
const framed = (id: number, payload: Buffer): Buffer => {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32BE(id, 1);
  return Buffer.concat([frame, payload]);
};

test('encoding frames the payload: 0, the id big endian, then Avro', (t) => {
  const bytes = encode(message);
  t.is(bytes[0], 0);
  t.is(bytes.readUInt32BE(1), ID);
  t.deepEqual(bytes.subarray(FRAME_BYTES), RECORD_TYPES.Message.toBuffer(message));
});

test('what is encoded is decoded', (t) => {
  t.deepEqual(decode(encode(message)), { ok: true, value: message });
});

test('an encoded record is not touched by the next one', (t) => {
  const first = encode(message);
  const copy = Buffer.from(first);
  encode({ ...message, recipient: 'x'.repeat(first.length) });
  t.deepEqual(first, copy);
});

test('a record larger than the buffer so far is encoded whole, and so are smaller ones after it', (t) => {
  const own = createEncoder('Message', ID);
  for (const length of [10, 4_090, 4_096, 100_000, 3, 900_000]) {
    const value = { ...message, vars: JSON.stringify({ name: 'é'.repeat(length / 2) }) };
    t.deepEqual(decode(own(value)), { ok: true, value });
  }
});

test('encoding refuses what is no record of the schema', (t) => {
  const wrong: [string, Record<string, unknown>][] = [
    ['null for a text', { recipient: null }],
    ['a number for a text', { recipient: 5 }],
    ['a fraction for an integer', { run: 1.5 }],
    ['an int above 2^31', { run: 2 ** 31 }],
    ['a long above 2^53', { ordinal: 2 ** 53 + 2 }],
    ['null where null is no branch', { queued_at: null }],
  ];
  for (const [what, change] of wrong) t.throws(() => encode({ ...message, ...change } as Message), undefined, what);
});

const undecodable: [string, Buffer | null, RegExp][] = [
  ['no value', null, /no value/],
  ['nothing', Buffer.alloc(0), /framing/],
  ['a frame of 1 byte', Buffer.from([0]), /framing/],
  ['a frame of 4 bytes', Buffer.from([0, 0, 15, 66]), /framing/],
  ['a frame without a payload', framed(ID, Buffer.alloc(0)), /framing/],
  ['another magic byte', Buffer.concat([Buffer.from([1]), encode(message).subarray(1)]), /framing/],
  ['JSON', Buffer.from('{"message_id":"x"}'), /framing/],
  ['one byte more', Buffer.concat([encode(message), Buffer.from([0])]), /1 bytes left over/],
  ['more than 1 MiB', framed(ID, Buffer.alloc(MAX_RECORD_BYTES)), /longer than 1048576/],
];
for (const [what, bytes, detail] of undecodable) {
  test(`undecodable: ${what}`, (t) => {
    const decoded = decode(bytes);
    t.like(decoded, { ok: false, reason: 'undecodable' });
    t.regex((decoded as { detail: string }).detail, detail);
  });
}

test('undecodable: truncated at any byte', (t) => {
  const bytes = encode(message);
  for (let end = 0; end < bytes.length; end++) {
    t.like(decode(bytes.subarray(0, end)), { ok: false, reason: 'undecodable' }, `first ${end} bytes`);
  }
});

test('no single changed byte makes the decoder throw', (t) => {
  const bytes = encode(message);
  for (let at = FRAME_BYTES; at < bytes.length; at++) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const broken = Buffer.from(bytes);
      broken[at] = (broken[at] as number) ^ mask;
      t.notThrows(() => decode(broken));
    }
  }
});

test('a schema that the registry does not know, another record, and a schema never asked for are told apart', (t) => {
  const payload = encode(message).subarray(FRAME_BYTES);
  t.like(decode(framed(13, payload)), { ok: false, reason: 'unknown_schema' });
  t.like(decode(framed(OTHER_ID, payload)), { ok: false, reason: 'wrong_record' });
  t.deepEqual(decode(framed(99, payload)), { ok: false, reason: 'needs_schema', schemaId: 99 });
  t.deepEqual(decode(framed(0xffffffff, payload)), { ok: false, reason: 'needs_schema', schemaId: 0xffffffff });
});

const zigzag = (n: bigint): Buffer => {
  let u = n >= 0n ? n << 1n : ((-n - 1n) << 1n) | 1n;
  const out: number[] = [];
  do {
    out.push(Number(u & 0x7fn) | (u > 0x7fn ? 0x80 : 0));
    u >>= 7n;
  } while (u > 0n);
  return Buffer.from(out);
};

/** A Message payload whose `ordinal` or `tags` are given as raw Avro. */
function payloadWith(raw: { ordinal?: Buffer; tags?: Buffer }): Buffer {
  const text = (s: string) => Buffer.concat([zigzag(BigInt(Buffer.byteLength(s))), Buffer.from(s)]);
  const zero = Buffer.from([0]);
  const before = [text('id'), zero, text('t'), text('c'), zero, raw.ordinal ?? zero, text('r'), text('{}')];
  return Buffer.concat([...before, raw.tags ?? zero, text('bulk'), zero, zero]);
}

test('the payload made by hand is a Message', (t) => {
  t.like(decode(framed(ID, payloadWith({ ordinal: zigzag(42n) }))), { ok: true, value: { ordinal: 42, tags: [] } });
});

for (const n of [2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
  test(`undecodable, never rounded: the long ${n}`, (t) => {
    t.like(decode(framed(ID, payloadWith({ ordinal: zigzag(n) }))), { ok: false, reason: 'undecodable' });
  });
}

test('a long whose bytes never end is undecodable', (t) => {
  const endless = framed(ID, payloadWith({ ordinal: Buffer.alloc(100_000, 0xff) }));
  t.like(decode(endless), { ok: false, reason: 'undecodable' });
});

const BOMBS: [string, Buffer][] = [
  ['200 million items', zigzag(200_000_000n)],
  ['2^62 items', zigzag(2n ** 62n)],
  ['200 million items in a sized block', Buffer.concat([zigzag(-200_000_000n), zigzag(5n)])],
  ['a block of negative size', Buffer.concat([zigzag(-1n), zigzag(-2n)])],
  ['a block of negative size that ends where it began', Buffer.concat([zigzag(-200_000_000n), zigzag(-6n)])],
  ['items of negative length', Buffer.concat([zigzag(200_000_000n), zigzag(-1n)])],
];

/** At most this long and this much more heap: a count without items behind it costs nothing. */
const BOMB_MS = 200;
const BOMB_BYTES = 16 * 1_048_576;

/** The fastest of three: other work of the machine may slow any of them, a loop over the count slows all. */
function assertCheap(t: import('ava').ExecutionContext, run: () => unknown): void {
  let fastestMs = Number.POSITIVE_INFINITY;
  let leastBytes = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const heap = process.memoryUsage().heapUsed;
    const startMs = performance.now();
    t.like(run(), { ok: false, reason: 'undecodable' });
    fastestMs = Math.min(fastestMs, performance.now() - startMs);
    leastBytes = Math.min(leastBytes, process.memoryUsage().heapUsed - heap);
  }
  t.true(fastestMs < BOMB_MS, `took ${fastestMs} ms`);
  t.true(leastBytes < BOMB_BYTES, `took ${leastBytes} bytes`);
}

for (const [what, bomb] of BOMBS) {
  test.serial(`count bomb: ${what}`, (t) => {
    assertCheap(t, () => decode(framed(ID, payloadWith({ tags: bomb }))));
    assertCheap(t, () => decode(framed(ID, payloadWith({ tags: bomb }).subarray(0, -6))));
  });

  test.serial(`count bomb in an array that only the writer has: ${what}`, (t) => {
    const text = schemaCases('compatible').find((c) => c.file === 'message-string-array-added.avsc')?.text as string;
    const newer = createDecoder('Message', storeOf({ [ID]: parseSchema(text) }));
    const whole = parseSchema(text).toBuffer({ ...message, links: [] });
    t.like(newer(framed(ID, whole)), { ok: true, value: { message_id: message.message_id } });
    assertCheap(t, () => newer(framed(ID, Buffer.concat([whole.subarray(0, -1), bomb]))));
  });
}

test('a schema with a map, or an array of anything but strings, is not accepted', (t) => {
  const shapes = [
    { type: 'map', values: 'string' },
    { type: 'array', items: 'null' },
    { type: 'array', items: { type: 'array', items: 'string' } },
    ['null', { type: 'array', items: { type: 'record', name: 'Empty', fields: [] } }],
  ];
  for (const type of shapes) {
    const schema = { type: 'record', name: 'Message', namespace: 'volley', fields: [{ name: 'x', type }] };
    t.throws(() => parseSchema(JSON.stringify(schema)), { message: /not accepted/ });
  }
});

test('a schema that names a record again is not accepted: forty lines of it would be 2^40 steps for no bytes at all', (t) => {
  const schemaWith = (type: unknown) =>
    JSON.stringify({ type: 'record', name: 'Message', namespace: 'volley', fields: [{ name: 'x', type }] });
  let doubling: unknown = { type: 'record', name: 'R0', fields: [] };
  for (let i = 1; i <= 40; i++) {
    const twice = [
      { name: 'a', type: doubling },
      { name: 'b', type: `volley.R${i - 1}` },
    ];
    doubling = { type: 'record', name: `R${i}`, fields: twice };
  }
  const list = { type: 'record', name: 'Node', fields: [{ name: 'next', type: ['null', { type: 'Node' }] }] };
  for (const type of [doubling, list, 'Message', ['null', 'volley.Message']])
    t.throws(() => parseSchema(schemaWith(type)), { message: /names a record again/ });
  const kind = { type: 'enum', name: 'Kind', symbols: ['a'] };
  t.notThrows(() => parseSchema(schemaWith({ type: 'record', name: 'Once', fields: [{ name: 'y', type: kind }] })));
});

test('an older writer: fields it did not have get their defaults, fields the reader has not are left out', (t) => {
  const schema = JSON.parse(SCHEMA_TEXTS.Message);
  const fields = schema.fields.filter((f: { name: string }) => f.name !== 'tags' && f.name !== 'expires_at');
  const older = parseSchema(
    JSON.stringify({ ...schema, fields: [{ name: 'gone', type: 'string', default: '' }, ...fields] }),
  );
  const { tags: _tags, expires_at: _expires, ...rest } = message;
  const decoded = createDecoder(
    'Message',
    storeOf({ [ID]: older }),
  )(framed(ID, older.toBuffer({ ...rest, gone: 'long ago' })));
  t.deepEqual(plain(decoded), { ok: true, value: { ...rest, tags: [], expires_at: null } });
});

test('a writer schema that cannot be read as this record is undecodable, not a crash', (t) => {
  const schema = JSON.parse(SCHEMA_TEXTS.Message);
  schema.fields[0].type = 'boolean';
  schema.fields[0].default = false;
  const foreign = createDecoder('Message', storeOf({ [ID]: parseSchema(JSON.stringify(schema)) }));
  t.like(foreign(encode(message)), { ok: false, reason: 'undecodable' });
});

test.serial('one resolver is built for each writer schema, however many records follow', (t) => {
  const writer = parseSchema(SCHEMA_TEXTS.Message);
  let asked = 0;
  // Types are frozen: the method is watched where it is defined.
  const { createResolver } = avsc.Type.prototype;
  avsc.Type.prototype.createResolver = function (this: avsc.Type, ...args: Parameters<typeof createResolver>) {
    if (this === RECORD_TYPES.Message) asked++;
    return createResolver.apply(this, args);
  };
  t.teardown(() => {
    avsc.Type.prototype.createResolver = createResolver;
  });
  const counting = createDecoder('Message', storeOf({ [ID]: writer, 5: writer }));
  for (let i = 0; i < 100; i++) t.true(counting(encode(message)).ok);
  t.is(asked, 1);
  t.true(counting(framed(5, encode(message).subarray(FRAME_BYTES))).ok);
  t.is(asked, 2);
});
