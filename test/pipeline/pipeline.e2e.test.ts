import test from 'ava';
import { createPlatformWorld } from './platform-world.ts';
import { SCENARIOS } from './scenarios.ts';
import type { World } from './world.ts';

let world: World;
test.before(async () => {
  world = await createPlatformWorld();
});
test.after.always(() => world?.close());

for (const [i, scenario] of SCENARIOS.entries()) {
  test(`real stack: ${scenario.title}`, (t) => scenario.run(t, world, `s${i + 1}`));
}
