import test from 'ava';
import { deadLetterOf, HEADERS, headersWithoutPast, movedRecordOf, pastOf } from '../src/index.ts';

const lane = {
  topic: 'volley.messages.bulk',
  partition: 3,
  offset: 42,
  timestampMs: 1_700_000_000_000,
  key: Buffer.from('campaign'),
  value: Buffer.from([0, 1, 2]),
  headers: { 'v-message-id': Buffer.from('m'), foreign: Buffer.from([0xff]) },
};
const arrived = (record: ReturnType<typeof movedRecordOf>, offset: number) => ({
  ...record,
  offset,
  timestampMs: 1_700_000_009_000,
  headers: Object.fromEntries(Object.entries(record.headers).map(([name, v]) => [name, Buffer.from(v)])),
});

test('a record of a lane has no past, and itself as its origin', (t) => {
  t.deepEqual(pastOf(lane), {
    attempts: 0,
    deferrals: 0,
    firstFailedAtMs: 0,
    notBeforeMs: 0,
    origin: 'volley.messages.bulk/3/42/1700000000000',
  });
});

test('from tier to tier the bytes stay, the first origin stays and the rest is replaced', (t) => {
  const past = { attempts: 4, deferrals: 4, firstFailedAtMs: 7, notBeforeMs: 9, origin: pastOf(lane)?.origin ?? '' };
  const first = arrived(movedRecordOf(lane, 'volley.messages.retry.5s', past), 1);
  t.deepEqual(pastOf(first), past);
  const again = { ...past, attempts: 5, deferrals: 5, notBeforeMs: 0, origin: pastOf(first)?.origin ?? '' };
  const second = arrived(movedRecordOf(first, 'volley.messages.held', again), 2);
  t.deepEqual(pastOf(second), again);
  t.is(second.headers[HEADERS.notBefore], undefined);
  t.deepEqual([second.partition, second.key, second.value], [lane.partition, lane.key, lane.value]);
  t.deepEqual(headersWithoutPast(second), lane.headers);
});

test('a dead letter of a tier record looks as if it came from the lane', (t) => {
  const past = { attempts: 8, deferrals: 7, firstFailedAtMs: 7, notBeforeMs: 9, origin: pastOf(lane)?.origin ?? '' };
  const tier = arrived(movedRecordOf(lane, 'volley.messages.retry.1h', past), 1);
  const facts = {
    attempts: 8,
    firstFailedAtMs: 7,
    lastFailedAtMs: 8,
    error: 'x',
    reason: 'attempts_exhausted' as const,
  };
  t.deepEqual(deadLetterOf(tier, 'volley.messages.dlq', facts), deadLetterOf(lane, 'volley.messages.dlq', facts));
});

for (const [name, value] of [
  [HEADERS.attempt, '-1'],
  [HEADERS.attempt, '1e3'],
  [HEADERS.attempt, '1000000001'],
  [HEADERS.deferrals, 'x'],
  [HEADERS.deferrals, ''],
  [HEADERS.notBefore, '99999999999999999999'],
  [HEADERS.firstFailedAt, '1.5'],
] as const)
  test(`${name} ${JSON.stringify(value)} is not what Volley writes`, (t) => {
    t.is(pastOf({ ...lane, headers: { [name]: Buffer.from(value) } }), undefined);
  });

test('an origin that is none is replaced by the place of the record', (t) => {
  const forged = { ...lane, headers: { [HEADERS.origin]: Buffer.from('a/b\r\nc') } };
  t.is(pastOf(forged)?.origin, 'volley.messages.bulk/3/42/1700000000000');
});
