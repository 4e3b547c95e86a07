import test from 'ava';
import { giveBackIdleMemory } from '../src/index.ts';

test('a heap that a burst needed is given back once the process is idle', async (t) => {
  let burst: unknown[] | undefined = Array.from({ length: 3_000_000 }, (_, i) => ({ i, text: `${i}` }));
  const during = process.memoryUsage().heapTotal;
  t.is(burst.length, 3_000_000);
  burst = undefined;
  const stop = giveBackIdleMemory(100);
  const deadlineMs = performance.now() + 20_000;
  while (process.memoryUsage().heapTotal > during / 2 && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  stop();
  t.true(process.memoryUsage().heapTotal < during / 2, `${process.memoryUsage().heapTotal} of ${during}`);
});
