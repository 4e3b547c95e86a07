import type { AnalyticsVerdict, HeldReplay, ReplayEnd, ReplayJob } from '@volley/contract/replays';
import type { Failpoints, Logger } from '@volley/runtime';
import type { Comparison } from './core/replay/compare.ts';
import { endsOf, filterOf, type Selection, selectionOf, startsOf, whyPartial } from './core/replay/selection.ts';
import { shortIdOf } from './core/replay/tables.ts';
import type { Generation } from './core/token.ts';
import { type Fill, ReplayFailed } from './replay-fill.ts';
import type { Keeper } from './replay-keeper.ts';
import type { Comparing, ReplayTables } from './replay-ports.ts';
import type { Swap, SwapResult } from './replay-swap.ts';

/** What a process that goes on with the job has to know; offsets are by partition number. */
export interface Progress {
  /** The first comparison was made, over the ranges, and came to this. */
  readonly compared?: Comparison;
  /** Of the tables that were live before: where the rebuilt ones took their place, they hold what lies before these. */
  readonly before?: Generation;
  readonly offsets?: readonly number[];
  readonly heldMs?: number;
  /** What came of it, or of taking it back: left is to clean up. */
  readonly ended?: { readonly undo: boolean; readonly as: ReplayEnd } | undefined;
}

/** The job's progress, of this holding and those before. */
export interface Notes {
  read(): Progress;
  /** Saved when it resolves. */
  write(more: Progress): Promise<void>;
}

export interface Result extends AnalyticsVerdict {
  /** Why the rebuilt tables did not take the place of the live ones. */
  readonly not_swapped?: string;
  /** Records of the ranges, and rows that came of them; the others cannot be stored, or were not asked for. */
  readonly records: number;
  readonly comparison?: Comparison;
  readonly offsets?: readonly number[];
  /** How long the sinks stood still. */
  readonly held_ms?: number;
}

export interface JobDeps {
  readonly held: HeldReplay;
  readonly keeper: Keeper;
  readonly notes: Notes;
  readonly tables: ReplayTables;
  readonly comparing: Comparing;
  /** By the generation that is to be live after it. */
  readonly swapTo: (target: Generation) => Swap;
  readonly nextName: () => string;
  readonly openFill: (o: {
    readonly purpose: 'fill' | 'undo';
    readonly starts: readonly number[];
    readonly ratePerSecond: number | null;
    readonly selects: ReturnType<typeof filterOf>;
    readonly signal: AbortSignal;
  }) => Promise<Fill>;
  readonly forgetGroups: () => Promise<void>;
  readonly partitions: number;
  /** By partition number: what the sinks have stored and committed. */
  readonly sinksAt: () => Promise<readonly number[]>;
  readonly graceMs: number;
  readonly nowMs: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly failpoints: Failpoints;
  readonly logger: Logger;
}

const LOOK_EVERY_MS = 200;
/** So little is left to read that the sinks stand still for no longer because of it. */
const CAUGHT_UP = 5_000;

/** What comes of the job, once: everything may be begun again by whoever has it next. Rejects as its parts do. */
export async function workOn(deps: JobDeps): Promise<Result> {
  return deps.held.job.undo_requested ? takeBack(deps) : rebuild(deps);
}

