import { HEADERS } from '@volley/contract';
import test from 'ava';
import { createLaneLog } from '../src/lane-log.ts';
import { createTestLog, silent, topics } from './support/log.ts';
import { testClock } from './support/service.ts';

async function world() {
  const log = await createTestLog();
  const clock = testClock();
  const producer = await log.client.producer({ clientId: 'p' });
  const write = (partition: number, ids: readonly string[]) =>
    producer.send(
      ids.map((id) => ({
        ...{ topic: topics.messages.bulk, partition, key: null, value: Buffer.from('v') },
        headers: { [HEADERS.messageId]: id },
      })),
    );
  let asked = 0;
  let away = false;
  const committed = [-1, -1, -1];
  const admin = {
    async logBounds(topic: string) {
      asked += 1;
      if (away) throw new Error('away');
      return log.admin.logBounds(topic);
    },
    committed: async () => committed.map((offset) => ({ offset, metadata: '' })),
  };
  const lanes = createLaneLog({ client: log.client, admin, topics, groupId: 'g', clock, log: silent });
  /** As the next one sees it: what is asked in the background is there. */
  const later = async () => {
    clock.advance(1_000);
    await lanes.backlog('bulk', [0]);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  };
  return { lanes, write, committed, later, asked: () => asked, leave: () => (away = true) };
}

test('the backlog is what lies behind the commits, in the fullest of the partitions asked for', async (t) => {
  const { lanes, write, committed, later } = await world();
  await write(0, ['a', 'b', 'c']);
  await write(2, ['d']);
  t.is(await lanes.backlog('bulk', [0, 2]), 3);
  t.is(await lanes.backlog('bulk', [2]), 1);
  t.is(await lanes.backlog('bulk', [1]), 0);
  committed[0] = 2;
  await later();
  t.is(await lanes.backlog('bulk', [0, 2]), 1);
  t.is(await lanes.backlog('transactional', [0]), 0);
});

test('however many ask, the log is asked once a second; one that does not answer is not known', async (t) => {
  const { lanes, write, later, asked, leave } = await world();
  await write(0, ['a']);
  await Promise.all(Array.from({ length: 50 }, () => lanes.backlog('bulk', [0])));
  t.is(asked(), 1);
  leave();
  await later();
  t.is(asked(), 2);
  t.is(await lanes.backlog('bulk', [0]), undefined);
});

test('where the log ended is at or below whatever is written later, by what was asked and what was acknowledged', async (t) => {
  const { lanes, write } = await world();
  t.is(lanes.endsAt('bulk', [0]), undefined, 'nothing is known, and the beginning may be a month ago');
  await write(0, ['a', 'b']);
  await lanes.backlog('bulk', [0]);
  t.deepEqual(lanes.endsAt('bulk', [0, 1]), { 0: 2, 1: 0 });
  const acks = await write(0, ['c', 'd']);
  lanes.saw('bulk', acks);
  t.deepEqual(lanes.endsAt('bulk', [0]), { 0: 4 });
  lanes.saw('bulk', acks.slice(0, 1));
  t.deepEqual(lanes.endsAt('bulk', [0]), { 0: 4 }, 'it never goes back');
});

test('where the log ends is known also when nobody can say what dispatchers have committed', async (t) => {
  const { lanes, write, committed } = await world();
  await write(0, ['a']);
  Object.defineProperty(committed, 'map', { value: () => Promise.reject(new Error('no coordinator')) });
  t.is(await lanes.backlog('bulk', [0]), undefined);
  t.deepEqual(lanes.endsAt('bulk', [0]), { 0: 1 });
});

test('which messages are there from an offset on, in the partitions named, and of no other a word', async (t) => {
  const { lanes, write } = await world();
  await write(0, ['a', 'b', 'c']);
  await write(1, ['d']);
  const from = async (at: Record<number, number>, ids = ['a', 'b', 'c', 'd', 'e']) =>
    [...(await lanes.whichOf(new Set(ids), 'bulk', at))].sort();
  t.deepEqual(await from({ 0: 1 }), ['b', 'c']);
  t.deepEqual(await from({ 0: 0, 1: 0, 2: 0 }), ['a', 'b', 'c', 'd']);
  t.deepEqual(await from({ 0: 3, 1: 9 }), []);
  t.deepEqual(await from({ 0: 0, 1: 0 }, ['b', 'e']), ['b']);
});
