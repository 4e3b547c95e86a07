import { randomInt } from 'node:crypto';
import test from 'ava';
import type { Family, WorldKind } from './scenario.ts';
import { lineOf, runScenario } from './trial.ts';
import { type FaultWorld, startFaultWorld } from './world.ts';

/** Messages of a scenario in `npm test`: enough that a fault meets some that are done, some on their way and some not begun. */
const MESSAGES = 1_500;
const SEED = Number(process.env.VOLLEY_TEST_SEED ?? randomInt(2 ** 31));

/** The short scenarios of these families as tests of the calling file, in one world. */
export function testFamilies(kind: WorldKind, families: readonly Family[]): void {
  let world: FaultWorld;
  test.before(async () => {
    world = await startFaultWorld(kind);
  });
  test.after.always(() => world?.stop());
  for (const family of families.filter((f) => f.world === kind))
    for (const scenario of family.scenarios.filter((s) => s.short))
      test.serial(`${scenario.id}: ${scenario.fault}`, async (t) => {
        t.timeout(180_000);
        const outcome = await runScenario(scenario, world, { messages: MESSAGES, seed: SEED });
        t.log(`seed ${SEED}: ${lineOf(outcome)}`);
        t.deepEqual(outcome.problems, [], `${scenario.id} with VOLLEY_TEST_SEED=${SEED}`);
      });
}
