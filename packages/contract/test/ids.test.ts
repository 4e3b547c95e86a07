import test from 'ava';
import fc from 'fast-check';
import {
  belongsTo,
  campaignIdFrom,
  campaignIdOfMessage,
  directMessageIdFrom,
  directMessageIdOf,
  directRange,
  isCampaignId,
  isDirectMessageId,
  isMessageId,
  MAX_ORDINAL,
  messageIdOf,
  ordinalIn,
  ordinalOfMessage,
} from '../src/ids.ts';

const epochMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const random = fc.uint8Array({ minLength: 6, maxLength: 6 });
const campaign = fc.tuple(epochMs, random).map(([ms, bytes]) => campaignIdFrom(ms, bytes));
const ordinal = fc.integer({ min: 1, max: MAX_ORDINAL });
const clientId = fc.string({ unit: 'grapheme', minLength: 1 });
const random8 = fc.uint8Array({ minLength: 8, maxLength: 8 });

test('known answers: the layout is public', (t) => {
  const id = campaignIdFrom(1_763_719_200_123, Uint8Array.from([0xab, 0xcd, 0xef, 0x01, 0x23, 0x45]));
  t.is(id, '019aa5db-3d7b-7abc-9ef0-123400000000');
  t.is(messageIdOf(id, 1), '019aa5db-3d7b-7abc-9ef0-123400000001');
  t.is(messageIdOf(id, MAX_ORDINAL), '019aa5db-3d7b-7abc-9ef0-1234ffffffff');
  t.is(directMessageIdOf(id, 'order-1'), '019aa5db-3d7b-7abc-b348-c02837f27e24');
  t.is(directMessageIdOf(id, 'Bestellung 2 für Zoë'), '019aa5db-3d7b-7abc-a34f-1558f279120d');
});

test('a campaign id is a UUIDv7 of its time and is no message id', (t) => {
  fc.assert(
    fc.property(epochMs, random, (ms, bytes) => {
      const id = campaignIdFrom(ms, bytes);
      t.regex(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89][0-9a-f]{3}-[0-9a-f]{12}$/);
      t.is(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16), ms);
      t.true(isCampaignId(id));
      t.false(isMessageId(id));
    }),
  );
});

test('a message id gives back its campaign and its ordinal', (t) => {
  fc.assert(
    fc.property(campaign, ordinal, (id, n) => {
      const messageId = messageIdOf(id, n);
      t.is(campaignIdOfMessage(messageId), id);
      t.is(ordinalOfMessage(messageId), n);
      t.true(isMessageId(messageId));
      t.false(isCampaignId(messageId));
    }),
  );
});

test('message ids sort as text in the order of their ordinals, and after their campaign', (t) => {
  fc.assert(
    fc.property(campaign, ordinal, ordinal, (id, a, b) => {
      const [x, y] = [messageIdOf(id, a), messageIdOf(id, b)];
      t.is(Math.sign(a - b), x < y ? -1 : x > y ? 1 : 0);
      t.true(id < x);
    }),
  );
});

test('ids of campaigns sort by their time', (t) => {
  fc.assert(
    fc.property(epochMs, epochMs, random, random, (a, b, r, s) => {
      t.true(a >= b || campaignIdFrom(a, r) < campaignIdFrom(b, s));
    }),
  );
});

test('41 random bits count: a change in any of them is another campaign', (t) => {
  const zeros = new Uint8Array(6);
  const ids = new Set([campaignIdFrom(1, zeros)]);
  for (let bit = 0; bit < 48; bit++) {
    const bytes = new Uint8Array(6);
    bytes[bit >> 3] = 0x80 >> (bit & 7);
    ids.add(campaignIdFrom(1, bytes));
  }
  // 44 bits of the input are used, three of which give way to the variant.
  t.is(ids.size - 1, 41);
});

test('messages of different campaigns never share an id', (t) => {
  fc.assert(
    fc.property(campaign, campaign, ordinal, ordinal, (a, b, m, n) => {
      t.is(messageIdOf(a, m) === messageIdOf(b, n), a === b && m === n);
    }),
  );
});

