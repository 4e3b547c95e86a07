import test from 'ava';
import type { Cluster } from 'kafkajs';
import { waitLongerWhenIdle } from '../src/adapters/kafka-idle-fetch.ts';

test('a consumer that has had nothing for a while lets the broker wait longer, for one byte, until something comes', async (t) => {
  const asked: { maxWaitTime?: number; minBytes?: number }[] = [];
  const broker = {
    fetch: async (of: { maxWaitTime?: number; minBytes?: number }) => {
      asked.push(of);
      return { responses: [] };
    },
  };
  const cluster = { findBroker: async () => broker } as unknown as Cluster;
  let nowMs = 5_000;
  const idleness = waitLongerWhenIdle(cluster, () => nowMs);
  const fetch = async () => {
    const found = await cluster.findBroker({ nodeId: '1' });
    await found.fetch({ maxWaitTime: 100, minBytes: 65_536 } as never);
    return asked.at(-1);
  };
  t.deepEqual(await fetch(), { maxWaitTime: 100, minBytes: 65_536 });
  nowMs += 1_999;
  t.deepEqual(await fetch(), { maxWaitTime: 100, minBytes: 65_536 });
  nowMs += 1;
  t.deepEqual(await fetch(), { maxWaitTime: 500, minBytes: 1 });
  const wrapped = broker.fetch;
  t.deepEqual(await fetch(), { maxWaitTime: 500, minBytes: 1 });
  t.is(broker.fetch, wrapped, 'the same broker is wrapped once');
  nowMs += 8_000;
  t.deepEqual(await fetch(), { maxWaitTime: 1_000, minBytes: 1 });
  idleness.active();
  t.deepEqual(await fetch(), { maxWaitTime: 100, minBytes: 65_536 });
  t.is(asked.length, 6);
});
