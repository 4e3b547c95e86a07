import { INVARIANTS } from '../../support/checker/facts.ts';
import { NOTHING_DOUBLED } from '../../support/history.ts';
import { auditEngine } from '../kit/engine-audit.ts';
import { startEngineGround } from '../kit/engine-under-load.ts';
import type { Family } from '../kit/scenario.ts';

const MESSAGES_A_KILL = 100;
/** Of a short run: one lasts three seconds, and the engine's own death is not what most changes are about. */
const SHORT_KILLS = 5;

export const ENGINE: Family = {
  name: 'the embedded ClickHouse engine',
  world: 'stores',
  scenarios: [
    {
      id: 'S10',
      fault: 'the embedded engine is killed at random moments while ranges are inserted and statistics are read',
      expected:
        'raw rows, every rollup and every state of percentiles as when each range is inserted once; 0 lost, 0 twice; back without help',
      injected: `SIGKILL, once for each ${MESSAGES_A_KILL} messages asked for (--messages 50000: 500 times), every third right after a token is logged; inserts are repeated under their token`,
      short: true,
      async run(trial) {
        const ground = await startEngineGround(trial.random(2 ** 31), trial.random);
        try {
          const kills = Math.ceil(trial.messages / MESSAGES_A_KILL);
          const run = await ground.killed(trial.messages >= 5_000 ? kills : Math.min(kills, SHORT_KILLS));
          trial.died(run.kills);
          trial.recovered(run.backMs.at(-1) ?? Number.NaN);
          const { whole, nothing, part } = run.unanswered;
          trial.must(whole + nothing > run.kills / 2, `nothing was shown: ${whole + nothing} inserts were cut off`);
          trial.must(part === 0, `${part} ranges were stored in part`);
          const reference = await ground.reference(run.ranges);
          const audit = await auditEngine(ground.tables, reference, run.ranges);
          trial.judged({
            problems: audit.problems,
            outcomes: Object.fromEntries(INVARIANTS.map((name) => [name, 'unknown'])) as Record<
              (typeof INVARIANTS)[number],
              'unknown'
            >,
            doubled: { ...NOTHING_DOUBLED, doubledRows: audit.doubledRows },
            states: audit.states,
            lost: audit.lost,
            accepted: audit.events,
          });
          const middle = (numbers: readonly number[]) =>
            Math.round(numbers[Math.floor(numbers.length / 2)] ?? Number.NaN);
          trial.note(`${run.ranges.length} ranges; cut off ${whole} stored, ${nothing} not`);
          trial.note(`${run.tokensRemoved} tokens without a block removed`);
          trial.note(`${audit.tables.length} tables compared`);
          trial.note(`${run.answers} answers to readers in between`);
          trial.note(
            `start ${middle(run.startMs)} ms at the median, ${Math.round(run.startMs.at(-1) ?? Number.NaN)} at most`,
          );
        } finally {
          await ground.stop();
        }
      },
    },
  ],
};
