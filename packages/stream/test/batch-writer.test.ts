import test from 'ava';
import {
  createBatchWriter,
  type OutgoingMessage,
  type PartitionAnswer,
  WriteRejected,
  type WriterBackend,
} from '../src/batch-writer.ts';
import { type ProducerOptions, RecordRefused, StreamUnavailable } from '../src/port.ts';
import { text } from '../src/testkit/support.ts';

interface Request {
  readonly producer: number;
  readonly topics: readonly { topic: string; messages: OutgoingMessage[] }[];
  values(): string[];
  /** Appends to the fake log and answers; the log of a partition is what was appended. */
  answer(change?: (answers: PartitionAnswer[]) => PartitionAnswer[]): void;
  fail(error: Error): void;
}

/** A scripted producer: each request waits for the test to say what becomes of it. */
function scripted(options: Partial<ProducerOptions> = {}, partitions = 4) {
  const requests: Request[] = [];
  const log = new Map<string, string[]>();
  const abandoned: number[] = [];
  let producers = 0;
  let inFlight = 0;
  let mostInFlight = 0;
  let arrived: (() => void) | undefined;

  const append = (topics: Request['topics']): PartitionAnswer[] => {
    const bases = new Map<string, PartitionAnswer>();
    for (const { topic, messages } of topics) {
      for (const { partition, value } of messages) {
        const key = `${topic} ${partition}`;
        const records = log.get(key) ?? [];
        log.set(key, records);
        if (!bases.has(key)) bases.set(key, { topic, partition, errorCode: 0, baseOffset: records.length });
        records.push(value?.toString() ?? '');
      }
    }
    return [...bases.values()];
  };

  const connect = async (): Promise<WriterBackend> => {
    const producer = producers++;
    return {
      send: (topics) =>
        new Promise((resolve, reject) => {
          inFlight += 1;
          mostInFlight = Math.max(mostInFlight, inFlight);
          const settle = <T>(how: (value: T) => void) => {
            return (value: T) => {
              inFlight -= 1;
              how(value);
            };
          };
          requests.push({
            producer,
            topics,
            values: () => topics.flatMap(({ messages }) => messages.map(({ value }) => value?.toString() ?? '')),
            answer: (change = (answers) => answers) => settle(resolve)(change(append(topics))),
            fail: settle(reject),
          });
          arrived?.();
        }),
      close: async () => {},
      abandon: () => abandoned.push(producer),
    };
  };
  const writer = createBatchWriter(
    { clientId: 'test', deadlineMs: 5_000, ...options },
    { connect, describe: async () => ({ partitions, maxRecordBytes: 1_048_588 }) },
  );
  /** The n-th request, once it is made. */
  const request = async (n: number): Promise<Request> => {
    while (requests.length <= n) {
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    }
    return requests[n] as Request;
  };
  return { writer, request, requests, log, abandoned, mostInFlight: () => mostInFlight, producers: () => producers };
}

const send = (writer: { send: ReturnType<typeof createBatchWriter>['send'] }, ...values: string[]) =>
  writer.send(values.map((value) => text('t', 0, value)));

test('one request is in flight, and what arrives meanwhile is the next one', async (t) => {
  const { writer, request, requests, mostInFlight } = scripted();
  const sends = [send(writer, 'a'), send(writer, 'b')];
  const first = await request(0);
  t.deepEqual(first.values(), ['a', 'b']);
  sends.push(send(writer, 'c'), send(writer, 'd', 'e'), send(writer, 'f'));
  await new Promise((resolve) => setImmediate(resolve));
  t.is(requests.length, 1);
  first.answer();
  const second = await request(1);
  t.deepEqual(second.values(), ['c', 'd', 'e', 'f']);
  second.answer();
  const acks = await Promise.all(sends);
  t.deepEqual(
    acks.map((of) => of.map(({ offset }) => offset)),
    [[0], [1], [2], [3, 4], [5]],
  );
  t.is(mostInFlight(), 1);
});

test('a request is bounded by records and bytes, and a record above the bound goes alone', async (t) => {
  const { writer, request } = scripted({ maxBatchRecords: 3, maxBatchBytes: 1_000 });
  const big = 'x'.repeat(2_000);
  const all = send(writer, 'a', 'b', 'c', 'd', big, 'e', 'y'.repeat(600), 'z'.repeat(600));
  const sizes: number[] = [];
  for (let n = 0; n < 5; n++) {
    const next = await request(n);
    sizes.push(next.values().length);
    if (next.values().includes(big)) t.is(next.values().length, 1);
    next.answer();
  }
  t.deepEqual(sizes, [3, 1, 1, 2, 1]);
  t.is((await all).length, 8);
});

