import { findCapacity } from './capacity.ts';
import { type Asked, planAt } from './options.ts';
import { type Environment, figuresOfRun, type LoadReport, reportOf, type Verdict, verdictOf } from './report.ts';
import { type LiveState, type Ran, runLoad, type System } from './run.ts';
import { countText } from './units.ts';

export interface SessionOptions {
  readonly asked: Asked;
  readonly system: System;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  log(line: string): void;
  live?(state: LiveState): void;
}

interface Try {
  readonly perSecond: number;
  readonly verdict: Verdict;
  readonly judged: ReturnType<typeof verdictOf>['judged'];
  readonly ran: Ran;
}

const PRECISION = 0.05;
const MOST_PER_SECOND = 200_000;
/** Beside its stages: preparation and what is still on its way in the end. */
const AROUND_MS = 5_000;

/** One run, or as many as it takes to find the highest rate that holds. */
export async function loadSession(o: SessionOptions): Promise<LoadReport> {
  const { asked, system, signal, log, environment } = o;
  const { plan, objectives, need } = asked;
  const run = (at: typeof plan) => runLoad({ plan: at, system, signal, log, ...(o.live && { live: o.live }) });
  const rest = { objectives, environment, ...(need && { need }) };
  if (asked.capacity === undefined) return reportOf({ ran: await run(plan), ...rest });

  const { tries, maxTimeMs } = asked.capacity;
  const untilMs = performance.now() + maxTimeMs;
  const secondsOfTry = plan.stages.reduce((sum, stage) => sum + stage.seconds, 0);
  let sent = 0;
  const capacity = await findCapacity<Try>({
    firstPerSecond: plan.stages.at(-1)?.perSecond ?? 1,
    precision: PRECISION,
    maxTries: tries,
    maxPerSecond: MOST_PER_SECOND,
    spent: (perSecond) =>
      signal.aborted ||
      sent + perSecond * secondsOfTry > asked.maxMessages ||
      performance.now() + secondsOfTry * 1_000 + AROUND_MS > untilMs,
    async run(perSecond) {
      log(`trying ${countText(perSecond)}/s`);
      const ran = await run(planAt(plan, perSecond));
      sent += ran.accounts.total;
      const { verdict, why, judged } = verdictOf(ran, figuresOfRun(ran), objectives);
      // A try that was cut short says nothing of its rate.
      const told = signal.aborted ? 'unknown' : verdict;
      log(`  ${countText(perSecond)}/s: ${told}${why.length === 0 ? '' : ` (${why.join('; ')})`}`);
      return { perSecond, verdict: told, judged, ran };
    },
  });
  const shown = capacity.tries.findLast((t) => t.perSecond === capacity.perSecond) ?? capacity.tries.at(-1);
  if (shown === undefined) throw new Error('no rate was tried');
  return reportOf({ ran: shown.ran, capacity, ...rest });
}
