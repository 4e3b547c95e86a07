import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createDecoder,
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  type DeliveryEvent,
  groupsOf,
  isTerminal,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { NODE_ARGS } from '@volley/runtime/node-args';
import { createKafkaClient } from '@volley/stream/kafka';
import test, { type ExecutionContext } from 'ava';
import { campaignEvent, headersOf, messageOf, newCampaignId, until } from './support.ts';

const MAIN = new URL('../src/main.ts', import.meta.url).pathname;
const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: this test needs the local stack (npm test starts one)`);
  return value;
};

let worlds = 0;
async function realWorld(t: ExecutionContext, partitions = 2) {
  const kafka = required('VOLLEY_TEST_KAFKA');
  const registryUrl = required('VOLLEY_TEST_REGISTRY');
  const namespace = `d${process.pid}x${Date.now().toString(36)}x${++worlds}`;
  const topics = topicsOf(namespace);
  const client = createKafkaClient({ brokers: [kafka], clientId: `${namespace}-test` });
  const admin = await client.admin();
  const definitions = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions });
  await admin.ensureTopics(definitions);
  const registry = createRegistry({ url: registryUrl, clientId: 'test', nowMs: () => performance.now() });
  await registry.registerAll(topics);
  const producer = await client.producer({ clientId: `${namespace}-test` });
  const folder = mkdtempSync(join(tmpdir(), 'volley-dispatcher-'));
  const journal = join(folder, 'journal');
  const children = new Set<ChildProcess>();
  t.teardown(async () => {
    for (const child of children) child.kill('SIGKILL');
    await admin.deleteTopics(definitions.map((d) => d.topic)).catch(() => {});
    await client.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const encodeMessage = createEncoder('Message', await registry.idOf(topics.messages.bulk, 'Message'));
  const encodeCampaign = createEncoder('CampaignEvent', await registry.idOf(topics.campaigns, 'CampaignEvent'));
  const decode = createDecoder('DeliveryEvent', registry.store);
  await registry.store.load(await registry.idOf(topics.deliveries, 'DeliveryEvent'));

  return {
    topics,
    admin,
    journal: () => readFileSync(journal, 'utf8').trim().split('\n').filter(Boolean),
    async campaign(event: ReturnType<typeof campaignEvent>) {
      const value = encodeCampaign(event);
      await producer.send([{ topic: topics.campaigns, partition: 0, key: event.campaign_id, value }]);
    },
    async messages(partition: number, messages: readonly ReturnType<typeof messageOf>[]) {
      const records = messages.map((m) => ({
        topic: topics.messages.bulk,
        partition,
        key: m.campaign_id,
        value: encodeMessage(m),
        headers: headersOf(m),
      }));
      await producer.send(records);
    },
    async events(): Promise<DeliveryEvent[]> {
      const bounds = await admin.logBounds(topics.deliveries);
      const ranges = bounds.flatMap(({ start, end }, partition) =>
        end > start ? [{ topic: topics.deliveries, partition, from: start, to: end }] : [],
      );
      const out: DeliveryEvent[] = [];
      if (ranges.length === 0) return out;
      await client.readRanges({
        ranges,
        onRecord(record) {
          const decoded = decode(record.value);
          if (decoded.ok) out.push(decoded.value);
        },
      });
      return out;
    },
    committed: async () =>
      (await admin.committed(groupsOf(namespace).dispatcher, topics.messages.bulk)).map((c) => c.offset),
    start(env: Record<string, string> = {}) {
      const child = spawn(process.execPath, [...NODE_ARGS, MAIN], {
        env: {
          PATH: process.env.PATH,
          VOLLEY_KAFKA_BROKERS: kafka,
          VOLLEY_REGISTRY_URL: registryUrl,
          VOLLEY_NAMESPACE: namespace,
          VOLLEY_ADMIN_PORT: '0',
          VOLLEY_SIMULATED_JOURNAL: journal,
          ...env,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      children.add(child);
      let output = '';
      child.stdout.on('data', (chunk) => {
        output += chunk;
      });
      child.stderr.on('data', (chunk) => {
        output += chunk;
      });
      const exited = new Promise<number | string>((resolve) =>
        child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown')),
      );
      return { child, exited, output: () => output };
    },
  };
}

const terminalsOf = (events: readonly DeliveryEvent[]) => events.filter((e) => isTerminal(e.kind));
const MESSAGES = 2_000;
const SLOTS = 64;
const range = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

for (const point of ['dispatch.beforeSend', 'dispatch.afterAccept', 'dispatch.afterDlq', 'dispatch.afterEvent']) {
  test.serial(`killed at ${point} in mid-campaign and started again: every message ends in one state`, async (t) => {
    const world = await realWorld(t);
    const ids = [newCampaignId(), newCampaignId()];
    for (const [partition, id] of ids.entries()) {
      await world.campaign(campaignEvent(id));
      const recipient = (n: number) => (n % 10 === 0 ? `a${n}+refuse@x.org` : `a${n}@x.org`);
      await world.messages(
        partition,
        range(MESSAGES / 2).map((n) => messageOf(id, n, { recipient: recipient(n) })),
      );
    }
    const env = { VOLLEY_CONCURRENCY: String(SLOTS) };
    const nth = point === 'dispatch.afterDlq' ? 80 : 700;
    const first = world.start({ ...env, VOLLEY_FAILPOINTS: `${point}:kill:${nth}` });
    t.is(await first.exited, 'SIGKILL', first.output());
    const beforeMs = performance.now();
    const second = world.start(env);
    await until(async () => (await world.committed()).every((o) => o === MESSAGES / 2), 30_000);
    t.true(performance.now() - beforeMs < 9_000, 'the restart did not wait for the session of its dead predecessor');

    const ended = Map.groupBy(terminalsOf(await world.events()), (e) => e.message_id);
    t.is(ended.size, MESSAGES);
    for (const [, events] of ended) t.is(new Set(events.map((e) => e.kind)).size, 1);
    t.is([...ended.values()].filter((events) => events[0]?.kind === 'failed').length, MESSAGES / 10);

    // At most the slots are doubled for what was in flight; what was acknowledged and not committed has a second event.
    const accepted = world.journal();
    const doubled = accepted.length - new Set(accepted.map((line) => line.split(' ')[0])).size;
    const secondEvents = terminalsOf(await world.events()).length - MESSAGES;
    t.log(`${doubled} accepted twice, ${secondEvents} second terminal events`);
    t.true(doubled <= SLOTS + secondEvents, `${doubled} doubled, ${secondEvents} second events`);
    second.child.kill('SIGTERM');
    t.is(await second.exited, 0);
  });
}

test.serial(
  'SIGTERM in mid-campaign: what runs ends, offsets are committed, exit 0, and nothing is sent twice',
  async (t) => {
    const world = await realWorld(t);
    const id = newCampaignId();
    await world.campaign(campaignEvent(id));
    await world.messages(
      0,
      range(MESSAGES).map((n) => messageOf(id, n)),
    );
    const first = world.start({ VOLLEY_CONCURRENCY: '16' });
    await until(async () => ((await world.committed())[0] ?? -1) > 100, 20_000);
    const startMs = performance.now();
    first.child.kill('SIGTERM');
    t.is(await first.exited, 0, first.output());
    t.true(performance.now() - startMs < 10_000);
    const committed = (await world.committed())[0] ?? 0;
    t.true(committed < MESSAGES, 'it stopped in the middle');
    const second = world.start();
    await until(async () => (await world.committed())[0] === MESSAGES, 30_000);
    const ids = world.journal().map((line) => line.split(' ')[0]);
    t.is(new Set(ids).size, MESSAGES);
    t.is(ids.length, MESSAGES, 'nothing was sent twice');
    t.is(terminalsOf(await world.events()).length, MESSAGES);
    second.child.kill('SIGTERM');
    t.is(await second.exited, 0);
  },
);

test.serial(
  'stopped for two sessions and woken, it dies without a word and the other one has done its work',
  async (t) => {
    const world = await realWorld(t);
    const id = newCampaignId();
    await world.campaign(campaignEvent(id));
    await world.messages(
      0,
      range(600).map((n) => messageOf(id, n, { recipient: `a${n}+slow40@x.org` })),
    );
    const zombie = world.start({ VOLLEY_SLOT: '0', VOLLEY_CONCURRENCY: '4' });
    await until(async () => ((await world.committed())[0] ?? -1) > 20, 20_000);
    zombie.child.kill('SIGSTOP');
    const eventsWhenStopped = (await world.events()).length;
    const other = world.start({ VOLLEY_SLOT: '1' });
    await until(async () => (await world.committed())[0] === 600, 40_000);
    const eventsBefore = (await world.events()).length;
    zombie.child.kill('SIGCONT');
    t.is(await zombie.exited, 1, zombie.output());
    t.is((await world.events()).length, eventsBefore, 'it wrote nothing after it woke');
    t.true(eventsBefore > eventsWhenStopped);
    t.is((await world.committed())[0], 600);
    other.child.kill('SIGTERM');
    t.is(await other.exited, 0);
  },
);
