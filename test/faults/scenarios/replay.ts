import type { ReplayView } from '@volley/contract/http';
import type { AnalyticsVerdict } from '@volley/contract/replays';
import { underLoad } from '../kit/load.ts';
import { askReplay, hasEnded, untilReplay, withReplays } from '../kit/replays.ts';
import type { Family } from '../kit/scenario.ts';
import { exact, readingOf, untilThisIsStored } from '../kit/sinks.ts';
import type { Trial } from '../kit/trial.ts';

/** While the live tables are closed, and when the new ones have taken their place. */
const POINTS = ['replay.afterClose', 'replay.afterExchange'] as const;
const CAMPAIGNS = 12;
const isFull = (trial: Trial) => trial.messages >= 5_000;

/** p95 of what was sent, of campaigns that have ended: the slowest of them. */
async function slowestP95(trial: Trial, ids: readonly string[]): Promise<number> {
  const stats = await Promise.all(ids.map((id) => trial.p.api.stats(id)));
  return Math.max(...stats.map(({ p95_ms }) => p95_ms ?? 0));
}

export const REPLAY: Family = {
  name: 'replay',
  world: 'analytics',
  scenarios: [
    {
      id: 'F40',
      fault:
        'the statistics are rebuilt and swapped under load: the process is killed half way, while the live tables are closed, and when the new ones have taken their place; then two replays at once, and one swap is taken back',
      expected: 'each goes on and finds what it built equal; every row and sum exact after all swaps and the undo',
      injected: `SIGKILL at half of the records, failpoints ${POINTS.map((point) => `\`${point}:kill\``).join(', ')} in the lives after it`,
      short: false,
      async run(trial) {
        const { p } = trial;
        const options = { perSecond: Math.max(300, trial.messages / 20), campaigns: CAMPAIGNS };
        const before = await underLoad(trial, { ...options, round: Math.ceil(trial.messages / 2) }, async () => {});
        await untilThisIsStored(readingOf(trial));
        for (const { id } of before) await p.api.untilEnded(id);
        const alone = await slowestP95(
          trial,
          before.map(({ id }) => id),
        );

        const verdictOf = async ({ replay_id }: ReplayView) => {
          const { status, error, result } = await untilReplay(trial, replay_id, 'ends', hasEnded);
          const verdict = (result ?? {}) as Partial<AnalyticsVerdict>;
          return { verdict, said: JSON.stringify({ replay_id, status, error, result }).slice(0, 500) };
        };
        const mustSwap = async (job: ReplayView) => {
          const { verdict, said } = await verdictOf(job);
          trial.must(verdict.equal === true && verdict.swapped === true, said);
        };
        const during = await withReplays(trial, 0, (one) =>
          underLoad(trial, options, async () => {
            // Slow enough to have a half, whatever time the machine takes.
            const slow = await askReplay(trial, { swap: 'never' }, 8);
            await untilReplay(trial, slow.replay_id, 'is half way', ({ done, total }) => done >= total / 2);
            await one.kill();
            const { verdict, said } = await verdictOf(slow);
            trial.must(verdict.equal === true && verdict.swapped === false, said);

            for (const point of isFull(trial) ? POINTS : [POINTS[trial.random(POINTS.length)] as string]) {
              const job = await askReplay(trial, {});
              await one.killAt(point);
              await mustSwap(job);
            }
            await withReplays(trial, 1, async () => {
              const both = [await askReplay(trial, {}), await askReplay(trial, {})];
              for (const job of both) await mustSwap(job);
              const [{ replay_id }] = both as [ReplayView, ReplayView];
              await p.api.ok('POST', `/v1/replays/${replay_id}/undo`);
              const back = await untilReplay(trial, replay_id, 'is taken back', hasEnded);
              const { undone } = (back.result ?? {}) as Partial<AnalyticsVerdict>;
              trial.must(undone === true, `undo: ${back.status} ${back.error}`);
            });
            trial.recovered(await untilThisIsStored(readingOf(trial)));
          }),
        );
        const campaigns = [...before, ...during];
        await trial.judgeAll(campaigns, { timeoutMs: 120_000 });
        await exact(trial, campaigns);
        const busy = await slowestP95(
          trial,
          during.map(({ id }) => id),
        );
        trial.note(`p95 ${alone} ms without a replay, ${busy} ms with two`);
      },
    },
  ],
};
