import { directMessageIdOf, HEADERS } from '@volley/contract';
import { StreamUnavailable } from '@volley/stream';
import test from 'ava';
import type { Found } from '../src/message-body-ports.ts';
import { createRecordFinder } from '../src/record-finder.ts';
import { createTestLog, topics } from './support/log.ts';

const CAMPAIGN = '01a1fef0-6914-7dae-9c1d-1e4d00000000';
const idOf = (n: number) => directMessageIdOf(CAMPAIGN, String(n));

async function world(maxBytes?: number) {
  const { broker, client } = await createTestLog();
  const producer = await client.producer({ clientId: 'p', deadlineMs: 2_000 });
  let read = 0;
  let passedMs = 0;
  const counting: typeof client = {
    ...client,
    readRanges: (options) =>
      client.readRanges({
        ...options,
        onRecord(record) {
          read += 1;
          options.onRecord(record);
        },
      }),
  };
  const finder = { client: counting, topics, monotonicMs: () => performance.now() + passedMs };
  const find = createRecordFinder({ ...finder, ...(maxBytes !== undefined && { maxBytes }) });
  return {
    broker,
    find,
    read: () => read,
    passMs: (ms: number) => {
      passedMs += ms;
    },
    /** From message 0 on, in partition 1 of bulk. */
    fill: (n: number) =>
      producer.send(
        Array.from({ length: n }, (_, i) => ({
          ...{ topic: topics.messages.bulk, partition: 1, key: CAMPAIGN, value: Buffer.alloc(100, i) },
          headers: { [HEADERS.messageId]: idOf(i) },
        })),
      ),
    at: (n: number, queuedAtMs = 0, place = { lane: 'bulk', partition: 1 }) => ({
      messageId: idOf(n),
      places: [{ ...place, queuedAtMs }],
    }),
  };
}
const offsetOf = (found: Found) => (typeof found === 'string' ? found : found.record.offset);

test('the record of a message is found from its time on, and nothing is read behind it', async (t) => {
  const w = await world();
  await w.fill(1_000);
  t.is(offsetOf(await w.find(w.at(300))), 300);
  t.is(w.read(), 301);
  t.is(offsetOf(await w.find(w.at(300, Date.now()))), 300, 'it was queued within the two seconds');
});

test('what the log does not have is absent, after it was read to its end', async (t) => {
  const w = await world();
  await w.fill(10);
  t.is(await w.find(w.at(11)), 'absent');
  t.is(w.read(), 10);
  t.is(await w.find(w.at(3, Date.now() + 60_000)), 'absent', 'a time at which nothing was written yet');
  for (const place of [
    { lane: 'transactional', partition: 1 },
    { lane: 'bulk', partition: 2 },
    { lane: 'bulk', partition: 99 },
    { lane: 'none', partition: 1 },
  ])
    t.is(await w.find(w.at(3, 0, place)), 'absent', JSON.stringify(place));
  t.is(await w.find({ messageId: idOf(3), places: [] }), 'absent');
});

test('a log that starts later than the message was queued is told from one that never had it', async (t) => {
  const w = await world();
  await w.fill(10);
  w.broker.truncate(topics.messages.bulk, 1, 5);
  t.is(await w.find(w.at(3)), 'truncated');
  t.is(offsetOf(await w.find(w.at(7))), 7);
  w.broker.truncate(topics.messages.bulk, 1, 10);
  t.is(await w.find(w.at(3)), 'truncated', 'nothing is left of it');
});

test('no more bytes are read than the bound, and no longer than the deadline', async (t) => {
  const w = await world(5_000);
  await w.fill(1_000);
  t.is(await w.find(w.at(300)), 'bounded');
  t.is(w.read(), 51);
  t.is(offsetOf(await w.find(w.at(49))), 49);
  const slow = await world();
  await slow.fill(10);
  const looking = slow.find(slow.at(9));
  slow.passMs(6_000);
  t.is(await looking, 'bounded');
});

test('two are looked for at once; a third is told, and nothing stays taken when they are done', async (t) => {
  const w = await world();
  await w.fill(10);
  const found = await Promise.all([w.find(w.at(1)), w.find(w.at(2)), w.find(w.at(3))]);
  t.deepEqual(found.map(offsetOf), [1, 2, 'busy']);
  t.is(offsetOf(await w.find(w.at(3))), 3);
});

test('who has gone away is not looked for, and a log that is away is an outage', async (t) => {
  const w = await world();
  await w.fill(10);
  await t.throwsAsync(w.find(w.at(9), AbortSignal.abort(new Error('gone'))), { message: 'gone' });
  t.is(w.read(), 1);
  w.broker.setAvailable(false);
  const looking = w.find(w.at(9));
  await t.throwsAsync(looking, { instanceOf: StreamUnavailable });
  w.broker.setAvailable(true);
  t.is(offsetOf(await w.find(w.at(9))), 9);
});

test('a log that goes away in the middle of a read is an outage, and the message is not said to be absent', async (t) => {
  const { client } = await createTestLog();
  const producer = await client.producer({ clientId: 'p' });
  const record = { topic: topics.messages.bulk, partition: 1, key: CAMPAIGN, value: Buffer.alloc(100) };
  await producer.send([{ ...record, headers: { [HEADERS.messageId]: idOf(0) } }]);
  let passedMs = 0;
  const breaking: typeof client = {
    ...client,
    async readRanges(options) {
      await client.readRanges(options);
      throw new StreamUnavailable('the broker has gone');
    },
  };
  const find = createRecordFinder({ client: breaking, topics, monotonicMs: () => passedMs });
  const wanted = { messageId: idOf(1), places: [{ lane: 'bulk', partition: 1, queuedAtMs: 0 }] };
  await t.throwsAsync(find(wanted), { instanceOf: StreamUnavailable });
  // Its own deadline is the bound of a search, whatever ends the read.
  const late: typeof client = {
    ...breaking,
    async readRanges(options) {
      await client.readRanges(options);
      passedMs += 5_001;
      throw new StreamUnavailable('not read by then');
    },
  };
  t.is(await createRecordFinder({ client: late, topics, monotonicMs: () => passedMs })(wanted), 'bounded');
});
