import { createDecoder, type DeliveryEvent, directMessageIdOf, REPEAT_WINDOW } from '@volley/contract';
import type { RangeOptions } from '@volley/stream';
import test from 'ava';
import { createEventDecoder } from '../src/event-decoder.ts';
import { createRepeatWindows } from '../src/repeat-windows.ts';
import { createTestLog, createTestSchemas, topics } from './support/log.ts';
import { delivery } from './support/roles.ts';
import { testClock } from './support/service.ts';

const ID = '01a1fdc2-e2c6-780b-84ec-2fe500000000';
const end = (n: number) => ({ ...delivery(ID, n, 'sent'), partition: 0 });
const ended = (n: number): Pick<DeliveryEvent, 'message_id' | 'run' | 'kind' | 'deferrals'> => ({
  message_id: `${ID.slice(0, 28)}${n.toString(16).padStart(8, '0')}`,
  run: 0,
  kind: 'sent',
  deferrals: 0,
});

async function setUp(n: number) {
  const log = await createTestLog();
  const producer = await log.client.producer({ clientId: 'test' });
  await producer.send(Array.from({ length: n }, (_, i) => end(i + 1)));
  const schemas = createTestSchemas();
  const clock = testClock();
  const decoder = createEventDecoder({
    decode: createDecoder('DeliveryEvent', schemas),
    loadSchema: (id) => schemas.load(id),
    monotonicMs: clock.monotonicMs,
  });
  const ranges: [from: number, to: number][] = [];
  let breakAfter = Number.POSITIVE_INFINITY;
  const client = {
    async readRanges(options: RangeOptions) {
      ranges.push(...options.ranges.map(({ from, to }): [number, number] => [from, to]));
      let read = 0;
      await log.client.readRanges({
        ...options,
        onRecord(record) {
          read += 1;
          if (read > breakAfter) throw new Error('the broker went away');
          options.onRecord(record);
        },
      });
    },
  };
  const windows = createRepeatWindows({ topic: topics.deliveries, client, decoder });
  return { windows, schemas, clock, ranges, producer, breakAfter: (n: number) => (breakAfter = n) };
}

test('what lies before the first record that is counted is known, and nothing after it', async (t) => {
  const { windows, ranges } = await setUp(10);
  const rule = await windows.upTo(0, 0, 6);
  t.deepEqual(ranges.at(-1), [0, 6]);
  if (rule === 'wait') return t.fail();
  t.is(rule.offer(6, ended(6)), 'repeat');
  t.is(rule.offer(7, ended(7)), 'counts');
});

test('not further back than the window, and not before the log begins', async (t) => {
  const { windows, ranges } = await setUp(3);
  await t.throwsAsync(windows.upTo(0, REPEAT_WINDOW + 40, REPEAT_WINDOW + 50));
  t.deepEqual(ranges, [[REPEAT_WINDOW + 40, REPEAT_WINDOW + 50]]);
  await t.throwsAsync(windows.upTo(1, 0, REPEAT_WINDOW + 50));
  t.deepEqual(ranges.at(-1), [50, REPEAT_WINDOW + 50]);
  const rule = await windows.upTo(2, 0, 0);
  t.not(rule, 'wait');
  t.is(ranges.length, 2, 'an empty window is not read');
});

test('a read that fails goes on where it ended; one that comes back to us reads only what others counted', async (t) => {
  const { windows, ranges, breakAfter, schemas } = await setUp(10);
  await schemas.load(3);
  breakAfter(4);
  await t.throwsAsync(windows.upTo(0, 0, 8), { message: 'the broker went away' });
  breakAfter(Number.POSITIVE_INFINITY);
  const rule = await windows.upTo(0, 0, 8);
  t.deepEqual(ranges.at(-1), [4, 8]);
  if (rule === 'wait') return t.fail();
  t.is(rule.offer(8, ended(1)), 'repeat');
  windows.keep(0, rule, 9);
  t.is(await windows.upTo(0, 0, 10), rule);
  t.deepEqual(ranges.at(-1), [9, 10]);
  t.not(await windows.upTo(0, 0, 7), rule, 'it knows more than the one who goes on from there');
  t.deepEqual(ranges.at(-1), [0, 7]);
  windows.only([1]);
  await windows.upTo(0, 0, 7);
  t.deepEqual(ranges.at(-1), [0, 7]);
});

test('a schema that is said not to exist is waited for; what cannot be read is left out in the end', async (t) => {
  const { windows, schemas, clock } = await setUp(3);
  schemas.missing = 2;
  t.is(await windows.upTo(0, 0, 3), 'wait');
  t.is(await windows.upTo(0, 0, 3), 'wait', 'not asked again in the same moment');
  clock.advance(2_000);
  t.is(await windows.upTo(0, 0, 3), 'wait');
  clock.advance(2_000);
  const rule = await windows.upTo(0, 0, 3);
  t.is(rule === 'wait' ? rule : rule.offer(3, ended(2)), 'repeat');

  const other = await setUp(3);
  other.schemas.missing = 3;
  for (let i = 0; i < 2; i++) {
    t.is(await other.windows.upTo(0, 0, 3), 'wait');
    other.clock.advance(2_000);
  }
  const empty = await other.windows.upTo(0, 0, 3);
  t.is(empty === 'wait' ? empty : empty.offer(3, ended(2)), 'counts', 'it was passed over when it was counted, too');
});

test('an event of a message that is none of its campaign says nothing about that message', async (t) => {
  const { windows, producer } = await setUp(0);
  const other = '01a1fdc2-e2c6-780c-84ec-2fe500000000';
  await producer.send([
    { ...delivery(other, 1, 'sent', { message_id: ended(1).message_id }), partition: 0 },
    { ...delivery(ID, 1, 'sent', { message_id: directMessageIdOf(ID, 'x'), ordinal: 0 }), partition: 0 },
    { ...delivery(ID, 1, 'sent', { message_id: '' }), partition: 0 },
    { topic: topics.deliveries, partition: 0, key: null, value: Buffer.from('no event') },
  ]);
  const rule = await windows.upTo(0, 0, 4);
  if (rule === 'wait') return t.fail();
  t.is(rule.offer(4, ended(1)), 'counts');
  t.is(rule.offer(5, { ...ended(1), message_id: directMessageIdOf(ID, 'x') }), 'repeat');
});
