import { createDecoder, directMessageIdOf, HEADERS, messageIdOf, partitionOf, RECORD_TYPES } from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import type { Campaign } from '../../src/core/campaign.ts';
import { messageWriter, ordinalInLog, varsOf } from '../../src/core/message.ts';
import { createVersionWatch } from '../../src/core/version-watch.ts';
import { encoderOf } from '../support/log.ts';

const row = { ordinal: 7, recipient: 'a@b.example', name: 'Ann', tags: ['x'], attributes: '{"city":"台北"}' };
const ID = '01a1fdc2-e2c6-780b-84ec-2fe500000000';

const VARS: [name: string | null, attributes: string, vars: object][] = [
  ['Ann', '{}', { name: 'Ann' }],
  ['Ann', '{"city": "x"}', { city: 'x', name: 'Ann' }],
  [null, '{"city": "x"}', { city: 'x' }],
  [null, '{}', {}],
  ['"}\\ \u2028 🎈', '{"a": [1, {"b": null}]}', { a: [1, { b: null }], name: '"}\\ \u2028 🎈' }],
];
for (const [name, attributes, vars] of VARS)
  test(`variables of ${JSON.stringify(name)} and ${attributes}`, (t) =>
    t.deepEqual(JSON.parse(varsOf({ ...row, name, attributes })), vars));

test('variables are the JSON of attributes and name, whatever they are', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.dictionary(fc.string(), fc.jsonValue()), (name, attributes) => {
      const { name: _, ...others } = attributes;
      t.deepEqual(
        JSON.parse(varsOf({ ...row, name, attributes: JSON.stringify(others) })),
        JSON.parse(JSON.stringify({ ...others, name })),
      );
    }),
  );
});

test('a message carries what the dispatcher needs, and its headers what an unreadable one needs', (t) => {
  const campaign = {
    campaign_id: ID,
    tenant_id: 'default',
    lane: 'bulk',
    expires_at: 99,
    spread: 1,
    partitions: 12,
    sent_version: 4,
  } as Campaign;
  const record = messageWriter(campaign, 'lane', encoderOf('Message'))(row, 1_000);
  t.is(record.partition, partitionOf(ID, row.recipient, 1, 12));
  t.is(record.key.toString(), ID);
  t.deepEqual(Object.fromEntries(Object.entries(record.headers).map(([k, v]) => [k, String(v)])), {
    [HEADERS.messageId]: messageIdOf(ID, 7),
    [HEADERS.tenantId]: 'default',
    [HEADERS.campaignId]: ID,
    [HEADERS.lane]: 'bulk',
  });
  const decode = createDecoder('Message', { get: () => RECORD_TYPES.Message, load: async () => {} });
  const decoded = decode(record.value);
  t.deepEqual(decoded.ok && { ...decoded.value }, {
    message_id: messageIdOf(ID, 7),
    run: 0,
    tenant_id: 'default',
    campaign_id: ID,
    campaign_version: 4,
    ordinal: 7,
    recipient: 'a@b.example',
    vars: '{"city":"台北","name":"Ann"}',
    tags: ['x'],
    lane: 'bulk',
    queued_at: 1_000,
    expires_at: 99,
  });
});

test('a larger spread uses neighbours, and keeps a recipient in one partition', (t) => {
  const campaign = { campaign_id: ID, tenant_id: 'd', lane: 'bulk', spread: 4, partitions: 12 } as Campaign;
  const write = messageWriter(campaign, 'lane', encoderOf('Message'));
  const seen = new Set<number>();
  for (let i = 0; i < 100; i++) {
    const recipient = `p${i}@b.example`;
    const { partition } = write({ ...row, recipient }, 0);
    t.is(partition, partitionOf(ID, recipient, 4, 12));
    seen.add(partition);
  }
  t.is(seen.size, 4);
});

test('the ordinal of a record is read from its headers, of this campaign only', (t) => {
  const headers = (campaignId: string, messageId: string) => ({
    [HEADERS.campaignId]: Buffer.from(campaignId),
    [HEADERS.messageId]: Buffer.from(messageId),
  });
  t.is(ordinalInLog(headers(ID, messageIdOf(ID, 4_000_000_000)), ID), 4_000_000_000);
  t.is(ordinalInLog(headers('other', messageIdOf(ID, 5)), ID), 0);
  t.is(ordinalInLog(headers(ID, 'nonsense'), ID), 0);
  t.is(ordinalInLog({}, ID), 0);
  t.is(ordinalInLog(headers(ID, directMessageIdOf(ID, 'x')), ID), 0, 'its last digits are no place');
});

test('a campaign whose newest record is an old version is told, until the current one follows', (t) => {
  const watch = createVersionWatch();
  watch.saw('a', 1);
  watch.saw('a', 2);
  watch.saw('a', 2);
  t.deepEqual(watch.outdated(), []);
  watch.saw('a', 1);
  t.deepEqual(watch.outdated(), ['a']);
  watch.saw('a', 2);
  t.deepEqual(watch.outdated(), []);
  watch.saw('a', 1);
  watch.saw('a', 0);
  t.deepEqual(watch.outdated(), []);
});
