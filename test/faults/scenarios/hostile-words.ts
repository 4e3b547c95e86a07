import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { directMessageIdOf, type Message, messageIdOf } from '@volley/contract';
import kafkajs from 'kafkajs';
import { until } from '../../support/until.ts';
import {
  decoyEvent,
  decoyMessage,
  type HostileRow,
  inDeliveries,
  inLanes,
  SCHEMAS,
  untilSent,
} from '../kit/hostile-ground.ts';

const golden = (file: string) => readFileSync(join(SCHEMAS, 'golden', file));
/** A record batch, its one record and its lengths around the value; a key of 36 bytes. */
const LARGEST_BYTES = 1_048_576 - 140;
/** Messages whose end somebody contradicts. */
const FORGED = 10;
/** Far more than a topic takes, and less than would end the broker of a development machine. */
const BOMB_BYTES = 64 * 1_048_576;

/** Snappy's format allows for not compressing at all: the length as a varint, then one literal (tag 61: two bytes of length). */
function snappyOf(buffer: Buffer): Buffer {
  const { length } = buffer;
  const head = [(length & 0x7f) | 0x80, length >> 7, 61 << 2, (length - 1) & 0xff, (length - 1) >> 8];
  return Buffer.concat([Buffer.from(head), buffer]);
}

