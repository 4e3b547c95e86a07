import { createRequire } from 'node:module';
import test from 'ava';
import { createSessionClock } from '../src/adapters/kafka-session.ts';

const load = createRequire(import.meta.url);
const logger = { namespace: () => logger, debug: () => {} };

test('an answer that was read long after it was asked for is as old as the question', (t) => {
  let now = 1_000;
  const clock = createSessionClock(() => now);
  t.is(clock.atMs(), 1_000);
  now = 2_000;
  clock.requested({ apiName: 'Heartbeat', duration: 3 });
  clock.heartbeat();
  t.is(clock.atMs(), 1_997);
  now = 30_000;
  clock.requested({ apiName: 'Heartbeat', duration: 27_000 });
  clock.requested({ apiName: 'Fetch', duration: 1 });
  clock.heartbeat();
  t.is(clock.atMs(), 3_000, 'the process slept between question and answer');
  clock.answered(2_500);
  t.is(clock.atMs(), 3_000, 'it never goes back');
  clock.answered(29_990);
  t.is(clock.atMs(), 29_990);
});

test('kafkajs says how long a heartbeat took before it says that it was answered', async (t) => {
  const Emitter = load('kafkajs/src/instrumentation/emitter.js');
  const ConsumerGroup = load('kafkajs/src/consumer/consumerGroup.js');
  const SocketRequest = load('kafkajs/src/network/requestQueue/socketRequest.js');
  const emitter = new Emitter();
  const clock = createSessionClock();
  const said: string[] = [];
  emitter.addListener('network.request', ({ payload }: { payload: never }) => {
    said.push('request');
    clock.requested(payload);
  });
  emitter.addListener('consumer.heartbeat', () => {
    said.push('heartbeat');
    clock.heartbeat();
  });
  const group = new ConsumerGroup({ logger, instrumentationEmitter: emitter, retry: {} });
  group.memberId = 'member';
  group.coordinator = {
    heartbeat: () =>
      new Promise((resolve, reject) => {
        const entry = { correlationId: 1, apiName: 'Heartbeat', apiKey: 12, apiVersion: 3, resolve, reject };
        const of = { requestTimeout: 10_000, expectResponse: true, send() {}, timeout() {}, broker: '', clientId: '' };
        const request = new SocketRequest({ entry, instrumentationEmitter: emitter, ...of });
        request.send();
        setTimeout(() => request.completed({ size: 0, payload: Buffer.alloc(0) }), 120);
      }),
  };
  const askedMs = performance.now();
  await group.heartbeat({ interval: 0 });
  t.deepEqual(said, ['request', 'heartbeat']);
  t.true(clock.atMs() < askedMs + 60, `${clock.atMs() - askedMs} ms after the question`);
});
