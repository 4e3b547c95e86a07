import { performance } from 'node:perf_hooks';
import type { ServiceName } from '../../../apps/cli/src/platform.ts';
import { ALWAYS, check, type Verdict } from '../../support/checker/check.ts';
import type { Invariant } from '../../support/checker/facts.ts';
import { type Known, logOf, receiptsIn } from '../../support/collect.ts';
import type { Running } from '../../support/faults.ts';
import {
  type Allowance,
  type CommitSnapshot,
  type History,
  NOTHING_DOUBLED,
  type Receipt,
} from '../../support/history.ts';
import { historyOf, snapshotOf } from '../../support/platform-history.ts';
import { numbersFrom } from './random.ts';
import type { Scenario } from './scenario.ts';
import type { FaultWorld } from './world.ts';

export interface JudgeOptions {
  readonly allowed?: Partial<Allowance>;
  readonly known?: Known;
  readonly needed?: readonly Invariant[];
  readonly timeoutMs?: number;
}

/** One run of a scenario: the world, the numbers, and what is found. */
export interface Trial extends FaultWorld {
  /** How many messages the scenario is to be shown with, at least. */
  readonly messages: number;
  /** A word that no other scenario of this world uses in addresses and tags. */
  readonly tag: string;
  /** Whole numbers below a bound, the same for the same seed. */
  readonly random: (below: number) => number;
  /** Something that must hold; what does not is a problem of the outcome, and the trial goes on. */
  must(held: boolean, what: string): void;
  /** A process died or was cut off by the fault. */
  died(times?: number): void;
  /** So long from the end of the fault (or from the death) to the next delivery, or to whatever the scenario waits for. */
  recovered(ms: number): void;
  note(text: string): void;
  /** What the provider accepted so far, of any campaign. */
  receipts(): Receipt[];
  /** I8 looks at this moment: commits, and then where the deliveries end. */
  snapshot(when: string): Promise<void>;
  /** Waits for the end of a campaign and judges it by I1 to I9; problems become the outcome's. */
  judge(running: Running, options?: JudgeOptions): Promise<Verdict>;
  /** Each of them, and what is doubled in all of them together against the same bound. Answers what is known of each. */
  judgeAll(running: readonly Running[], options?: JudgeOptions): Promise<readonly History[]>;
  /** Takes over what another judge has found. */
  judged(verdict: Verdict): void;
}

export interface Outcome {
  readonly problems: readonly string[];
  readonly accepted: number;
  readonly lost: number;
  readonly states: Readonly<Record<string, number>>;
  readonly doubled: Allowance;
  readonly deaths: number;
  /** The longest; undefined where the scenario measures none. */
  readonly recoveryMs: number | undefined;
  readonly notes: readonly string[];
  readonly tookMs: number;
}

