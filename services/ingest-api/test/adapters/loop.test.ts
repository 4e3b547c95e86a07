import test from 'ava';
import { startLoop } from '../../src/adapters/loop.ts';
import { silent, until } from '../support/log.ts';

test('a round that is under way is told to stop, and is waited for', async (t) => {
  let told: AbortSignal | undefined;
  let ended = 0;
  const loop = startLoop({
    ...{ name: 'r', idleMs: 1_000_000, log: silent, isOutage: () => false, onError: () => {} },
    async round(stopping) {
      told = stopping;
      await new Promise((resolve) => stopping?.addEventListener('abort', resolve));
      await new Promise(setImmediate);
      ended += 1;
      return true;
    },
    fatal: (error) => t.fail(String(error)),
  });
  await until('it is under way', () => told !== undefined);
  t.false(told?.aborted);
  await loop.stop();
  t.is(ended, 1, 'this one, and no other');
});

test('a role with nothing to do rests after a while; its own word, or a wake, ends that', async (t) => {
  const rounds: number[] = [];
  let says: boolean | 'waiting' = false;
  const loop = startLoop({
    ...{ name: 'r', idleMs: 20, log: silent, isOutage: () => false, onError: () => {} },
    async round() {
      rounds.push(performance.now());
      return says;
    },
    fatal: (error) => t.fail(String(error)),
  });
  const lastGap = () => (rounds.at(-1) ?? 0) - (rounds.at(-2) ?? 0);
  await until('it rests', () => rounds.length > 20 && lastGap() > 300);
  loop.wake();
  const before = rounds.length;
  await until('it is awake', () => rounds.length > before + 5);
  t.true((rounds[before + 4] as number) - (rounds[before + 1] as number) < 300);
  says = 'waiting';
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  t.true(lastGap() < 300, `${lastGap()}`);
  await loop.stop();
});

test('a role that is asked for rarely rests for longer', async (t) => {
  const rounds: number[] = [];
  const loop = startLoop({
    ...{ name: 'r', idleMs: 20, restMs: 900, log: silent, isOutage: () => false, onError: () => {} },
    async round() {
      rounds.push(performance.now());
      return false;
    },
    fatal: (error) => t.fail(String(error)),
  });
  const lastGap = () => (rounds.at(-1) ?? 0) - (rounds.at(-2) ?? 0);
  await until('it rests', () => rounds.length > 20 && lastGap() > 300);
  t.true(lastGap() >= 890, `${lastGap()}`);
  await loop.stop();
});
