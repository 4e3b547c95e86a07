import test from 'ava';
import type { NewRedrive } from '../src/dead-letter-ports.ts';
import { lettersIn } from './support/dead-letters.ts';
import { asked, ended, roleOf, secondRuns } from './support/redriving.ts';

/** A role whose index takes `pageMs` for a page, at work for `forMs`: how many went out. */
async function withSlowIndex(n: number, pageMs: number, forMs: number, change: Partial<NewRedrive>): Promise<number> {
  const e = await ended(n);
  const { w, s } = e;
  const turn = () => new Promise(setImmediate);
  const index = async () => {
    const found = await lettersIn(w.client);
    const readyMs = w.clock.monotonicMs() + pageMs;
    while (w.clock.monotonicMs() < readyMs) await turn();
    return found;
  };
  await asked(w, change);
  const role = await roleOf(e, 'a', { index });
  const endMs = w.clock.monotonicMs() + forMs;
  let over = false;
  const rounds = (async () => {
    while (!over) {
      await role.round();
      await s.relay();
      await turn();
    }
  })();
  while (w.clock.monotonicMs() < endMs) {
    w.clock.advance(5);
    await turn();
  }
  over = true;
  const out = (await secondRuns(w)).length;
  for (let done = false; !done; w.clock.advance(50)) {
    done = await Promise.race([rounds.then(() => true), turn().then(() => false)]);
  }
  await s.stop();
  return out;
}

test('a rate is reached although the index takes three seconds for a page', async (t) => {
  const out = await withSlowIndex(90, 3_000, 12_000, { rate_per_second: 10 });
  t.true(out >= 50 && out <= 100, `${out} in 12 s, of which the first page took 3`);
});

test('an index that takes longer for a page than a lease lasts is waited for', async (t) => {
  t.is(await withSlowIndex(3, 8_000, 30_000, { limit: 3 }), 3);
});
