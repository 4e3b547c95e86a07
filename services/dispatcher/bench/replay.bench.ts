/**
 * A replay of deliveries: how fast the messages of a finished campaign are compared with what became of them, and what it
 * takes in memory. Floor: the same records read, lanes twice and deliveries once, with nothing done to them.
 * `VOLLEY_TEST_KAFKA=host:port node bench/replay.bench.ts [messages] [partitions]`.
 */
import { randomBytes } from 'node:crypto';
import {
  campaignIdFrom,
  createDecoder,
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  RECORD_TYPES,
  RETRY_TIERS,
  type SchemaStore,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import type { ReplayJob } from '@volley/contract/replays';
import { createLogger, systemClock } from '@volley/runtime';
import { createKafkaClient } from '@volley/stream/kafka';
import { createRenderer } from '../src/adapters/templates.ts';
import { eventOf } from '../src/core/delivery-event.ts';
import type { Tally } from '../src/core/replay/tally.ts';
import { createSources } from '../src/core/sources.ts';
import { createDeliveriesReplay } from '../src/replay-deliveries.ts';
import { campaignEvent, headersOf, messageOf } from '../test/fixtures.ts';

const messages = Number(process.argv[2] ?? 300_000);
const partitions = Number(process.argv[3] ?? 6);
const kafka = process.env.VOLLEY_TEST_KAFKA ?? '';
if (kafka === '') throw new Error('VOLLEY_TEST_KAFKA is not set: `npm run bench` sets it');

const topics = topicsOf(`replay-bench-${randomBytes(4).toString('hex')}`);
const client = createKafkaClient({ brokers: [kafka], clientId: 'replay-bench' });
const admin = await client.admin();
const definitions = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions });
await admin.ensureTopics(definitions);
const producer = await client.producer({ clientId: 'replay-bench' });
const id = campaignIdFrom(Date.now(), randomBytes(6));
const [campaign, message, event] = [
  createEncoder('CampaignEvent', 1),
  createEncoder('Message', 2),
  createEncoder('DeliveryEvent', 3),
];
const state = campaignEvent(id, { status: 'completed', template: 'Hi {{name}}, the offers of {{city}} are here.' });
await producer.send([{ topic: topics.campaigns, partition: 0, key: id, value: campaign(state) }]);
const how = { channel: 'simulated', provider: 'simulated', providerMs: 5, tier: '', detail: '', deferrals: 0 };
const total = Math.floor(messages / 2_000) * 2_000;
for (let from = 1; from <= total; from += 2_000) {
  const some = Array.from({ length: 2_000 }, (_, i) =>
    messageOf(id, from + i, { vars: JSON.stringify({ name: `Person ${from + i}`, city: 'Łódź' }) }),
  );
  const at = (n: number) => ({ partition: n % partitions, key: id });
  await producer.send(
    some.map((m) => ({ topic: topics.messages.bulk, ...at(m.ordinal), value: message(m), headers: headersOf(m) })),
  );
  const ended = { kind: 'sent', reason: '', occurredAtMs: Date.now(), attempt: 1 } as const;
  await producer.send(
    some.map((m) => ({
      topic: topics.deliveries,
      ...at(m.ordinal),
      value: event(eventOf(m, { ...ended, ...how })),
    })),
  );
}
await producer.close();

const rangesOf = async (topic: string) =>
  (await admin.logBounds(topic)).map(({ end }, partition) => ({ topic, partition, from: 0, to: end }));
const lanes = await rangesOf(topics.messages.bulk);
const events = await rangesOf(topics.deliveries);

async function bare(): Promise<number> {
  const startMs = performance.now();
  for (const range of [...lanes, ...events, ...lanes]) await client.readRanges({ ranges: [range], onRecord: () => {} });
  return total / ((performance.now() - startMs) / 1_000);
}

const types = [undefined, RECORD_TYPES.CampaignEvent, RECORD_TYPES.Message, RECORD_TYPES.DeliveryEvent];
const schemas: SchemaStore = { get: (schema) => types[schema] ?? 'unknown', load: async () => {} };
const never = () => Promise.reject(new Error('nothing is sent'));
const run = createDeliveriesReplay({
  redrives: { ask: never, find: never, cancel: never },
  log: client,
  topics,
  source: createSources(topics, RETRY_TIERS).of,
  decodeMessage: createDecoder('Message', schemas),
  decodeEvent: createDecoder('DeliveryEvent', schemas),
  decodeCampaign: createDecoder('CampaignEvent', schemas),
  schemas: { ensure: async () => {} },
  newRenderer: createRenderer,
  provider: (kind) => ({ kind, from: undefined }),
  policy: {
    ...{ maxAttempts: 8, classAttempts: {}, memoryAttempts: 4, memoryMs: 2_000, patienceMs: 86_400_000 },
    longestTierMs: 3_600_000,
  },
  clock: systemClock,
  logger: createLogger('bench', 'error'),
});
const job: ReplayJob = {
  ...{ replay_id: '', tenant_id: 'default', target: 'deliveries', status: 'running', phase: '', reason: '' },
  ...{ asked_by: '', campaign_id: id, rate_per_second: null, ranges: lanes, total, done: 0 },
  options: { allow_gap: false, swap: 'never', send: false },
  ...{ progress: null, result: null, error: null, created_at: 0, started_at: 0, finished_at: null },
  undo_requested: false,
};

async function compare(template?: string) {
  globalThis.gc?.();
  const beforeMib = process.memoryUsage().rss / 2 ** 20;
  let mostMib = beforeMib;
  const look = setInterval(() => {
    mostMib = Math.max(mostMib, process.memoryUsage().rss / 2 ** 20);
  }, 50);
  const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
  const options = { ...job.options, ...(template === undefined ? {} : { template }) };
  const work = { job: { ...job, options }, signal: new AbortController().signal, saves() {} };
  const result = (await run(work, { job, fence: 1, valid: () => true })) as Tally;
  clearInterval(look);
  const cpu = process.cpuUsage(startCpu);
  if (result.messages !== total || result.same + result.renders_differently !== total)
    throw new Error(JSON.stringify({ ...result, samples: [] }));
  const seconds = (performance.now() - startMs) / 1_000;
  return {
    perSecond: total / seconds,
    perCore: total / ((cpu.user + cpu.system) / 1e6),
    grownMib: mostMib - beforeMib,
  };
}

// The first reading warms up the code and what the client keeps.
await bare();
const floor = await bare();
const same = await compare();
const changed = await compare('Dear {{name}}, the offers of {{city}} are here.');
await admin.deleteTopics(definitions.map((d) => d.topic));
await client.close();

const rows = [
  { name: 'bare read', value: floor, unit: 'messages/s', note: 'lanes twice, deliveries once, nothing done' },
  { name: 'nothing changed', value: same.perSecond, unit: 'messages/s', floor: 'bare read', note: 'rendered once' },
  {
    name: 'another template',
    value: changed.perSecond,
    unit: 'messages/s',
    floor: 'bare read',
    note: 'rendered twice',
  },
  { name: 'nothing changed, a core', value: same.perCore, unit: 'messages/s', note: 'by CPU time of the process' },
  {
    name: 'memory growth',
    value: Math.max(same.grownMib, changed.grownMib),
    unit: 'MiB RSS',
    note: 'at most, over the bare one',
  },
];
process.stdout.write(`${JSON.stringify({ bench: `replay of deliveries, ${total} messages`, rows })}\n`);
