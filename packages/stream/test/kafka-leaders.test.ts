import test from 'ava';
import { createLeaders, LeaderMoved } from '../src/adapters/kafka-leaders.ts';

const message = (partition: number, text = '') => ({ partition, key: null, value: Buffer.from(text) });
const at = (...leaders: number[]) => leaders.map((leader, partitionId) => ({ partitionId, leader }));
const one = (topic: string, ...partitions: number[]) => [{ topic, messages: partitions.map((p) => message(p)) }];

/** As kafkajs tells it when a request is made. */
function knowing(topics: Record<string, ReturnType<typeof at>>) {
  const leaders = createLeaders();
  for (const [topic, partitions] of Object.entries(topics)) leaders.check(topic, partitions, 0);
  leaders.split([]);
  return leaders;
}

test('what is known of no leader goes together', (t) => {
  const topics = one('a', 0, 1);
  t.deepEqual(createLeaders().split(topics), [topics]);
});

test('each leader has its own request, with the messages in their order and over all topics', (t) => {
  const leaders = knowing({ a: at(1, 2), b: at(1) });
  const [a0, a1, again, b0] = [message(0, 'a0'), message(1, 'a1'), message(0, 'again'), message(0, 'b0')];
  const parts = leaders.split([
    { topic: 'a', messages: [a0, a1, again] },
    { topic: 'b', messages: [b0] },
  ]);
  t.deepEqual(parts, [
    [
      { topic: 'a', messages: [a0, again] },
      { topic: 'b', messages: [b0] },
    ],
    [{ topic: 'a', messages: [a1] }],
  ]);
});

test('an attempt for a leader that is no longer the leader is not made; then it is known where it goes', (t) => {
  const leaders = knowing({ a: at(1, 1) });
  t.is(leaders.split(one('a', 0, 1)).length, 1);
  const moved = at(1, 2);
  leaders.check('a', moved, 0);
  t.throws(() => leaders.check('a', moved, 1), { instanceOf: LeaderMoved });
  t.is(leaders.split(one('a', 0, 1)).length, 2);
  t.notThrows(() => leaders.check('a', moved, 1));
});

test('a part that is made anew changes nothing for the other parts that are under way', (t) => {
  const leaders = knowing({ a: at(1, 1, 3) });
  leaders.split(one('a', 0, 1, 2));
  const moved = at(1, 2, 2);
  t.throws(() => leaders.check('a', moved, 2), { instanceOf: LeaderMoved });
  leaders.split(one('a', 2));
  t.throws(() => leaders.check('a', moved, 1), { instanceOf: LeaderMoved }, 'its part was made for leader 1');
});

test('what was unknown goes to one broker too', (t) => {
  const leaders = createLeaders();
  leaders.split([...one('a', 0, 1), ...one('b', 0)]);
  leaders.check('a', at(1, 1), 0);
  leaders.check('a', at(1, 1), 1);
  t.throws(() => leaders.check('b', at(2), 0), { instanceOf: LeaderMoved });
});
