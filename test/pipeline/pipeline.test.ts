import test from 'ava';
import { createMemoryWorld } from './memory-world.ts';
import { SCENARIOS } from './scenarios.ts';

// A world each: what one scenario writes into the log is nobody else's.
for (const [i, scenario] of SCENARIOS.entries()) {
  test(`in memory: ${scenario.title}`, async (t) => {
    const world = await createMemoryWorld();
    try {
      await scenario.run(t, world, `s${i + 1}`);
    } finally {
      await world.close();
    }
  });
}