/** The statistics anew, beside the live ones; compared; and in their place, if that was asked for and they are whole. */
async function rebuild(deps: JobDeps): Promise<Result> {
  const { held, keeper, notes, tables, partitions, failpoints, logger } = deps;
  const { job } = held;
  const generation = shortIdOf(job.replay_id);
  const swap = deps.swapTo(generation);
  const selection = selectionOf(job);
  const [starts, ends] = [startsOf(selection.ranges, partitions), endsOf(selection.ranges, partitions)];

  // 1 What a process before this one has left.
  const left = await swap.tidy(keeper.mustEnd);
  if (left === 'exchanged') return swapped(deps, swap);
  if (left === 'leaving') throw new ReplayFailed('its tables were being dropped when its process died');
  keeper.wanted.throwIfAborted();
  const partial = whyPartial(job, partitions, await tables.firstOffsets());

  // 2 Tables beside, filled from the log at the rate that was asked for. Left behind: tables and a group, which are gone on with.
  await tables.make({ generation, register: { state: 'open', nonce: deps.nextName() } });
  await keeper.save({ phase: 'filling' });
  const fill = await deps.openFill({
    purpose: 'fill',
    starts,
    ratePerSecond: job.rate_per_second,
    selects: filterOf(selection),
    signal: keeper.wanted,
  });
  const saying = setInterval(() => keeper.say({ done: doneOf(job, fill.stored()) }), 500);
  try {
    await fill.upTo(ends, keeper.wanted, true);
    keeper.say({ done: job.total });
    await failpoints.hit('replay.afterRanges');

    // 3 Compared with what the sinks have made of the same records.
    if (notes.read().compared === undefined) {
      await keeper.save({ phase: 'waiting for the sinks' });
      await untilSinksAt(deps, ends);
      await keeper.save({ phase: 'comparing' });
      const compared = await compareRanges(deps, selection);
      logger.info({ ...compared, differences: compared.differences.slice(0, 3) }, 'compared');
      await notes.write({ compared });
    }
    const compared = notes.read().compared as Comparison;
    const why = whyNot(job, partial, compared);
    if (why !== undefined) {
      await fill.close();
      return { ...verdict(job, compared), not_swapped: why };
    }

    // 4 As far as the sinks are, so that they stand still for little.
    await keeper.save({ phase: 'catching up' });
    await catchUp(deps, fill);
    await keeper.save({ phase: 'swapping' });
    const done = await swap.swap(
      {
        fill,
        decide: (offsets) => decide(deps, { ends, offsets, before: compared }),
        remember: (offsets, before) => notes.write({ offsets, before }),
      },
      keeper.mustEnd,
    );
    if (!done.exchanged) {
      const comparison = done.comparison ?? compared;
      return { ...verdict(job, comparison), not_swapped: 'they differ from the live ones' };
    }
    await notes.write({ heldMs: done.heldMs, ...(done.comparison === undefined ? {} : { compared: done.comparison }) });
    return await swapped(deps, swap);
  } finally {
    clearInterval(saying);
    await fill.close();
  }
}

const doneOf = (job: ReplayJob, stored: readonly number[]): number =>
  job.ranges.reduce(
    (sum, { partition, from, to }) => sum + Math.max(0, Math.min(stored[partition] ?? from, to) - from),
    0,
  );

const verdict = (job: ReplayJob, comparison: Comparison): Result => ({
  equal: comparison.equal,
  swapped: false,
  records: job.total,
  comparison,
});

function whyNot(job: ReplayJob, partial: string | undefined, { equal }: Comparison): string | undefined {
  const { swap } = job.options;
  if (swap === 'never') return 'it was not asked for';
  if (partial !== undefined) return partial;
  return equal || swap === 'always' ? undefined : 'they differ from the live ones';
}

async function untilSinksAt({ keeper, sinksAt, sleep }: JobDeps, offsets: readonly number[]): Promise<void> {
  for (;;) {
    keeper.wanted.throwIfAborted();
    const at = await sinksAt();
    if (offsets.every((offset, p) => (at[p] ?? 0) >= offset)) return;
    await sleep(LOOK_EVERY_MS, keeper.wanted);
  }
}

/**
 * While sinks go on: raw rows of the ranges do not change, and where they differ that is that. An hour of a derived table may
 * get an event between two questions, so what differs there is asked for once more.
 */
async function compareRanges({ comparing }: JobDeps, selection: Selection): Promise<Comparison> {
  const first = await comparing.compare(selection);
  return first.equal || !first.rawEqual ? first : comparing.compare(selection);
}

