import { randomBytes } from 'node:crypto';
import { DEFAULT_TOPIC_SETTINGS, type DispatcherState, topicDefinitions, topicsOf } from '@volley/contract';
import { type PipelineView, ROUTES } from '@volley/contract/http';
import { systemClock } from '@volley/runtime';
import { createKafkaClient } from '@volley/stream/kafka';
import test from 'ava';
import { createDispatcherReader } from '../src/adapters/postgres/dispatchers.ts';
import { createOverview } from '../src/overview.ts';
import { startTestApi } from './support/api.ts';
import { createTestDatabase } from './support/database.ts';
import { until } from './support/log.ts';

const PARTITIONS = 4;

test('GET /v1/pipeline over the real stores, with a key, and within two seconds', async (t) => {
  const brokers = (process.env.VOLLEY_TEST_KAFKA ?? '').split(',').filter(Boolean);
  if (brokers.length === 0) throw new Error('VOLLEY_TEST_KAFKA is not set: host:port of a broker');
  const namespace = `overview-${randomBytes(4).toString('hex')}`;
  const topics = topicsOf(namespace);
  const database = await createTestDatabase();
  const client = createKafkaClient({ brokers, clientId: namespace });
  const definitions = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions: PARTITIONS });
  const admin = await client.admin();
  await admin.ensureTopics(definitions);
  const api = await startTestApi(database.pool, {
    overview: createOverview({
      client,
      dispatchers: createDispatcherReader(database.pool),
      namespace,
      clock: systemClock,
    }),
  });
  t.teardown(async () => {
    await api.stop();
    await admin.deleteTopics(definitions.map(({ topic }) => topic));
    await client.close();
    await database.drop();
  });

  const producer = await client.producer({ clientId: `${namespace}-p` });
  await producer.send(
    Array.from({ length: 30 }, (_, i) => ({
      topic: topics.messages.bulk,
      partition: i % 3,
      key: 'c',
      value: Buffer.from('x'),
    })),
  );
  const state: Partial<DispatcherState> = { version: '1', partitions: [0, 1], breakers: [], providers: [], held: {} };
  const renew = (id: string, ns: string) =>
    database.pool.query('SELECT * FROM renew_dispatcher($1, $2, $3, $3, $4, 3000)', [ns, `${ns}/${id}`, '{}', state]);
  await renew('d-0', namespace);
  await renew('d-0', 'another');
  await database.pool.query(
    `INSERT INTO progress_offsets (topic, partition, next_offset, log_end) VALUES ($1, 0, 0, 0)`,
    [topics.deliveries],
  );

  // The first answer may miss a broker that is being found; each one is in time, though.
  const view: PipelineView = await until('all parts', async () => {
    const startedMs = performance.now();
    const answer = await api.call('GET', '/v1/pipeline');
    t.true(performance.now() - startedMs < 2_000);
    t.is(answer.status, 200, answer.text);
    return answer.body.unavailable.length === 0 && answer.body.queues?.[0]?.age_ms !== null ? answer.body : undefined;
  });
  ROUTES.getPipeline.answer.parse(view);
  const bulk = view.queues?.find((q) => q.name === 'bulk');
  t.is(bulk?.lag, 30);
  t.true((bulk?.age_ms ?? -1) >= 0);
  t.deepEqual(
    bulk?.partitions.map((p) => [p.lag, p.committed, p.owner]),
    [
      [10, null, 'd-0'],
      [10, null, 'd-0'],
      [10, null, null],
      [0, null, null],
    ],
  );
  t.deepEqual(
    view.dispatchers?.map((d) => [d.id, d.partitions]),
    [['d-0', [0, 1]]],
  );
  t.deepEqual(view.sink, { lag: 0, age_ms: 0 });
  t.deepEqual(view.progress, { lag: 0, age_ms: 0 });
  t.deepEqual(view.dead_letters, { messages: 0, deliveries: 0 });

  const startedMs = performance.now();
  const again = await api.call('GET', '/v1/pipeline');
  t.log(`answered in ${Math.round(performance.now() - startedMs)} ms`);
  t.is(again.status, 200);
  t.is((await api.call('GET', '/v1/pipeline', { headers: { authorization: 'Bearer no' } })).status, 401);
});
