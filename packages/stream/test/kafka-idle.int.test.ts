// Alone in its process: it counts every timer.
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { createKafkaClient } from '../src/adapters/kafka.ts';
import { collecting, text } from '../src/testkit/support.ts';

const broker = process.env.VOLLEY_TEST_KAFKA ?? '';
if (broker === '') throw new Error('VOLLEY_TEST_KAFKA (host:port of a broker) is not set: `npm test` sets it');

test('a connection that has nothing to do does not wake the process', async (t) => {
  const client = createKafkaClient({ brokers: [broker], clientId: 'idle' });
  const admin = await client.admin();
  const topic = `idle-${randomUUID().slice(0, 8)}`;
  await admin.ensureTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }]);
  t.teardown(async () => {
    await admin.deleteTopics([topic]);
    await client.close();
  });
  const producer = await client.producer({ clientId: 'idle' });
  await producer.send([text(topic, 0, 'x')]);
  const { consumer } = collecting(client, `group-${topic}`, [topic], 'idle');
  await consumer.start();
  const original = globalThis.setTimeout;
  let timers = 0;
  globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
    timers += 1;
    return original(...args);
  }) as typeof setTimeout;
  await new Promise((resolve) => original(resolve, 500));
  globalThis.setTimeout = original;
  // kafkajs unpatched: some 460 for each of the connections.
  t.true(timers < 100, `${timers} timers in half a second`);
});
