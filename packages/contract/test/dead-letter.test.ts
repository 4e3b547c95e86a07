import test from 'ava';
import { boundedDeadLetterOf, type DeadLetterFacts, deadLetterOf, type SourceRecord } from '../src/dead-letter.ts';
import { DEAD_LETTER_EXTRA_BYTES, MAX_MESSAGE_BYTES } from '../src/topics.ts';

const DLQ = 'ns.messages.dlq';
const record: SourceRecord = {
  topic: 'ns.messages.bulk',
  partition: 7,
  offset: 42,
  timestampMs: 1_763_719_200_123,
  key: Buffer.from('campaign'),
  value: Buffer.from([0, 0, 0, 0, 9, 255, 0, 13, 10]),
  headers: { 'v-message-id': Buffer.from('m1'), binary: Buffer.from([0, 255, 10]) },
};
const facts: DeadLetterFacts = {
  reason: 'attempts_exhausted',
  attempts: 4,
  firstFailedAtMs: 1_000,
  lastFailedAtMs: 2_000,
  error: '451 try\r\nlater',
};

test('bytes, key, headers and partition number stay as they were', (t) => {
  const letter = deadLetterOf(record, DLQ, facts);
  t.is(letter.topic, DLQ);
  t.is(letter.partition, 7);
  t.is(letter.value, record.value);
  t.is(letter.key, record.key);
  for (const [name, value] of Object.entries(record.headers)) t.deepEqual(letter.headers[name], value);
});

test('what happened is in the headers', (t) => {
  t.like(deadLetterOf(record, DLQ, facts).headers, {
    'volley-reason': 'attempts_exhausted',
    'volley-origin': 'ns.messages.bulk/7/42/1763719200123',
    'volley-attempts': '4',
    'volley-first-failed-at': '1000',
    'volley-last-failed-at': '2000',
    'volley-error': '451 try later',
  });
});

test('a record without key, value and headers is kept as such', (t) => {
  const letter = deadLetterOf({ ...record, key: null, value: null, headers: {} }, DLQ, facts);
  t.is(letter.key, null);
  t.is(letter.value, null);
  t.is(Object.keys(letter.headers).length, 6);
});

test('a letter that fails again keeps its first origin and first failure, and tells the last reason', (t) => {
  const first = deadLetterOf(record, DLQ, facts);
  const headers = Object.fromEntries(
    Object.entries(first.headers).map(([name, value]) => [name, Buffer.isBuffer(value) ? value : Buffer.from(value)]),
  );
  const again = deadLetterOf({ ...record, topic: DLQ, offset: 1, headers }, DLQ, {
    ...facts,
    reason: 'provider_refused',
    attempts: 9,
    firstFailedAtMs: 5_000,
    lastFailedAtMs: 6_000,
  });
  t.is(String(again.headers['volley-origin']), 'ns.messages.bulk/7/42/1763719200123');
  t.is(String(again.headers['volley-first-failed-at']), '1000');
  t.like(again.headers, {
    'volley-reason': 'provider_refused',
    'volley-attempts': '9',
    'volley-last-failed-at': '6000',
  });
});

test('the trace of the record stays; a record without one gets the given one', (t) => {
  const own = { ...record, headers: { traceparent: Buffer.from('00-own') } };
  t.is(String(deadLetterOf(own, DLQ, { ...facts, traceparent: '00-other' }).headers.traceparent), '00-own');
  t.is(deadLetterOf(record, DLQ, { ...facts, traceparent: '00-other' }).headers.traceparent, '00-other');
  t.false('traceparent' in deadLetterOf(record, DLQ, facts).headers);
});

const bytesOf = (headers: Record<string, string | Buffer>) =>
  Object.entries(headers).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);

