import test from 'ava';
import { createTurns } from '../../../src/adapters/clickhouse/turns.ts';
import { StoreUnavailable } from '../../../src/ports.ts';

const here = new AbortController().signal;

test('so many at once, then first come first served', async (t) => {
  const take = createTurns({ places: 2, queue: 10, waitMs: 60_000 });
  const [one, two] = [await take(here), await take(here)];
  const order: string[] = [];
  const third = take(here).then((leave) => {
    order.push('third');
    return leave;
  });
  const fourth = take(here).then((leave) => {
    order.push('fourth');
    return leave;
  });
  t.deepEqual(order, []);
  one();
  one();
  const leaveThird = await third;
  t.deepEqual(order, ['third'], 'a place given back twice is one place');
  two();
  await fourth;
  leaveThird();
  await take(here);
  t.deepEqual(order, ['third', 'fourth']);
});

test('a full queue is refused at once, a long wait after a while', async (t) => {
  const take = createTurns({ places: 1, queue: 1, waitMs: 20 });
  const leave = await take(here);
  const waiting = take(here);
  await t.throwsAsync(take(here), { instanceOf: StoreUnavailable, message: /wait already/ });
  await t.throwsAsync(waiting, { instanceOf: StoreUnavailable, message: /within 20 ms/ });
  leave();
  t.is(typeof (await take(here)), 'function', 'its place is free again');
});

test('who goes away leaves the queue, and takes no place', async (t) => {
  const take = createTurns({ places: 1, queue: 1, waitMs: 60_000 });
  const leave = await take(here);
  const gone = new AbortController();
  const waiting = take(gone.signal);
  gone.abort(new Error('gone'));
  await t.throwsAsync(waiting, { message: 'gone' });
  await t.throwsAsync(take(gone.signal), { message: 'gone' });
  const next = take(here);
  leave();
  t.is(typeof (await next), 'function');
});