test('a direct message id is a message id of its campaign, without a place, and within its range', (t) => {
  fc.assert(
    fc.property(campaign, clientId, (id, client) => {
      const messageId = directMessageIdOf(id, client);
      t.true(isMessageId(messageId));
      t.true(isDirectMessageId(messageId));
      t.false(isCampaignId(messageId));
      t.is(ordinalIn(messageId, id), 0);
      t.is(directMessageIdOf(id, client), messageId, 'the same again');
      const { from, to } = directRange(messageId);
      t.true(from <= id && id <= to);
    }),
  );
});

test('the two layouts never meet: a place is never a hash, and no hash is a place', (t) => {
  fc.assert(
    fc.property(campaign, campaign, ordinal, random8, (a, b, n, bytes) => {
      const [placed, direct] = [messageIdOf(a, n), directMessageIdFrom(b, bytes)];
      t.not(placed, direct);
      t.false(isDirectMessageId(placed));
      t.is(ordinalIn(placed, a), n);
      t.is(ordinalIn(direct, b), 0);
      t.is(belongsTo(placed, b), a === b);
      t.is(belongsTo(direct, a), a.slice(0, 18) === b.slice(0, 18));
    }),
  );
});

test('61 bits of a direct message id count: a change in any of them is another message', (t) => {
  const id = campaignIdFrom(1, new Uint8Array(6));
  const ids = new Set<string>();
  for (let bit = 0; bit < 64; bit++) {
    const bytes = new Uint8Array(8).fill(0x11);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (0x80 >> (bit & 7));
    ids.add(directMessageIdFrom(id, bytes));
  }
  // Three bits give way to the variant; each of them gives the id of no change.
  t.is(ids.size, 62);
});

test('a direct message whose hash ends in zeros is still no campaign', (t) => {
  const id = campaignIdFrom(1, new Uint8Array(6));
  const messageId = directMessageIdFrom(id, new Uint8Array(8));
  t.true(isMessageId(messageId));
  t.false(isCampaignId(messageId));
});

test('the same client id in two campaigns of the same millisecond is two messages', (t) => {
  const [a, b] = [1, 2].map((n) => campaignIdFrom(1, Uint8Array.from([0, 0, 0, 0, 0, n << 4])));
  t.is(a?.slice(0, 18), b?.slice(0, 18));
  t.not(directMessageIdOf(a as string, 'x'), directMessageIdOf(b as string, 'x'));
});

test('a campaign of before, with the variant of a direct message, still knows its messages', (t) => {
  const old = '019aa5b2-7c00-7abc-bdef-012300000000';
  t.true(isCampaignId(old));
  t.is(ordinalIn(messageIdOf(old, 7), old), 7);
  t.is(ordinalIn(directMessageIdOf(old, 'x'), old), 0);
});

test('an ordinal outside its 32 bits is refused', (t) => {
  const id = campaignIdFrom(1, new Uint8Array(6));
  for (const n of [0, -1, MAX_ORDINAL + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => messageIdOf(id, n), { instanceOf: RangeError }, String(n));
  }
});

const NO_ID = [
  '',
  '019aa5b2-7c00-4abc-8def-012300000000',
  '019aa5b2-7c00-7abc-cdef-012300000000',
  '019AA5B2-7C00-7ABC-8DEF-012300000000',
  '019aa5b27c007abc8def012300000000',
  ' 019aa5b2-7c00-7abc-8def-012300000000',
  '019aa5b2-7c00-7abc-8def-012300000000\n',
  "019aa5b2-7c00-7abc-8def-0123000000';",
];
for (const text of NO_ID) {
  test(`no id: ${JSON.stringify(text)}`, (t) => {
    t.false(isCampaignId(text));
    t.false(isMessageId(text));
    t.false(isDirectMessageId(text));
    t.is(ordinalIn(text, '019aa5b2-7c00-7abc-8def-012300000000'), undefined);
  });
}

test('an id that is none, or the beginning of one, has no messages', (t) => {
  const id = '019aa5b2-7c00-7abc-8def-012300000000';
  for (const campaignId of ['', '0', id.slice(0, 18), id.slice(0, 28), `${id.slice(0, 28)}zzzzzzzz`, `${id}0`])
    for (const messageId of [messageIdOf(id, 7), directMessageIdOf(id, 'x')])
      t.is(ordinalIn(messageId, campaignId), undefined, `${messageId} of "${campaignId}"`);
});
