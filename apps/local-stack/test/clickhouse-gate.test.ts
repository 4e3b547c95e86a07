import test from 'ava';
import fc from 'fast-check';
import { FrontError } from '../src/clickhouse-front/errors.ts';
import { createGate, type Gate } from '../src/clickhouse-front/gate.ts';

const never = new AbortController().signal;
const bounds = { name: 'select', queueLength: 100, maxWaitMs: 60_000 };

/** Enters, and writes down in which order this one was admitted. */
function entering(gate: Gate, order: string[], lane: string, name = lane) {
  return gate.enter(lane, never).then((leave) => {
    order.push(name);
    return leave;
  });
}

test('the gate admits a lane in order, refuses above its queue, and forgets who gave up', async (t) => {
  const gate = createGate({ ...bounds, places: 1, queueLength: 2 });
  const leaveFirst = await gate.enter('a', never);
  const order: string[] = [];
  const givesUp = new AbortController();
  const second = gate.enter('a', givesUp.signal);
  const third = entering(gate, order, 'a', 'third');
  const error = await t.throwsAsync(gate.enter('a', never), { instanceOf: FrontError });
  t.is((error as FrontError).code, 202);
  givesUp.abort(new Error('gone'));
  await t.throwsAsync(second, { message: 'gone' });
  await t.throwsAsync(gate.enter('a', givesUp.signal), { message: 'gone' });
  leaveFirst();
  leaveFirst();
  const leaveThird = await third;
  const fourth = gate.enter('a', never);
  leaveThird();
  (await fourth)();
  t.deepEqual(order, ['third']);
});

test('who wants to wait no time is refused at once, and admitted when there is a place', async (t) => {
  const gate = createGate({ ...bounds, places: 1 });
  const leave = await gate.enter('a', never, 0);
  await t.throwsAsync(gate.enter('a', never, 0), { instanceOf: FrontError });
  await t.throwsAsync(gate.enter('a', never, 1), { instanceOf: FrontError });
  leave();
  await t.notThrowsAsync(gate.enter('a', never, 0));
});

test('lanes take turns: one with many waiting does not stand before one with a few', async (t) => {
  const gate = createGate({ ...bounds, places: 1 });
  const order: string[] = [];
  const leave = await gate.enter('first', never);
  const waiting = ['a', 'a', 'a', 'a', 'b', 'c', 'b'].map(async (lane) => {
    const leaveOwn = await entering(gate, order, lane);
    leaveOwn();
  });
  leave();
  await Promise.all(waiting);
  t.deepEqual(order, ['a', 'b', 'c', 'a', 'b', 'a', 'a']);
});

test('a lane that holds all it may hold waits, and another one is admitted', async (t) => {
  const gate = createGate({ ...bounds, places: 3, placesOfOneLane: 2 });
  const order: string[] = [];
  const leaveFirst = await gate.enter('a', never);
  await gate.enter('a', never);
  const third = entering(gate, order, 'a');
  const leaveOther = await entering(gate, order, 'b');
  leaveOther();
  t.deepEqual(order, ['b']);
  leaveFirst();
  await third;
  t.deepEqual(order, ['b', 'a']);
});

test('never more than its places, never more of a lane than it may have, and everybody is admitted', async (t) => {
  const lanes = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 40 });
  const property = fc.asyncProperty(
    lanes,
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 4 }),
    async (asking, places, placesOfOneLane) => {
      const gate = createGate({ ...bounds, places, placesOfOneLane });
      const inside: string[] = [];
      let admitted = 0;
      await Promise.all(
        asking.map(async (lane, index) => {
          const leave = await gate.enter(lane, never);
          inside.push(lane);
          admitted++;
          t.true(inside.length <= places && inside.filter((one) => one === lane).length <= placesOfOneLane);
          for (let turns = index % 3; turns > 0; turns--) await Promise.resolve();
          inside.splice(inside.indexOf(lane), 1);
          leave();
        }),
      );
      return admitted === asking.length;
    },
  );
  await t.notThrowsAsync(fc.assert(property, { numRuns: 200 }));
});
