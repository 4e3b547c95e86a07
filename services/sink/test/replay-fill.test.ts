import { createFailpoints, createLogger, createMetrics, sleep, systemClock } from '@volley/runtime';
import { createMemoryBroker } from '@volley/stream/memory';
import test from 'ava';
import { createLog } from '../src/adapters/log.ts';
import { createMemoryRowStore } from '../src/adapters/row-store-memory.ts';
import { CATALOGUE } from '../src/metrics.ts';
import { openFill } from '../src/replay-fill.ts';
import { eventsOf } from './rows.ts';
import { createTestSchemas, DEAD_LETTERS, makeTopics, TOPIC, until } from './support.ts';

/** Twice what an insert that makes way may have: every one ends by its rows, and on a slow machine none by its time. */
const EACH = 20_000;

/** Two partitions filled; how many rows each insert had, and how many were under way at once. */
async function filled(sinks: 'moving' | 'still', inTheirOwnTime: boolean) {
  const broker = createMemoryBroker();
  await makeTopics(broker);
  const client = broker.client();
  const producer = await client.producer({ clientId: 'test' });
  for (const partition of [0, 1])
    await producer.send(eventsOf(EACH).map((value) => ({ topic: TOPIC, partition, key: 'a', value })));
  const rows: number[] = [];
  let under = 0;
  let most = 0;
  const memory = createMemoryRowStore();
  const store: typeof memory = {
    ...memory,
    async insert(range) {
      rows.push(range.rows.count);
      most = Math.max(most, ++under);
      await sleep(150);
      under -= 1;
      return memory.insert(range);
    },
  };
  // Nothing can be decoded until somebody has looked a few times.
  const schemas = createTestSchemas();
  schemas.state.away = true;
  let looks = 0;
  const signal = new AbortController().signal;
  const fill = await openFill(
    {
      ...{ stream: client, topic: TOPIC, groupId: 'fill', clientId: 'fill', sessionMs: 10_000, drainMs: 1_000 },
      ...{ queueBytes: 256 * 1024 * 1024, starts: [0, 0], ratePerSecond: null, mayWrite: () => true },
      sinksAt: async () => [sinks === 'moving' ? ++looks : looks++ * 0, 0],
      pipeline: {
        cluster: await (await client.admin()).clusterId(),
        ...{ deadLetterTopic: DEAD_LETTERS, deadLetters: { send: async () => ({ ok: true as const }) } },
        limits: { maxRows: EACH, maxBytes: 1e9, lingerMs: 60_000, maxInserts: 2, pressedBytes: 1e9 },
        ...{ schemas, store, log: createLog(client, TOPIC), clock: systemClock, waitBefore: () => 5 },
        sleep: (ms, until) => sleep(ms / 20, until),
        failpoints: createFailpoints(undefined),
        ...{ metrics: createMetrics(CATALOGUE, false).m, logger: createLogger('fill', 'silent') },
      },
    },
    signal,
  );
  const through = fill.upTo([EACH, EACH], signal, inTheirOwnTime);
  if (inTheirOwnTime) await until('somebody has looked', () => looks > 3);
  else await until('it waits', () => schemas.state.asked > 0);
  schemas.state.away = false;
  await through;
  await fill.close();
  await client.close();
  return { rows, most, stored: memory.rows().length };
}

test('while the sinks store something, a replay inserts few rows and one at a time', async (t) => {
  const { rows, most, stored } = await filled('moving', true);
  t.is(stored, 2 * EACH);
  t.deepEqual(rows, [10_000, 10_000, 10_000, 10_000]);
  t.is(most, 1);
});

for (const [what, sinks, inTheirOwnTime] of [
  ['while they stand still, it inserts what there is', 'still', true],
  ['what the swap waits for is inserted as it comes, whatever the sinks do', 'moving', false],
] as const)
  test(what, async (t) => {
    const { rows, stored } = await filled(sinks, inTheirOwnTime);
    t.is(stored, 2 * EACH);
    t.deepEqual(rows, [EACH, EACH]);
  });
