import { createMemoryBroker } from '@volley/stream/memory';
import test from 'ava';
import { createMemoryRowStore } from '../src/adapters/row-store-memory.ts';
import { LAYOUT } from '../src/core/token.ts';
import type { RowStore } from '../src/ports.ts';
import { committedBy, eventsOf } from './rows.ts';
import { GROUP, makeTopics, startRig, TOPIC, until } from './support.ts';

/** A store whose tables are of this generation; undefined: they are being exchanged. */
function storeOf(generation: string | undefined) {
  const memory = createMemoryRowStore();
  const tables = { generation };
  const asked = { times: 0 };
  const store: RowStore = {
    ...memory,
    async generation() {
      asked.times += 1;
      const { generation: now } = tables;
      return now === undefined ? { ok: false, error: 'being exchanged' } : { ok: true, generation: now };
    },
  };
  return { memory, store, tables, asked };
}

test('while the tables are being exchanged nothing is planned; then it is, for the new ones', async (t) => {
  const broker = createMemoryBroker();
  await makeTopics(broker, 1);
  const { memory, store, tables, asked } = storeOf(undefined);
  const rig = await startRig(broker, store);
  await rig.write(eventsOf(20));
  await until('it has asked often', () => asked.times > 3 && (rig.loop.lag()[0]?.inMemory ?? 0) === 20);
  t.deepEqual(await rig.committed(), [-1]);
  t.is(memory.rows().length, 0);
  t.true(rig.pipeline.failing().some(({ error }) => error === 'being exchanged'));
  tables.generation = 'ab12';
  await until('committed', committedBy(rig, 20));
  t.true(memory.ranges().every(({ token }) => token.endsWith(`:${LAYOUT}.ab12`)));
  await rig.stop();
});

test('a range that was planned for other tables stops its partition: nothing is inserted', async (t) => {
  const broker = createMemoryBroker();
  await makeTopics(broker, 1);
  const client = broker.client();
  const admin = await client.admin();
  const metadata = JSON.stringify({ pending: 7, layout: LAYOUT, count: 7, generation: 'ab12' });
  await admin.setCommitted(GROUP, [{ topic: TOPIC, partition: 0, offset: 0, metadata }]);
  const producer = await client.producer({ clientId: 'before' });
  await producer.send(eventsOf(20).map((value) => ({ topic: TOPIC, partition: 0, key: null, value })));
  await client.close();
  const { memory, store, tables } = storeOf('0');
  const rig = await startRig(broker, store);
  await until('it stopped', () => rig.stopped.has(0));
  t.regex(rig.stopped.get(0) ?? '', /\[0, 7\) is planned for tables of generation ab12, these are 0/);
  t.is(memory.rows().length, 0);
  await rig.stop();

  tables.generation = 'ab12';
  const next = await startRig(broker, store, {}, 'sink-1');
  await until('the range is stored as it was planned', committedBy(next, 20));
  t.true(memory.ranges()[0]?.token.endsWith(`:0:0:7:${LAYOUT}.ab12`));
  await next.stop();
});
