// Alone in its process, one after the other: they count every timer and every write.
import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { createKafkaClient } from '../src/adapters/kafka.ts';
import { collecting, text } from '../src/testkit/support.ts';

const broker = process.env.VOLLEY_TEST_KAFKA ?? '';
if (broker === '') throw new Error('VOLLEY_TEST_KAFKA (host:port of a broker) is not set: `npm test` sets it');

async function idleConsumer(t: ExecutionContext, records = 1) {
  const client = createKafkaClient({ brokers: [broker], clientId: 'idle' });
  const admin = await client.admin();
  const topic = `idle-${randomUUID().slice(0, 8)}`;
  await admin.ensureTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }]);
  t.teardown(async () => {
    await admin.deleteTopics([topic]);
    await client.close();
  });
  const producer = await client.producer({ clientId: 'idle' });
  if (records > 0) await producer.send([text(topic, 0, 'x')]);
  const { consumer, epoch } = collecting(client, `group-${topic}`, [topic], 'idle');
  await consumer.start();
  return { commit: () => consumer.commit(epoch(), [{ topic, partition: 0, offset: 0 }]) };
}

/** By this process, while `run` runs. */
async function writesWhile(run: () => Promise<void>): Promise<number> {
  const original = Socket.prototype.write;
  let writes = 0;
  Socket.prototype.write = function (this: Socket, ...given: Parameters<typeof original>) {
    writes += 1;
    return original.apply(this, given);
  } as typeof original;
  try {
    await run();
  } finally {
    Reflect.deleteProperty(Socket.prototype, 'write');
  }
  return writes;
}
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

test.serial('a connection that has nothing to do does not wake the process', async (t) => {
  await idleConsumer(t);
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

test.serial('a consumer that has had nothing for two seconds asks twice a second', async (t) => {
  await idleConsumer(t);
  await pause(2_500);
  const writes = await writesWhile(() => pause(2_000));
  // Asked every 100 ms there would be twenty, and what its heartbeats take beside them.
  t.true(writes > 0 && writes < 15, `${writes} writes in two seconds`);
});

test.serial('commits that cannot go out, because nothing was ever read, are no activity', async (t) => {
  const { commit } = await idleConsumer(t, 0);
  await pause(2_500);
  const writes = await writesWhile(async () => {
    for (let i = 0; i < 10; i++) {
      t.is(await commit(), 'failed');
      await pause(200);
    }
  });
  t.true(writes > 0 && writes < 15, `${writes} writes in two seconds`);
});
