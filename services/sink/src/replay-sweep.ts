import type { Clock, Logger } from '@volley/runtime';
import type { Stamp } from './core/replay/register.ts';
import type { ReplayTables } from './replay-ports.ts';
import { createSwap } from './replay-swap.ts';

export interface SweepDeps {
  /** Short ids of the replays that have anything beside the live tables. */
  readonly found: () => Promise<readonly string[]>;
  /** Of those that somebody works on, or will. */
  readonly alive: () => Promise<ReadonlySet<string>>;
  readonly tables: (shortId: string) => ReplayTables;
  /** Never used before, by anybody. */
  readonly nextName: (shortId: string) => string;
  readonly clock: Clock;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly logger: Logger;
}

/**
 * Tables from before a swap are dropped when their time is over, and what a process left that woke up when its job had
 * ended. Nobody holds a job for it: a replay that is being taken back has changed their register first, and then nothing is
 * dropped.
 */
export async function sweep(deps: SweepDeps, signal: AbortSignal): Promise<void> {
  const { clock, logger } = deps;
  const isOver = (stamp: Stamp | undefined): boolean =>
    stamp?.register?.state !== 'closed' || stamp.keptUntil === undefined || Date.parse(stamp.keptUntil) < clock.now();
  // In this order: what is made later belongs to a job that is asked for later.
  const found = await deps.found();
  const alive = await deps.alive();
  for (const shortId of found) {
    if (alive.has(shortId)) continue;
    const tables = deps.tables(shortId);
    const { beside } = await tables.look();
    if (beside !== undefined && !isOver(beside.stamps.get(beside.raw))) continue;
    const swap = createSwap({
      tables,
      target: '',
      replay: shortId,
      nextName: () => deps.nextName(shortId),
      mayWrite: () => true,
      openHold: () => Promise.reject(new Error('nothing is exchanged here')),
      clock,
      sleep: deps.sleep,
      failpoints: { hit: () => {}, around: (_, effect) => effect() },
      logger,
    });
    await swap.dropBeside(signal, isOver);
    logger.info({ replay: shortId }, 'tables of a replay were dropped: nobody needs them any more');
  }
}