async function catchUp({ keeper, sinksAt }: JobDeps, fill: Fill): Promise<void> {
  for (;;) {
    const at = await sinksAt();
    const stored = fill.stored();
    const missing = at.reduce((sum, offset, p) => sum + Math.max(0, offset - (stored[p] ?? 0)), 0);
    const ends = at.map((offset, p) => Math.max(offset, stored[p] ?? 0));
    await fill.upTo(ends, keeper.wanted);
    if (missing <= CAUGHT_UP) return;
  }
}

/** While nothing moves: what came since the first comparison, where that came to equal. */
async function decide(
  { held, comparing, tables, keeper }: JobDeps,
  o: { readonly ends: readonly number[]; readonly offsets: readonly number[]; readonly before: Comparison },
): Promise<{ go: boolean; comparison?: Comparison }> {
  const shape = await tables.differentShape();
  if (shape !== undefined) throw new ReplayFailed(shape);
  if (held.job.options.swap === 'always') return { go: true };
  const ranges = o.offsets.map((to, partition) => ({ partition, from: 0, to }));
  const since = await comparing.compare({ ranges }, { since: o.ends });
  keeper.mustEnd.throwIfAborted();
  const comparison = since.equal ? { ...o.before, rows: Math.max(o.before.rows, since.rows) } : since;
  return { go: since.equal, comparison };
}

/** The tables from before are kept for a while. Everything in here may have been done already. */
async function swapped(deps: JobDeps, swap: Swap): Promise<Result> {
  const { held, keeper, notes, graceMs, nowMs } = deps;
  const undoUntil = new Date(nowMs() + graceMs).toISOString();
  await swap.setBeside('closed', keeper.mustEnd, undoUntil);
  await deps.forgetGroups();
  const { compared, offsets, heldMs } = notes.read();
  return {
    equal: compared?.equal === true,
    swapped: true,
    undo_until: undoUntil,
    records: held.job.total,
    ...(compared === undefined ? {} : { comparison: compared }),
    ...(offsets === undefined ? {} : { offsets }),
    ...(heldMs === undefined ? {} : { held_ms: heldMs }),
  };
}

/** The tables from before the swap get what came since, and take their place again. */
async function takeBack(deps: JobDeps): Promise<Result> {
  const { held, keeper, notes, failpoints } = deps;
  const { before, offsets } = notes.read();
  const result = held.job.result as Result | null;
  if (result?.undone === true) return result;
  if (result?.swapped !== true || before === undefined || offsets === undefined)
    throw new ReplayFailed('it has swapped nothing that could be taken back');
  const swap = deps.swapTo(before);
  const left = await swap.tidy(keeper.mustEnd);
  if (left === 'exchanged') return { ...result, swapped: false, undone: true, undo_until: null };
  keeper.wanted.throwIfAborted();
  if (left !== 'made') throw new ReplayFailed('the tables from before the swap are gone');
  await swap.setBeside('open', keeper.wanted, result.undo_until ?? undefined);
  await keeper.save({ phase: 'undoing: catching up' });
  const fill = await deps.openFill({
    purpose: 'undo',
    starts: offsets,
    ratePerSecond: null,
    selects: undefined,
    signal: keeper.wanted,
  });
  let done: SwapResult | undefined;
  try {
    await failpoints.hit('replay.undoOpen');
    await catchUp(deps, fill);
    await keeper.save({ phase: 'undoing: swapping' });
    const go = { go: true } as const;
    done = await swap.swap({ fill, decide: async () => go, remember: async () => {} }, keeper.mustEnd);
    return { ...result, swapped: false, undone: true, undo_until: null };
  } finally {
    await fill.close();
    if (done === undefined && !keeper.mustEnd.aborted)
      await swap.setBeside('closed', keeper.mustEnd, result.undo_until ?? undefined).catch(() => {});
  }
}
