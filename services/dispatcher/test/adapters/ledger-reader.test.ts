import { RECORD_TYPES, type SchemaStore } from '@volley/contract';
import { createMemoryBroker } from '@volley/stream/memory';
import test from 'ava';
import { until } from '../support.ts';
import { assignedPartition, createDeliveries, deliveryEvent, hintOf, idOf, LATE_REPEATS } from './ledger-support.ts';

const known: SchemaStore = { get: () => RECORD_TYPES.DeliveryEvent, load: async () => {} };

async function setUp(partitions = 2) {
  const broker = createMemoryBroker();
  const deliveries = await createDeliveries(broker.client(), { namespace: 't', partitions, schemaId: 3 });
  const [bulk, tier] = [deliveries.topics.messages.bulk, deliveries.topics.retry[0] as string];
  return { broker, deliveries, bulk, tier };
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

test('it tells what each message has been through, per number', async (t) => {
  const { deliveries, bulk } = await setUp();
  await deliveries.write(0, [
    deliveryEvent(1),
    deliveryEvent(2, { kind: 'deferred', tier: 'memory', attempt: 1 }),
    deliveryEvent(2, { kind: 'deferred', tier: '5s', attempt: 2, deferrals: 1 }),
    deliveryEvent(3, { kind: 'failed', run: 2 }),
  ]);
  await deliveries.write(1, [deliveryEvent(9)]);
  const { reader, ledger, seen } = deliveries.reader(known);
  reader.assigned([assignedPartition(bulk, 0), assignedPartition(bulk, 1)]);
  t.false(ledger.isOpen(0));
  await until(() => seen.read.length === 1);
  t.deepEqual(seen.opened.sort(), [0, 1]);
  t.deepEqual(seen.read, [{ numbers: 2, events: 5 }]);
  t.is(ledger.look(0, idOf(1), 0)?.ended, true);
  t.deepEqual(ledger.look(0, idOf(2), 0), { ended: false, attempts: 2, deferrals: 2, movedDeferrals: 1 });
  t.is(ledger.look(0, idOf(3), 0), undefined);
  t.is(ledger.look(0, idOf(3), 2)?.ended, true);
  t.is(ledger.look(0, idOf(9), 0), undefined);
  t.is(ledger.look(1, idOf(9), 0)?.ended, true);
  t.is(ledger.end(0), 4);
  t.is(reader.problem(), undefined);
});

const count = LATE_REPEATS + 100;

for (const [title, partitions, from] of [
  [
    'the smallest hint of the number decides',
    (bulk: string, tier: string) => [
      assignedPartition(bulk, 0, { metadata: hintOf(count - 10) }),
      assignedPartition(tier, 0, { metadata: hintOf(count - 40) }),
    ],
    60,
  ],
  [
    'a partition that was handled to its end has no say',
    (bulk: string, tier: string) => [
      assignedPartition(bulk, 0, { metadata: hintOf(count - 10) }),
      assignedPartition(tier, 0, { committed: 5, logEnd: 5, metadata: hintOf(3) }),
    ],
    90,
  ],
  [
    'with nothing to look back for, the latest events are read all the same',
    (bulk: string) => [assignedPartition(bulk, 0, { logEnd: 0, committed: -1 })],
    100,
  ],
  [
    'a partition without a commit has it read from the start',
    (bulk: string, tier: string) => [
      assignedPartition(bulk, 0, { metadata: hintOf(count - 10) }),
      assignedPartition(tier, 0, { committed: -1 }),
    ],
    0,
  ],
  [
    'metadata that cannot be read has it read from the start',
    (bulk: string) => [assignedPartition(bulk, 0, { metadata: 'what?' })],
    0,
  ],
] as const) {
  test(title, async (t) => {
    const { deliveries, bulk, tier } = await setUp(1);
    await deliveries.write(
      0,
      range(1, count + 1).map((n) => deliveryEvent(n)),
    );
    const { reader, ledger, seen } = deliveries.reader(known);
    reader.assigned(partitions(bulk, tier));
    await until(() => seen.read.length === 1);
    t.is(seen.read[0]?.events, count - from);
    if (from > 0) t.is(ledger.look(0, idOf(from), 0), undefined);
    t.true(ledger.look(0, idOf(from + 1), 0)?.ended);
    t.true(ledger.look(0, idOf(count), 0)?.ended);
    t.is(ledger.end(0), count);
  });
}

test('what retention took is not asked for', async (t) => {
  const { broker, deliveries, bulk } = await setUp(1);
  await deliveries.write(
    0,
    range(1, 101).map((n) => deliveryEvent(n)),
  );
  broker.truncate(deliveries.topics.deliveries, 0, 60);
  const { reader, ledger, seen } = deliveries.reader(known);
  reader.assigned([assignedPartition(bulk, 0, { metadata: hintOf(10) })]);
  await until(() => ledger.isOpen(0));
  t.is(ledger.look(0, idOf(61), 0)?.ended, true);
  await until(() => seen.read.length === 1);
  t.deepEqual(seen.read, [{ numbers: 1, events: 40 }]);
});

test('while the log is away the number stays closed, and says why; then it opens', async (t) => {
  const { broker, deliveries, bulk } = await setUp(1);
  await deliveries.write(0, [deliveryEvent(1)]);
  const { reader, ledger, seen } = deliveries.reader(known);
  broker.setAvailable(false);
  reader.assigned([assignedPartition(bulk, 0)]);
  await until(() => reader.problem() !== undefined);
  t.false(ledger.isOpen(0));
  broker.setAvailable(true);
  await until(() => seen.opened.length === 1);
  t.is(ledger.look(0, idOf(1), 0)?.ended, true);
  t.is(reader.problem(), undefined);
});

test('an unknown schema is waited for, and the reading goes on where it was', async (t) => {
  const { deliveries, bulk } = await setUp(1);
  await deliveries.write(0, [deliveryEvent(1), deliveryEvent(2)]);
  const other = deliveries.encode(deliveryEvent(3));
  other.writeUInt32BE(77, 1);
  await deliveries.raw(0, [other]);
  await deliveries.write(0, [deliveryEvent(4)]);
  let isKnown = false;
  const asked: number[] = [];
  let answer: () => void = () => {};
  const store: SchemaStore = {
    get: (id) => (id === 3 || isKnown ? RECORD_TYPES.DeliveryEvent : undefined),
    load: async () => {},
  };
  const { reader, ledger, seen } = deliveries.reader(store, (schemaId) => {
    asked.push(schemaId);
    return new Promise((resolve) => {
      answer = resolve;
    });
  });
  reader.assigned([assignedPartition(bulk, 0)]);
  await until(() => asked.length === 1);
  t.deepEqual(asked, [77]);
  t.false(ledger.isOpen(0));
  isKnown = true;
  answer();
  await until(() => seen.read.length === 1);
  t.deepEqual(seen.read, [{ numbers: 1, events: 4 }]);
  t.is(ledger.look(0, idOf(3), 0)?.ended, true);
});

test('what is no delivery event is passed over and counted', async (t) => {
  const { deliveries, bulk } = await setUp(1);
  const good = deliveries.encode(deliveryEvent(1));
  await deliveries.raw(0, [
    null,
    Buffer.from('no'),
    good.subarray(0, 20),
    Buffer.concat([good, Buffer.from([1])]),
    good,
  ]);
  const { reader, ledger, seen } = deliveries.reader(known);
  reader.assigned([assignedPartition(bulk, 0)]);
  await until(() => ledger.isOpen(0));
  t.is(seen.undecodable, 4);
  t.is(ledger.look(0, idOf(1), 0)?.ended, true);
});

test('an assignment that ends meanwhile fills nothing more', async (t) => {
  const { deliveries, bulk } = await setUp(2);
  for (const partition of [0, 1])
    await deliveries.write(
      partition,
      range(1, 20_001).map((n) => deliveryEvent(n)),
    );
  const { reader, ledger, seen } = deliveries.reader(known);
  reader.assigned([assignedPartition(bulk, 0), assignedPartition(bulk, 1)]);
  await until(() => ledger.state().events > 0);
  reader.revoked();
  t.true(seen.opened.length < 2);
  const { events } = ledger.state();
  reader.assigned([assignedPartition(bulk, 1)]);
  await until(() => ledger.isOpen(1));
  t.true(events < 40_000);
  t.is(seen.opened[seen.opened.length - 1], 1);
  t.false(ledger.isOpen(0));
  t.is(ledger.look(0, idOf(1), 0), undefined);
  t.is(ledger.look(1, idOf(20_000), 0)?.ended, true);
});

test('a number that stays is open again without reading what is known', async (t) => {
  const { deliveries, bulk } = await setUp(1);
  const [ack] = await deliveries.write(0, [deliveryEvent(1)]);
  t.is(ack?.offset, 0);
  const { reader, ledger, seen } = deliveries.reader(known);
  reader.assigned([assignedPartition(bulk, 0)]);
  await until(() => seen.read.length === 1);
  await deliveries.write(0, [deliveryEvent(2)]);
  ledger.note(0, deliveryEvent(2), 1);
  reader.revoked();
  // Written by somebody else, such as a redrive.
  await deliveries.write(0, [deliveryEvent(3)]);
  reader.assigned([assignedPartition(bulk, 0)]);
  await until(() => seen.read.length === 2);
  t.deepEqual(
    seen.read.map(({ events }) => events),
    [1, 1],
  );
  t.true([1, 2, 3].every((n) => ledger.look(0, idOf(n), 0)?.ended));
});
