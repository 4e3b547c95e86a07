import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  type DeliveryEvent,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import type { ReplayJob, ReplayOptions } from '@volley/contract/replays';
import { NODE_ARGS } from '@volley/runtime/node-args';
import { createKafkaClient } from '@volley/stream/kafka';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { eventOf } from '../src/core/delivery-event.ts';
import type { Tally } from '../src/core/replay/tally.ts';
import { campaignEvent, headersOf, messageOf, newCampaignId, until } from './fixtures.ts';

const MAIN = new URL('../src/replay.ts', import.meta.url).pathname;
const SQL = new URL('../../ingest-api/sql/', import.meta.url).pathname;
const PARTITIONS = 2;
const MESSAGES = 1_200;
const CHANGED = '{% if email contains "00@" %}Hey{% else %}Hi{% endif %} {{name}}';
const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: this test needs the local stack (npm test starts one)`);
  return value;
};

/** Its own database with the tables of ingest-api. */
async function database(t: ExecutionContext) {
  const admin = new pg.Client({ connectionString: required('VOLLEY_TEST_POSTGRES') });
  await admin.connect();
  const name = `replay_test_${randomBytes(6).toString('hex')}`;
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(required('VOLLEY_TEST_POSTGRES'));
  url.pathname = `/${name}`;
  const db = new pg.Client({ connectionString: url.toString() });
  await db.connect();
  for (const file of readdirSync(SQL).sort()) await db.query(readFileSync(join(SQL, file), 'utf8'));
  t.teardown(async () => {
    await db.end();
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  });
  return { url: url.toString(), db };
}

/** A finished campaign in a real log: every tenth message was refused, every hundredth has no name. */
async function finishedCampaign(t: ExecutionContext) {
  const kafka = required('VOLLEY_TEST_KAFKA');
  const registryUrl = required('VOLLEY_TEST_REGISTRY');
  const namespace = `replay${process.pid}x${randomBytes(3).toString('hex')}`;
  const topics = topicsOf(namespace);
  const client = createKafkaClient({ brokers: [kafka], clientId: `${namespace}-test` });
  const admin = await client.admin();
  const definitions = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions: PARTITIONS });
  await admin.ensureTopics(definitions);
  t.teardown(async () => {
    await admin.deleteTopics(definitions.map((d) => d.topic)).catch(() => {});
    await client.close();
  });
  const registry = createRegistry({ url: registryUrl, clientId: 'test', nowMs: () => performance.now() });
  await registry.registerAll(topics);
  const encoder = async <N extends 'Message' | 'DeliveryEvent' | 'CampaignEvent'>(topic: string, record: N) =>
    createEncoder(record, await registry.idOf(topic, record));
  const campaign = await encoder(topics.campaigns, 'CampaignEvent');
  const message = await encoder(topics.messages.bulk, 'Message');
  const event = await encoder(topics.deliveries, 'DeliveryEvent');

  const id = newCampaignId();
  const producer = await client.producer({ clientId: `${namespace}-test` });
  const messages = Array.from({ length: MESSAGES }, (_, i) =>
    messageOf(id, i + 1, (i + 1) % 100 === 50 ? { vars: '{}' } : {}),
  );
  const key = id;
  const state = campaignEvent(id, { version: 4, status: 'completed_with_failures' });
  await producer.send([{ topic: topics.campaigns, partition: 1, key, value: campaign(state) }]);
  await producer.send(
    messages.map((m) => ({
      ...{ topic: topics.messages.bulk, partition: m.ordinal % PARTITIONS, key },
      ...{ value: message(m), headers: headersOf(m) },
    })),
  );
  const ends = messages.map((m): DeliveryEvent => {
    const [kind, reason] =
      m.vars === '{}'
        ? (['dead', 'missing_variable'] as const)
        : m.ordinal % 10 === 0
          ? (['failed', 'recipient_refused'] as const)
          : (['sent', ''] as const);
    const how = { channel: 'simulated', provider: 'simulated', providerMs: 5, tier: '', detail: '' };
    return eventOf(m, { kind, reason, occurredAtMs: Date.now(), attempt: 1, deferrals: 0, ...how });
  });
  await producer.send(
    ends.map((e) => ({ topic: topics.deliveries, partition: e.ordinal % PARTITIONS, key, value: event(e) })),
  );
  const bounds = await admin.logBounds(topics.messages.bulk);
  const ranges = bounds.map(({ end }, partition) => ({ topic: topics.messages.bulk, partition, from: 0, to: end }));
  const env = { VOLLEY_KAFKA_BROKERS: kafka, VOLLEY_REGISTRY_URL: registryUrl, VOLLEY_NAMESPACE: namespace };
  return { id, ranges, env };
}

function start(t: ExecutionContext, env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [...NODE_ARGS, MAIN], {
    env: { PATH: process.env.PATH, VOLLEY_ADMIN_PORT: '0', VOLLEY_LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  return child;
}

const ended = (child: ChildProcess) => new Promise((resolve) => child.once('exit', (code) => resolve(code)));

test('a real log: nothing has changed, another template, a kill half way, and what failed once more', async (t) => {
  const { url, db } = await database(t);
  const { id, ranges, env } = await finishedCampaign(t);
  let made = 0;
  async function ask(options: Partial<ReplayOptions>, rate: number | null = null): Promise<string> {
    const replayId = `00000000-0000-7000-8000-${String(++made).padStart(12, '0')}`;
    await db.query(
      `INSERT INTO replays (replay_id, tenant_id, target, reason_text, asked_by, campaign_id, rate_per_second, options,
         ranges, total, created_at) VALUES ($1, 'default', 'deliveries', 'test', 'test', $2, $3, $4, $5, $6, now())`,
      [
        replayId,
        id,
        rate,
        { allow_gap: false, swap: 'never', send: false, ...options },
        JSON.stringify(ranges),
        MESSAGES,
      ],
    );
    return replayId;
  }
  const row = async (replayId: string) =>
    (await db.query('SELECT status, done::int, result, error FROM replays WHERE replay_id = $1', [replayId]))
      .rows[0] as ReplayJob & { result: Tally };
  async function done(replayId: string): Promise<Tally> {
    let found = await row(replayId);
    await until(async () => {
      found = await row(replayId);
      return ['done', 'failed'].includes(found.status);
    }, 30_000);
    t.like(found, { status: 'done', error: null, done: MESSAGES });
    return found.result;
  }

  const settings = { ...env, VOLLEY_POSTGRES_URL: url };
  const first = start(t, settings);
  const recorded = { sent: 1_080, failed: 108, dead: 12 };
  const same = await done(await ask({}));
  t.like(same, { messages: MESSAGES, same: MESSAGES, recorded, samples: [] });
  const whole = await done(await ask({ template: CHANGED }));
  t.like(whole, { messages: MESSAGES, renders_differently: 12, same: MESSAGES - 12 });

  const killed = await ask({ template: CHANGED }, 600);
  await until(async () => (await row(killed)).done > 100, 20_000);
  first.kill('SIGKILL');
  await ended(first);
  const at = (await row(killed)).done;
  t.true(at < MESSAGES, `${at}`);
  // As if the lease had run out.
  await db.query("UPDATE replays SET lease_until = '-infinity', rate_per_second = NULL WHERE replay_id = $1", [killed]);
  const second = start(t, settings);
  t.deepEqual(await done(killed), whole, 'counted once each');

  const sent = await ask({ send: true });
  const redrives = () => db.query('SELECT redrive_id, filter, matched::int, reason_text FROM redrives');
  await until(async () => (await redrives()).rows.length > 0, 20_000);
  t.deepEqual((await redrives()).rows, [
    { redrive_id: sent, filter: { campaign_id: id, expired: true }, matched: 120, reason_text: 'replay: test' },
  ]);
  await db.query(
    "UPDATE redrives SET status = 'done', selected = 120, redriven = 118, left_as_they_are = '{\"gone\": 2}'",
  );
  t.like(await done(sent), { sent: { redrive_id: sent, status: 'done', redriven: 118, left: { gone: 2 } } } as object);
  second.kill('SIGTERM');
  t.is(await ended(second), 0);
});