test('a partition that the answer leaves out is sent again, under a new producer, and only that one', async (t) => {
  const { writer, request, log, abandoned, producers } = scripted();
  const all = writer.send([0, 1, 0, 1].map((partition, i) => text('t', partition, `${i}`)));
  // As kafkajs does it when a leader moves: it resolves although partition 1 was never sent.
  (await request(0)).answer((answers) => answers.filter(({ partition }) => partition === 0));
  log.delete('t 1');
  const again = await request(1);
  t.deepEqual(again.values(), ['1', '3']);
  t.is(again.producer, 1);
  again.answer();
  t.deepEqual(
    (await all).map(({ partition, offset }) => [partition, offset]),
    [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ],
  );
  t.deepEqual(log.get('t 0'), ['0', '2']);
  t.deepEqual(abandoned, [0]);
  t.is(producers(), 2);
});

test('an error code in the answer is not an acknowledgement', async (t) => {
  const { writer, request } = scripted();
  const all = send(writer, 'a');
  (await request(0)).answer((answers) => answers.map((answer) => ({ ...answer, errorCode: 7 })));
  const again = await request(1);
  t.deepEqual(again.values(), ['a']);
  t.is(again.producer, 1);
  again.answer();
  t.is((await all).length, 1);
});

test('an answer without an offset is not an acknowledgement', async (t) => {
  const { writer, request } = scripted();
  const all = send(writer, 'a');
  (await request(0)).answer((answers) => answers.map((answer) => ({ ...answer, baseOffset: -1 })));
  (await request(1)).answer();
  t.is((await all)[0]?.offset, 1);
});

test('after an error that kafkajs gives up on, the same records go out in the same order under a new producer', async (t) => {
  const { writer, request, abandoned } = scripted();
  const all = send(writer, 'a', 'b');
  (await request(0)).fail(new Error('OUT_OF_ORDER_SEQUENCE_NUMBER'));
  const later = send(writer, 'c');
  const again = await request(1);
  t.deepEqual(again.values(), ['a', 'b', 'c']);
  t.is(again.producer, 1);
  t.deepEqual(abandoned, [0]);
  again.answer();
  t.deepEqual(
    [...(await all), ...(await later)].map(({ offset }) => offset),
    [0, 1, 2],
  );
});

test('at the deadline the call rejects, the producer is cut off, and later calls go on', async (t) => {
  const { writer, request, abandoned } = scripted({ deadlineMs: 50 });
  const lost = send(writer, 'a');
  await request(0);
  await t.throwsAsync(lost, { instanceOf: StreamUnavailable });
  t.is(writer.pendingBytes(), 0);
  const next = send(writer, 'b');
  const second = await request(1);
  t.deepEqual(second.values(), ['b']);
  t.is(second.producer, 1);
  t.deepEqual(abandoned, [0]);
  second.answer();
  t.is((await next).length, 1);
});

test('an answer that comes after the deadline acknowledges nothing', async (t) => {
  const { writer, request } = scripted({ deadlineMs: 50 });
  const lost = send(writer, 'a');
  const first = await request(0);
  await t.throwsAsync(lost, { instanceOf: StreamUnavailable });
  first.answer();
  const next = send(writer, 'b');
  const second = await request(1);
  t.deepEqual(second.values(), ['b']);
  second.answer();
  t.deepEqual(await next, [{ topic: 't', partition: 0, offset: 1 }]);
});

test('a refused record is found by halving, its call alone is refused, and order is kept', async (t) => {
  const { writer, requests, request, log } = scripted();
  const values = ['a', 'b', 'bad', 'c', 'd'];
  const sends = values.map((value) => send(writer, value));
  const results = Promise.allSettled(sends);
  let done = false;
  void results.then(() => {
    done = true;
  });
  for (let n = 0; !done; n++) {
    const next = await Promise.race([request(n), results.then(() => undefined)]);
    if (next === undefined) break;
    if (next.values().includes('bad')) next.fail(new WriteRejected('MESSAGE_TOO_LARGE'));
    else next.answer();
  }
  const statuses = (await results).map(({ status }) => status);
  t.deepEqual(statuses, ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  await t.throwsAsync(sends[2] as Promise<unknown>, { instanceOf: RecordRefused });
  t.deepEqual(log.get('t 0'), ['a', 'b', 'c', 'd']);
  t.true(requests.length < 10);
});

test('a log that cannot be reached rejects at the deadline, not before', async (t) => {
  let attempts = 0;
  const writer = createBatchWriter(
    { clientId: 'test', deadlineMs: 1_000 },
    {
      async connect() {
        attempts += 1;
        throw new Error('ECONNREFUSED');
      },
      describe: async () => ({ partitions: 1, maxRecordBytes: 1_000 }),
    },
  );
  const before = performance.now();
  await t.throwsAsync(send(writer, 'a'), { instanceOf: StreamUnavailable });
  t.true(performance.now() - before >= 990);
  t.true(attempts > 1);
  await writer.close();
});

test('a topic that cannot be looked up keeps its call waiting until the deadline', async (t) => {
  const writer = createBatchWriter(
    { clientId: 'test', deadlineMs: 80 },
    {
      connect: async () => {
        throw new Error('not reached');
      },
      describe: async () => {
        throw new Error('ECONNREFUSED');
      },
    },
  );
  await t.throwsAsync(send(writer, 'a'), { instanceOf: StreamUnavailable });
  t.is(writer.pendingBytes(), 0);
});
