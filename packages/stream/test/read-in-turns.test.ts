import test from 'ava';
import fc from 'fast-check';
import type { Held } from '../src/read-ahead.ts';
import { createReadInTurns } from '../src/read-in-turns.ts';

interface Partition extends Held {
  lag: number;
  stands: boolean;
  /** Rounds in which it had something to be read, and was not. */
  waited: number;
}

/** A reader beside a log: a fetch brings of every partition that is not paused up to `chunk`; what is held goes by whole partitions. */
function setUp(maxBytes: number, lags: readonly number[], chunk: number) {
  const partitions: Partition[] = lags.map((lag, partition) => ({
    ...{ topic: 't', partition, bytes: 0, paused: false, lag, stands: false, waited: 0 },
  }));
  const ahead = createReadInTurns<Partition>(maxBytes, {
    pause: () => {},
    resume: () => {},
    lags: ({ lag }) => lag > 0,
    standsStill: ({ stands }) => stands,
  });
  ahead.reset(lags.length);
  const held = () => partitions.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    partitions,
    ahead,
    held,
    fetch() {
      for (const partition of partitions) {
        if (partition.lag === 0) continue;
        if (partition.paused) {
          partition.waited += 1;
          continue;
        }
        partition.waited = 0;
        const bytes = Math.min(chunk, partition.lag);
        partition.lag -= bytes;
        ahead.grew(partition, bytes);
        ahead.pauseIfFull(partition);
      }
    },
    /** The largest piece. */
    done(): number {
      const [most] = partitions.filter(({ bytes, stands }) => bytes > 0 && !stands).sort((a, b) => b.bytes - a.bytes);
      const bytes = most?.bytes ?? 0;
      if (most !== undefined) ahead.shrank(most, bytes);
      return bytes;
    },
  };
}

test('of twelve that are far behind two are read at a time, in large pieces, each as often as the others', (t) => {
  const { partitions, fetch, done, held } = setUp(1_200, new Array(12).fill(20_000), 20);
  const pieces: number[] = [];
  let most = 0;
  for (let round = 0; partitions.some(({ lag }) => lag > 0); round++) {
    fetch();
    most = Math.max(most, held());
    if (held() >= 700 || round % 100 === 99) pieces.push(done());
    if (round > 50_000) return t.fail('it stands still');
    if (round === 2_000) {
      const lags = partitions.map(({ lag }) => lag);
      t.true(Math.max(...lags) - Math.min(...lags) < 1_500, `${lags}`);
    }
  }
  const middle = pieces.slice(12, -12).sort((a, b) => a - b);
  t.true((middle[Math.floor(middle.length / 2)] as number) >= 350, `${middle}`);
  t.true(most <= 1_200 + 2 * 20, `${most}`);
});

test('below a quarter nothing waits', (t) => {
  const { partitions, fetch, done } = setUp(1_000, [100, 100, 20, 0], 20);
  fetch();
  fetch();
  t.deepEqual(
    partitions.map(({ paused }) => paused),
    [false, false, false, false],
  );
  for (let i = 0; i < 10; i++) {
    fetch();
    done();
  }
  t.true(partitions.every(({ lag, bytes, paused }) => lag === 0 && bytes === 0 && !paused));
});

test('one that was given up frees what it held, and its turn', (t) => {
  const { partitions, ahead, fetch } = setUp(100, [1_000, 1_000, 1_000], 40);
  fetch();
  fetch();
  t.deepEqual(
    partitions.map(({ paused }) => paused),
    [true, true, true],
  );
  const [first, , third] = partitions as [Partition, Partition, Partition];
  first.lag = 0;
  ahead.cleared(first);
  t.deepEqual([first.bytes, third.paused], [0, false]);
});

test('two of which nothing can be done hold up nobody, and hold no more than their part; then they go on', (t) => {
  const { partitions, fetch, done, held } = setUp(1_000, [5_000, 5_000, 5_000, 5_000], 100);
  const [first, second, third, fourth] = partitions as [Partition, Partition, Partition, Partition];
  for (let round = 0; round < 10; round++) fetch();
  first.stands = true;
  second.stands = true;
  for (let round = 0; third.lag + fourth.lag > 0; round++) {
    done();
    fetch();
    if (round > 1_000) return t.fail(`they are held up: ${partitions.map(({ lag }) => lag)}`);
  }
  while (done() > 0);
  t.true(
    first.bytes + second.bytes <= 2 * 434 && held() === first.bytes + second.bytes,
    `${first.bytes} ${second.bytes}`,
  );
  first.stands = false;
  second.stands = false;
  for (let round = 0; held() + first.lag + second.lag > 0; round++) {
    done();
    fetch();
    if (round > 1_000) return t.fail('they do not go on');
  }
});

test('of those that stand still from their first record on, each is read up to its part', (t) => {
  const { partitions, fetch } = setUp(1_000, [5_000, 5_000, 5_000, 5_000], 50);
  for (const partition of partitions) partition.stands = true;
  for (let round = 0; round < 50; round++) fetch();
  t.deepEqual(
    partitions.map(({ bytes, paused }) => [bytes, paused]),
    partitions.map(() => [150, true]),
  );
});

test('whatever comes and goes: the bound holds, and everything is read', (t) => {
  const holds = () =>
    fc.assert(
      fc.property(
        fc.array(fc.nat(2_000), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 25, max: 200 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 50 }),
        (lags, chunk, dones) => {
          const s = setUp(1_000, lags, chunk);
          for (let round = 0; s.partitions.some(({ lag, bytes }) => lag + bytes > 0); round++) {
            s.fetch();
            if (s.held() > 1_000 + chunk * lags.length) return false;
            // What nobody can add to is done in the end, as it is after the longest wait.
            if (dones[round % dones.length] || round % 10 === 9) s.done();
            if (round > 5_000) return false;
          }
          return true;
        },
      ),
    );
  t.notThrows(holds);
});
