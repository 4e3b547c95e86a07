import { type Message, SCHEMA_TEXTS } from '@volley/contract';
import type { Hostile } from '../kit/hostile.ts';
import { decoyEvent, decoyMessage, type HostileRow, inDeliveries, inLanes } from '../kit/hostile-ground.ts';

const long = (value: number): Buffer => {
  const bytes: number[] = [];
  let n = BigInt(value) * 2n;
  if (n < 0n) n = -n - 1n;
  for (; n > 127n; n >>= 7n) bytes.push(Number(n & 127n) | 128);
  bytes.push(Number(n));
  return Buffer.from(bytes);
};
const text = (value: string): Buffer => Buffer.concat([long(Buffer.byteLength(value)), Buffer.from(value)]);

/** A message's body up to its `tags`, and these instead of what follows. */
const bodyWithTags = (m: Message, tags: Buffer, rest: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([
    text(m.message_id),
    long(m.run),
    text(m.tenant_id),
    text(m.campaign_id),
    long(m.campaign_version),
    long(m.ordinal),
    text(m.recipient),
    text(m.vars),
    tags,
    rest,
  ]);

/** The message's schema with one more field, without a default: a writer that knows more than we do. */
const schemaWith = (type: unknown): string => {
  const schema = JSON.parse(SCHEMA_TEXTS.Message) as { fields: unknown[] };
  return JSON.stringify({ ...schema, fields: [...schema.fields, { name: 'more', type }] });
};

const COUNT = 200_000_000;

/** What cannot be read. */
export const UNREADABLE: readonly HostileRow[] = [
  {
    id: 'K01',
    fault: 'no value, an empty one, four bytes, a wrong magic byte, a head without a body',
    expected: '`undecodable`',
    records(ground) {
      const { messageId, eventId, framed } = ground.stranger;
      const values: [string, Buffer | null][] = [
        ['no value', null],
        ['an empty value', Buffer.alloc(0)],
        ['four bytes', Buffer.from([0, 0, 0, 1])],
        ['a wrong magic byte', Buffer.concat([Buffer.from([7]), framed(messageId, Buffer.alloc(40))])],
      ];
      return [
        ...values.flatMap(([what, value]) => [
          ...inLanes(ground, what, 'undecodable', { value }),
          inDeliveries(ground, what, 'undecodable', value),
        ]),
        ...inLanes(ground, 'a head alone', 'undecodable', { value: framed(messageId, Buffer.alloc(0)) }),
        inDeliveries(ground, 'a head alone', 'undecodable', framed(eventId, Buffer.alloc(0))),
      ];
    },
  },
  {
    id: 'K02',
    fault: 'schema ids that the registry does not know',
    expected: '`unknown_schema`, after the registry said so three times of each of four, one after the other',
    withinMs: 20_000,
    records(ground) {
      const body = ground.stranger.message(decoyMessage(ground, 'k02')).subarray(5);
      return [0, 7_654_321, 2 ** 31, 2 ** 32 - 1].flatMap((id) => [
        ...inLanes(ground, `schema ${id}`, 'unknown_schema', { value: ground.stranger.framed(id, body) }),
        inDeliveries(ground, `schema ${id}`, 'unknown_schema', ground.stranger.framed(id, body)),
      ]);
    },
  },
  {
    id: 'K04',
    fault: 'records of another kind under an id that exists',
    expected: '`wrong_record`',
    records(ground) {
      const { message, event } = ground.stranger;
      return [
        ...inLanes(ground, 'a delivery event', 'wrong_record', { value: event(decoyEvent(ground)) }),
        inDeliveries(ground, 'a message', 'wrong_record', message(decoyMessage(ground, 'k04'))),
      ];
    },
  },
  {
    id: 'K05',
    fault: 'truncated, with bytes left over, a branch that no union has, a length below zero, a writer without a field',
    expected: '`undecodable`: exactly the bytes of the record, or nothing',
    async records(ground) {
      const { message, event, framed, register, messageId } = ground.stranger;
      const whole = message(decoyMessage(ground, 'k05'));
      const wholeEvent = event(decoyEvent(ground));
      const schema = JSON.parse(SCHEMA_TEXTS.Message) as { fields: { name: string }[] };
      const fields = schema.fields.filter(({ name }) => name !== 'recipient' && name !== 'message_id');
      const without = await register(JSON.stringify({ ...schema, fields }));
      const branch = Buffer.from(whole);
      branch[whole.length - 1] = 8;
      const values: [string, Buffer][] = [
        ['cut in the middle', whole.subarray(0, 40)],
        ['one byte short', whole.subarray(0, -1)],
        ['one byte too many', Buffer.concat([whole, Buffer.from([0])])],
        ['an unknown branch', branch],
        ['a length below zero', framed(messageId, Buffer.concat([long(-5), Buffer.alloc(60, 65)]))],
        ['a number that never ends', framed(messageId, Buffer.alloc(60, 255))],
        ['a writer that never had a recipient', framed(without, whole.subarray(5 + 37))],
      ];
      return [
        ...values.flatMap(([what, value]) => inLanes(ground, what, 'undecodable', { value })),
        inDeliveries(ground, 'one byte short', 'undecodable', wholeEvent.subarray(0, -1)),
        inDeliveries(ground, 'one byte too many', 'undecodable', Buffer.concat([wholeEvent, Buffer.from([0])])),
      ];
    },
  },
  {
    id: 'K06',
    fault: 'bombs: counts and lengths without bytes behind them, schemas of no width, of no end, of 2^40 steps',
    expected:
      '`undecodable`, or `unknown_schema` for a schema of a shape that nobody reads; at once, in constant memory',
    async records(ground) {
      const { framed, register, messageId, message } = ground.stranger;
      const m = decoyMessage(ground, 'k06');
      const whole = message(m).subarray(5);
      const after = Buffer.concat([text('bulk'), long(0), Buffer.from([0])]);
      let doubling: unknown = { type: 'record', name: 'R0', fields: [] };
      for (let i = 1; i <= 40; i++)
        doubling = {
          type: 'record',
          name: `R${i}`,
          fields: [
            { name: 'a', type: doubling },
            { name: 'b', type: `R${i - 1}` },
          ],
        };
      const list = { type: 'record', name: 'Node', fields: [{ name: 'next', type: ['null', 'Node'] }] };
      const [nulls, map, strings, nodes, steps] = await Promise.all([
        register(schemaWith({ type: 'array', items: 'null' })),
        register(schemaWith({ type: 'map', values: 'null' })),
        register(schemaWith({ type: 'array', items: 'string' })),
        register(schemaWith(list)),
        register(schemaWith(doubling)),
      ]);
      const values: [string, Buffer, Hostile['ends']][] = [
        ['200 million tags', framed(messageId, bodyWithTags(m, long(COUNT))), 'undecodable'],
        ['200 million tags and the rest', framed(messageId, bodyWithTags(m, long(COUNT), after)), 'undecodable'],
        [
          'a block that steps back',
          framed(messageId, bodyWithTags(m, Buffer.concat([long(-COUNT), long(-8)]), after)),
          'undecodable',
        ],
        ['a text of 2^50 bytes', framed(messageId, long(2 ** 50)), 'undecodable'],
        ['200 million nulls', framed(nulls, Buffer.concat([whole, long(COUNT)])), 'unknown_schema'],
        ['a map of 200 million', framed(map, Buffer.concat([whole, long(COUNT)])), 'unknown_schema'],
        ['200 million strings of the writer', framed(strings, Buffer.concat([whole, long(COUNT)])), 'undecodable'],
        [
          'a block of the writer that steps back',
          framed(strings, Buffer.concat([whole, long(-COUNT), long(-8)])),
          'undecodable',
        ],
        ['a list of 900,000', framed(nodes, Buffer.concat([whole, Buffer.alloc(900_000, 2)])), 'unknown_schema'],
        ['a schema of 2^40 steps', framed(steps, whole), 'unknown_schema'],
      ];
      return values.flatMap(([what, value, ends]) => inLanes(ground, what, ends, { value }));
    },
  },
];
