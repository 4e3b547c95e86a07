import { boundOf } from '../../support/history.ts';
import { until } from '../../support/until.ts';
import { longestStallMs, untilShared, withDispatcher } from '../kit/dispatchers.ts';
import { drafts, sendSurely } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import type { Trial } from '../kit/trial.ts';
import { SLOTS } from '../kit/world.ts';

const CAMPAIGNS = 12;
const MOST_MESSAGES = 100_000;
const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Kills one of the three every two to five seconds until `done`; answers how often. */
async function killAtRandom(trial: Trial, pids: readonly (() => number)[], done: () => boolean): Promise<number> {
  let kills = 0;
  const killed = new Set<number>();
  for (;;) {
    await lasting(2_000 + trial.random(3_000));
    if (done()) return kills;
    const pid = (pids[trial.random(pids.length)] as () => number)();
    // One that is about to be started again is no process to kill.
    if (pid === 0 || killed.has(pid)) continue;
    process.kill(pid, 'SIGKILL');
    killed.add(pid);
    trial.died();
    kills += 1;
    await trial.snapshot(`after kill ${kills}`);
  }
}

export const RANDOM_KILL: Family = {
  name: 'random kills',
  world: 'sending',
  scenarios: [
    {
      id: 'S02',
      fault:
        'a random dispatcher of three is killed every few seconds; 10% of the attempts and 1% of the messages fail',
      expected: `every message in exactly one terminal state; at most C (${SLOTS}) sent twice for each kill, same id`,
      injected: 'SIGKILL every 2 to 5 s, supervisors start them again',
      short: false,
      async run(trial) {
        const { p } = trial;
        const total = trial.messages >= 5_000 ? Math.max(trial.messages, MOST_MESSAGES) : 2 * trial.messages;
        const size = Math.ceil(total / CAMPAIGNS);
        const campaigns = await drafts(trial, CAMPAIGNS, {
          size,
          perSecond: Math.max(500, total / 100),
          campaigns: CAMPAIGNS,
          campaign: { provider: 'flaky' },
        });
        await withDispatcher(trial, 1, (second) =>
          withDispatcher(trial, 2, async (third) => {
            await untilShared(trial, [0, 1, 2]);
            const sentMs = Date.now();
            for (const { id } of campaigns) await sendSurely(trial, id);
            let over = false;
            const killing = killAtRandom(trial, [() => p.pid('dispatcher'), second.pid, third.pid], () => over);
            try {
              await until(
                'nearly all have ended',
                async () => {
                  const left = await Promise.all(campaigns.map(async ({ id }) => (await p.api.stats(id)).queued));
                  return left.reduce((sum, n) => sum + n, 0) < total * 0.03;
                },
                { timeoutMs: 900_000, everyMs: 250 },
              );
            } finally {
              over = true;
            }
            const kills = await killing;
            trial.must(kills > 0, 'nobody was killed');
            await trial.judgeAll(campaigns, { allowed: boundOf({ deaths: kills, slots: SLOTS }), timeoutMs: 180_000 });
            const stallMs = longestStallMs(trial.receipts().filter(({ atMs }) => (atMs ?? 0) >= sentMs));
            trial.recovered(stallMs);
            trial.note(`longest stall ${(stallMs / 1_000).toFixed(1)} s`);
          }),
        );
      },
    },
  ],
};