/** Runs one scenario in a world that is whole, and leaves it whole. Never throws: what was thrown is a problem. */
export async function runScenario(
  scenario: Scenario,
  world: FaultWorld,
  options: { readonly messages: number; readonly seed: number },
): Promise<Outcome> {
  const startedMs = performance.now();
  const problems: string[] = [];
  const notes: string[] = [];
  const verdicts: Verdict[] = [];
  const snapshots: CommitSnapshot[] = [];
  let deaths = 0;
  let recoveryMs: number | undefined;
  const { p } = world;
  const tails = () =>
    (['ingest-api', 'dispatcher', 'sink'] as ServiceName[]).map((s) => `${s}: ${p.logTail(s, 3)}`).join('\n');

  async function judgeEnded(
    { id, expected }: Running,
    { allowed = {}, known = {}, needed = ALWAYS_AND_OFFSETS }: JudgeOptions,
  ): Promise<{ history: History; verdict: Verdict }> {
    const history = await historyOf(p, id, expected, { afterKill: true, drained: true, snapshots, ...known });
    const verdict = check(history, allowed, needed);
    trial.judged(verdict);
    return { history, verdict };
  }

  const trial: Trial = {
    ...world,
    messages: options.messages,
    tag: `${scenario.id.toLowerCase()}x${options.seed.toString(36)}x${(trials++).toString(36)}`,
    random: numbersFrom(options.seed),
    must(held, what) {
      if (!held) problems.push(what);
    },
    died(times = 1) {
      deaths += times;
    },
    recovered(ms) {
      recoveryMs = Math.max(recoveryMs ?? 0, Math.round(ms));
    },
    note: (text) => void notes.push(text),
    receipts: () => receiptsIn(p.journal()),
    async snapshot(when) {
      snapshots.push(await snapshotOf(p, when));
    },
    async judge(running, options = {}) {
      await p.api.untilEnded(running.id, options.timeoutMs ?? PATIENCE_MS);
      return (await judgeEnded(running, options)).verdict;
    },
    judged(verdict) {
      verdicts.push(verdict);
      problems.push(...verdict.problems);
    },
    async judgeAll(running, judging = {}) {
      for (const { id } of running) await p.api.untilEnded(id, judging.timeoutMs ?? PATIENCE_MS);
      const ids = running.map(({ id }) => id);
      const known = { log: logOf(p.client, ids), ...judging.known };
      const histories: History[] = [];
      const judged: Verdict[] = [];
      for (const one of running) {
        const { history, verdict } = await judgeEnded(one, { ...judging, known });
        histories.push(history);
        judged.push(verdict);
      }
      const most = { ...NOTHING_DOUBLED, ...judging.allowed };
      for (const kind of ['doubledMessages', 'duplicateSends', 'doubledEvents'] as const) {
        const together = judged.reduce((sum, { doubled }) => sum + doubled[kind], 0);
        if (together > most[kind]) problems.push(`${kind} of all campaigns: ${together}, at most ${most[kind]}`);
      }
      return histories;
    },
  };

  try {
    await scenario.run(trial);
    if (verdicts.length === 0) problems.push('nothing was judged');
  } catch (error) {
    problems.push(`${(error as Error).message}\n${tails()}`);
  }
  try {
    await world.heal();
  } catch (error) {
    problems.push(`the world could not be healed: ${(error as Error).message}`);
  }
  const sum = (of: (verdict: Verdict) => number) => verdicts.reduce((total, verdict) => total + of(verdict), 0);
  const accepted = sum((verdict) => verdict.accepted);
  if (problems.length === 0 && accepted < options.messages)
    problems.push(`shown with ${accepted} messages only, not ${options.messages}`);
  const doubled = Object.fromEntries(
    Object.keys(NOTHING_DOUBLED).map((kind) => [kind, sum((verdict) => verdict.doubled[kind as keyof Allowance])]),
  ) as unknown as Allowance;
  const states: Record<string, number> = {};
  for (const verdict of verdicts)
    for (const [state, count] of Object.entries(verdict.states)) states[state] = (states[state] ?? 0) + count;
  return {
    problems,
    accepted,
    lost: sum((verdict) => verdict.lost),
    states,
    doubled: { ...doubled, duplicatesOfOne: Math.max(0, ...verdicts.map((v) => v.doubled.duplicatesOfOne)) },
    deaths,
    recoveryMs,
    notes,
    tookMs: Math.round(performance.now() - startedMs),
  };
}

const PATIENCE_MS = 90_000;
const ALWAYS_AND_OFFSETS: readonly Invariant[] = [...ALWAYS, 'I8'];
let trials = 0;

/** What is printed of an outcome, in one line. */
export function lineOf({ accepted, lost, doubled, deaths, recoveryMs, tookMs, notes }: Outcome): string {
  const twice = Object.entries(doubled).filter(([kind, count]) => count > 0 && kind !== 'duplicatesOfOne');
  return [
    `${accepted} messages, ${lost} lost`,
    twice.length === 0 ? 'nothing twice' : twice.map(([kind, count]) => `${kind} ${count}`).join(', '),
    ...(deaths > 0 ? [`${deaths} deaths`] : []),
    ...(recoveryMs === undefined ? [] : [`back after ${(recoveryMs / 1_000).toFixed(1)} s`]),
    `${(tookMs / 1_000).toFixed(0)} s`,
    ...notes,
  ].join('; ');
}