const HOSTILE: [string, Record<string, Buffer>][] = [
  ['ten thousand headers', Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`h${i}`, Buffer.from('x')]))],
  ['one header of a megabyte', { big: Buffer.alloc(1_000_000) }],
  ['a name of a megabyte', { ['n'.repeat(1_000_000)]: Buffer.from('x') }],
  ['names that take three bytes a character', { ['€'.repeat(32_000)]: Buffer.from('x') }],
  ['many of a kilobyte', Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`h${i}`, Buffer.alloc(1_024)]))],
];
for (const [what, headers] of HOSTILE) {
  test(`bounded: ${what}`, (t) => {
    const letter = deadLetterOf({ ...record, headers }, DLQ, { ...facts, error: 'e'.repeat(100_000) });
    t.true(bytesOf(letter.headers) < DEAD_LETTER_EXTRA_BYTES, `${bytesOf(letter.headers)} bytes`);
    t.true(Object.keys(letter.headers).length <= 64 + 7);
    t.is(letter.headers['volley-reason'], 'attempts_exhausted');
    t.is(letter.value, record.value);
  });
}

test('headers named like parts of every object do no harm', (t) => {
  const headers = JSON.parse('{"__proto__": 1, "constructor": 2}') as Record<string, unknown>;
  for (const name of Object.keys(headers)) headers[name] = Buffer.from('x');
  const letter = deadLetterOf({ ...record, headers: headers as Record<string, Buffer> }, DLQ, facts);
  t.is(Object.getPrototypeOf({}), Object.prototype);
  t.is(({} as Record<string, unknown>).x, undefined);
  t.is(letter.headers['volley-reason'], 'attempts_exhausted');
  t.deepEqual(letter.headers.constructor as unknown, Buffer.from('x'));
});

const sizeOf = (letter: ReturnType<typeof boundedDeadLetterOf>) =>
  (letter.key?.length ?? 0) + (letter.value?.length ?? 0) + bytesOf(letter.headers);

test('bounded: what fits is not cut and does not say so', (t) => {
  t.deepEqual(boundedDeadLetterOf(record, DLQ, facts), deadLetterOf(record, DLQ, facts));
  const value = Buffer.alloc(MAX_MESSAGE_BYTES - 8, 1);
  t.is(boundedDeadLetterOf({ ...record, value }, DLQ, facts).value, value);
});

const TOO_LARGE: [string, Partial<SourceRecord>][] = [
  ['a value of 1.2 MB', { value: Buffer.alloc(1_200_000, 7) }],
  ['a key of 1.2 MB', { key: Buffer.alloc(1_200_000, 7) }],
  ['a key of 1.2 MB without a value', { key: Buffer.alloc(1_200_000, 7), value: null }],
  [
    'both, and headers',
    { headers: HOSTILE[4]?.[1] ?? {}, key: Buffer.alloc(9_000_000), value: Buffer.alloc(9_000_000) },
  ],
];
for (const [what, more] of TOO_LARGE) {
  test(`bounded: ${what} is cut to what a dead-letter topic takes`, (t) => {
    const source = { ...record, ...more };
    const letter = boundedDeadLetterOf(source, DLQ, facts);
    t.true(sizeOf(letter) < MAX_MESSAGE_BYTES + DEAD_LETTER_EXTRA_BYTES / 2, `${sizeOf(letter)} bytes`);
    t.deepEqual(letter.value, source.value?.subarray(0, letter.value?.length) ?? null);
    t.deepEqual(letter.key, source.key?.subarray(0, letter.key?.length) ?? null);
    t.is(letter.headers['volley-truncated'], '1');
    t.is(letter.headers['volley-original-bytes'], String(source.value?.length ?? 0));
    t.is(letter.headers['volley-reason'], 'attempts_exhausted');
  });
}

test('bounded: the key stays whole beside a value that is cut', (t) => {
  const letter = boundedDeadLetterOf({ ...record, value: Buffer.alloc(1_200_000) }, DLQ, facts, 1_000);
  t.deepEqual(letter.key, record.key);
  t.is(letter.value?.length, 1_000 - 8);
});

test('bounded: no bytes at all is a bound, too', (t) => {
  const letter = boundedDeadLetterOf(record, DLQ, facts, 0);
  t.is((letter.key?.length ?? 0) + (letter.value?.length ?? 0), 0);
  t.is(letter.headers['volley-original-bytes'], '9');
});
