import { createRequire } from 'node:module';
import test from 'ava';
import { keepTimeMonotonically } from '../src/adapters/kafka-clock.ts';

const load = createRequire(import.meta.url);
const HOURS_MS = 2 * 3_600_000;
const original = Date.now;

test.before(() => keepTimeMonotonically());
test.afterEach.always(() => {
  Date.now = original;
});
const shift = (byMs: number) => {
  Date.now = () => original() + byMs;
};

const logger = { namespace: () => logger, debug: () => {} };

test.serial('a clock that is set back silences no member: heartbeats come as before', async (t) => {
  const ConsumerGroup = load('kafkajs/src/consumer/consumerGroup.js');
  const group = new ConsumerGroup({ logger, instrumentationEmitter: { emit() {} }, retry: {} });
  let heartbeats = 0;
  group.memberId = 'member';
  group.coordinator = { heartbeat: async () => void heartbeats++ };
  // Below 0: within one millisecond too.
  await group.heartbeat({ interval: -1 });
  t.is(heartbeats, 1);
  shift(-HOURS_MS);
  await group.heartbeat({ interval: -1 });
  t.is(heartbeats, 2, 'after two hours back');
  await group.heartbeat({ interval: 60_000 });
  t.is(heartbeats, 2, 'and not before its time');
  shift(HOURS_MS);
  await group.heartbeat({ interval: 60_000 });
  t.is(heartbeats, 2, 'nor after two hours ahead');
});

test.serial('a clock that is set ahead times no request out', (t) => {
  const SocketRequest = load('kafkajs/src/network/requestQueue/socketRequest.js');
  const entry = { correlationId: 1, apiName: 'Produce', apiKey: 0, apiVersion: 7 };
  const request = new SocketRequest({ entry, requestTimeout: 10_000, expectResponse: true, send() {}, timeout() {} });
  t.is(request.sentAt, null);
  request.send();
  shift(HOURS_MS);
  t.true(Math.abs(Date.now() - request.sentAt) < 5_000);
  shift(-HOURS_MS);
  t.true(Math.abs(Date.now() - request.sentAt) < 5_000);
  t.true(request.pendingDuration >= 0 && request.pendingDuration < 5_000);
});

test.serial('what a broker asked to wait is waited for, whatever the clock says', (t) => {
  const RequestQueue = load('kafkajs/src/network/requestQueue/index.js');
  const queue = new RequestQueue({
    requestTimeout: 10_000,
    clientId: 'c',
    broker: 'b',
    logger,
    isConnected: () => true,
  });
  t.true(queue.canSendSocketRequestImmediately());
  queue.maybeThrottle(60_000);
  shift(HOURS_MS);
  t.false(queue.canSendSocketRequestImmediately());
  shift(0);
  t.true(queue.throttledUntil - Date.now() <= 60_000);
});