/** What can be read, and is not what it says; what is too large; what is old. */
export const MISLEADING: readonly HostileRow[] = [
  {
    id: 'K07',
    fault: 'batches that somebody compressed, small ones and bombs',
    expected:
      'the broker converts what fits (`undecodable` like any other) and refuses what becomes larger than the topic takes',
    records: () => [],
    async after(ground) {
      const { trial, partition } = ground;
      const { GZIP, Snappy, ZSTD, LZ4 } = kafkajs.CompressionTypes;
      const codecs = kafkajs.CompressionCodecs;
      const before = { [Snappy]: codecs[Snappy], [LZ4]: codecs[LZ4] };
      codecs[Snappy] = () => ({
        compress: async (encoder: { buffer: Buffer }) => snappyOf(encoder.buffer),
        decompress: () => Promise.reject(new Error('nobody reads this')),
      });
      const raw = new kafkajs.Kafka({
        brokers: trial.p.stores.kafka.split(','),
        logLevel: kafkajs.logLevel.NOTHING,
        retry: { retries: 0 },
      }).producer();
      await raw.connect();
      const unattributed = async () =>
        Number(/^volley_dispatcher_unattributed_total (\d+)/m.exec(await trial.p.metrics('dispatcher'))?.[1] ?? 0);
      const from = await unattributed();
      try {
        const topic = trial.p.topics.messages.bulk;
        for (const compression of [GZIP, ZSTD, Snappy]) {
          await raw.send({ topic, compression, messages: [{ value: 'small'.repeat(50), partition }] });
        }
        for (const topicOf of [topic, trial.p.topics.deliveries])
          for (const compression of [GZIP, ZSTD]) {
            const bomb = { topic: topicOf, compression, messages: [{ value: Buffer.alloc(BOMB_BYTES), partition }] };
            const refused = await raw.send(bomb).then(
              () => undefined,
              (error: Error) => error,
            );
            trial.must(refused !== undefined, `a bomb of ${BOMB_BYTES} bytes was taken by ${topicOf}`);
          }
        await until('the small ones are dead letters', async () => (await unattributed()) >= from + 3, {
          timeoutMs: 20_000,
        });
      } finally {
        codecs[Snappy] = before[Snappy] as never;
        await raw.disconnect();
      }
    },
  },
  {
    id: 'K08',
    fault:
      'records as large as a lane takes, each with a dead letter that is larger; one that goes through a retry tier',
    expected: 'kept whole; a message of that size goes through its tier and is sent',
    // 22 MiB of them, one after the other.
    withinMs: 20_000,
    async records(ground) {
      const { trial, stranger, partition } = ground;
      const pad = (name: string, bytes: number) => {
        const vars = (n: number) => JSON.stringify({ name: 'Large', pad: 'x'.repeat(n) });
        const recipient = `k08-${name}.${trial.tag}+${name}@example.org`;
        const small = stranger.message(decoyMessage(ground, `k08-${name}`, { recipient, vars: vars(0) })).length;
        return stranger.message(decoyMessage(ground, `k08-${name}`, { recipient, vars: vars(bytes - small) }));
      };
      const headers = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`x-${i}`, 'y'.repeat(500)]));
      const bulk = { topic: trial.p.topics.messages.bulk, partition, key: null };
      return [
        ...Array.from({ length: 20 }, (_, i) => ({
          ...bulk,
          what: `garbage of the largest size ${i}`,
          ends: 'undecodable' as const,
          value: Buffer.alloc(LARGEST_BYTES, 65 + i),
        })),
        {
          ...bulk,
          what: 'garbage of the largest size with headers',
          ends: 'undecodable',
          value: Buffer.alloc(LARGEST_BYTES - 31_500, 66),
          headers,
        },
        {
          ...bulk,
          what: 'a refused one',
          ends: 'recipient_refused',
          key: ground.decoy,
          value: pad('refuse', LARGEST_BYTES),
        },
        {
          ...bulk,
          what: 'one for a tier',
          ends: undefined,
          key: ground.decoy,
          value: pad('transient2', LARGEST_BYTES),
        },
        inDeliveries(ground, 'garbage of the largest size', 'undecodable', Buffer.alloc(LARGEST_BYTES, 67)),
      ];
    },
    after: (ground) => untilSent(ground, decoyMessage(ground, 'k08-transient2').message_id),
  },
  {
    id: 'K09',
    fault: 'the key, the headers or the campaign say something else than the value',
    expected: '`undecodable`; nobody is believed without the other',
    records(ground) {
      const { stranger, decoy, mailDecoy, running } = ground;
      const value = (fields: Partial<Message> = {}) => stranger.message(decoyMessage(ground, 'k09', fields));
      const key = decoy;
      return [
        ...inLanes(ground, 'another key', 'undecodable', { value: value(), key: mailDecoy }),
        ...inLanes(ground, 'a key that is none', 'undecodable', { value: value(), key: Buffer.from([255, 0, 1]) }),
        ...inLanes(ground, 'another tenant in the header', 'undecodable', {
          value: value(),
          key,
          headers: { 'v-tenant-id': 'other' },
        }),
        ...inLanes(ground, 'another message in the header', 'undecodable', {
          value: value(),
          key,
          headers: { 'v-message-id': decoyMessage(ground, 'k09-other').message_id },
        }),
        ...inLanes(ground, 'a tenant who is not the campaign’s', 'undecodable', {
          value: value({ tenant_id: 'other' }),
          key,
          headers: { 'v-tenant-id': 'other' },
        }),
        ...inLanes(ground, 'a message of another campaign', 'undecodable', {
          value: value({ message_id: directMessageIdOf(running[0] as string, 'x') }),
          key,
        }),
      ];
    },
    async after(ground) {
      const id = decoyMessage(ground, 'k09').message_id;
      ground.trial.must(!ground.trial.receipts().some((r) => r.messageId === id), 'a message in disguise was sent');
    },
  },
  {
    id: 'K10',
    fault: 'forged headers of earlier attempts: below zero, 10^9, no number; a not-before in the year 2300',
    expected: '`undecodable`; a time beyond what the tier waits is cut to that',
    records(ground) {
      const { stranger, decoy, trial, partition } = ground;
      const forged: Record<string, string>[] = [
        { 'v-attempt': '-1' },
        { 'v-attempt': '1000000000' },
        { 'v-attempt': 'many' },
        { 'v-deferrals': '1e3' },
        { 'v-not-before': '99999999999999999999' },
      ];
      const value = stranger.message(decoyMessage(ground, 'k10'));
      const tier = { topic: trial.p.topics.retry[0] as string, partition, key: decoy };
      return [
        ...forged.flatMap((headers) => [
          ...inLanes(ground, JSON.stringify(headers), 'undecodable', { value, key: decoy, headers }),
          { ...tier, what: `${JSON.stringify(headers)} (tier)`, ends: 'undecodable' as const, value, headers },
        ]),
        {
          ...tier,
          what: 'the year 2300',
          ends: undefined,
          value: stranger.message(decoyMessage(ground, 'k10-2300')),
          headers: { 'v-attempt': '1', 'v-deferrals': '1', 'v-not-before': String(Date.UTC(2300, 0)) },
        },
      ];
    },
    after: (ground) => untilSent(ground, decoyMessage(ground, 'k10-2300').message_id),
  },
  {
    id: 'K11',
    fault: 'times of 1970 and 2300: of the record, of the message, of an event',
    expected: 'the log’s own clock counts: a message is sent or `expired`, an event of another time is a dead letter',
    records(ground) {
      const { stranger } = ground;
      const at = (ms: number) => stranger.event(decoyEvent(ground, { occurred_at: ms, queued_at: Math.max(0, ms) }));
      return [
        inDeliveries(ground, 'an event of 1970', 'undecodable', at(0)),
        inDeliveries(ground, 'an event of 2300', 'undecodable', at(Date.UTC(2300, 0))),
        inDeliveries(ground, 'an event before 1970', 'undecodable', at(-1)),
      ];
    },
    async after(ground) {
      const { trial, stranger, partition, decoy } = ground;
      const raw = new kafkajs.Kafka({
        brokers: trial.p.stores.kafka.split(','),
        logLevel: kafkajs.logLevel.NOTHING,
        retry: { retries: 0 },
      }).producer();
      await raw.connect();
      const write = (name: string, timestamp: number, fields: Partial<Message> = {}) =>
        raw.send({
          topic: trial.p.topics.messages.bulk,
          messages: [
            {
              key: decoy,
              value: stranger.message(decoyMessage(ground, name, fields)),
              partition,
              timestamp: String(timestamp),
            },
          ],
        });
      try {
        await write('k11-1970', 0);
        await write('k11-queued', Date.now(), { queued_at: 0 });
        const refused = await write('k11-2300', Date.UTC(2300, 0)).then(
          () => false,
          () => true,
        );
        await untilSent(ground, decoyMessage(ground, 'k11-1970').message_id);
        if (!refused) await untilSent(ground, decoyMessage(ground, 'k11-2300').message_id);
        await until('the message of 1970 has expired', async () => {
          const { body } = await trial.p.api.call<{ status?: string }>(
            'GET',
            `/v1/messages/${decoyMessage(ground, 'k11-queued').message_id}`,
          );
          return body.status === 'expired';
        });
      } finally {
        await raw.disconnect();
      }
    },
  },
  {
    id: 'K12',
    fault:
      'a second end of messages that have ended, with another outcome; their records again, with another recipient',
    expected: 'the first counts: states, sums and receipts stay as they are',
    forges: FORGED,
    async records(ground) {
      const { running, stranger, trial, partition } = ground;
      const campaign = running[0] as string;
      const ids = Array.from({ length: FORGED }, (_, i) => messageIdOf(campaign, i + 1));
      for (const id of ids)
        await until(`${id} has ended`, async () => {
          const { body } = await trial.p.api.call<{ status?: string }>('GET', `/v1/messages/${id}`);
          return body.status === 'sent';
        });
      return ids.flatMap((message_id, i) => {
        const named = { message_id, campaign_id: campaign, ordinal: i + 1, recipient: `forged@${trial.tag}.org` };
        const place = { partition, key: campaign, ends: undefined };
        const event = decoyEvent(ground, { ...named, kind: 'failed', reason: 'provider_refused' });
        const headers = { 'v-message-id': message_id };
        return [
          { ...place, what: 'another end', topic: trial.p.topics.deliveries, value: stranger.event(event) },
          {
            ...place,
            what: 'another recipient',
            topic: trial.p.topics.messages.bulk,
            value: stranger.message(decoyMessage(ground, 'k12', named)),
            headers,
          },
        ];
      });
    },
  },
  {
    id: 'K13',
    fault: '10,000 headers, headers that are no text, line breaks in headers and in what becomes one',
    expected: 'dead letters with a bounded number of headers; nothing of it reaches a provider as a header',
    async records(ground) {
      const { stranger, decoy, mailDecoy, trial, partition } = ground;
      const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`h${i}`, String(i)]));
      const odd = {
        traceparent: 'x\r\ny: z',
        'x-bytes': Buffer.from([0xff, 0xfe, 0x00, 0x0d, 0x0a]),
        'x\r\nname': 'v',
        constructor: 'v',
      };
      const mail = (name: string, fields: Partial<Message>) =>
        stranger.message(
          decoyMessage(ground, name, {
            campaign_id: mailDecoy,
            message_id: directMessageIdOf(mailDecoy, `${trial.tag}-${name}`),
            ...fields,
          }),
        );
      const bulk = { topic: trial.p.topics.messages.bulk, partition, key: mailDecoy };
      return [
        ...inLanes(ground, '10,000 headers', 'undecodable', { value: Buffer.from('garbage'), headers: many }),
        ...inLanes(ground, 'odd headers', 'undecodable', { value: Buffer.from('garbage'), headers: odd }),
        {
          ...bulk,
          key: decoy,
          what: 'a good one with odd headers',
          ends: undefined,
          value: stranger.message(decoyMessage(ground, 'k13')),
          headers: odd,
        },
        {
          ...bulk,
          what: 'two recipients in one',
          ends: 'header_injection',
          value: mail('k13-two', { recipient: 'a@example.org\r\nRCPT TO:<evil@example.org>' }),
        },
        {
          ...bulk,
          what: 'a name with a header in it',
          ends: 'header_injection',
          value: mail('k13-name', { vars: '{"name":"x\\r\\nBcc: evil@example.org"}' }),
        },
      ];
    },
    async after(ground) {
      await untilSent(ground, decoyMessage(ground, 'k13').message_id);
      const evil = ground.trial.sending?.mail.entries.filter(({ recipient }) => recipient.includes('evil')) ?? [];
      ground.trial.must(evil.length === 0, 'a mail went to somebody whom a line break had named');
    },
  },
  {
    id: 'K14',
    fault: 'samples of every released schema, and records of writers with newer ones',
    expected: 'they are read: each ends by what it says, none for how it is written',
    async records(ground) {
      const { stranger, trial, partition, decoy } = ground;
      const campaign = (JSON.parse(golden('message.v1.json').toString()) as { value?: { campaign_id?: string } }).value;
      const newer = await stranger.register(
        readFileSync(join(SCHEMAS, 'compatible', 'message-string-array-added.avsc'), 'utf8'),
      );
      const body = stranger.message(decoyMessage(ground, 'k14')).subarray(5);
      return [
        // Its time was over before it was written: read, it ends as expired.
        ...inLanes(ground, 'the message of version 1', undefined, {
          value: stranger.framed(stranger.messageId, golden('message.v1.bin')),
          key: campaign?.campaign_id ?? null,
        }),
        ...inLanes(ground, 'the message of version 1 with its defaults', 'undecodable', {
          value: stranger.framed(stranger.messageId, golden('message.v1.defaults.bin')),
        }),
        // Read, and of too long ago for a row.
        inDeliveries(
          ground,
          'the event of version 1',
          'undecodable',
          stranger.framed(stranger.eventId, golden('delivery-event.v1.bin')),
        ),
        {
          what: 'a newer writer',
          ends: undefined,
          topic: trial.p.topics.messages.bulk,
          partition,
          key: decoy,
          value: stranger.framed(newer, Buffer.concat([body, Buffer.from([0])])),
        },
      ];
    },
    after: (ground) => untilSent(ground, decoyMessage(ground, 'k14').message_id),
  },
];
