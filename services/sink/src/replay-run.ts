import type { ReplayEnd, ReplayLeases } from '@volley/contract/replays';
import { shortIdOf } from './core/replay/tables.ts';
import { FIRST_GENERATION } from './core/token.ts';
import { ReplayFailed } from './replay-fill.ts';
import { type JobDeps, type Result, workOn } from './replay-job.ts';
import { Interrupted } from './replay-keeper.ts';

export interface RunDeps extends JobDeps {
  readonly leases: ReplayLeases;
}

const RETRY_MS = 1_000;

/**
 * A job that this process holds, to its end or to where it is interrupted. What comes of it is written down before anything
 * of it is dropped: whoever goes on after a death in between cleans up, and does not begin anew.
 */
export async function run(deps: RunDeps): Promise<void> {
  const { held, keeper, leases, logger, notes } = deps;
  const id = { replay_id: held.job.replay_id };
  const undo = held.job.undo_requested;
  for (;;) {
    try {
      // The first save says whether it is to be paused or cancelled.
      await keeper.save();
      const noted = notes.read().ended;
      const as = noted?.undo === undo ? noted.as : await endOf(deps);
      keeper.say(as.result === undefined ? {} : { result: as.result });
      await notes.write({ ended: { undo, as } });
      await cleanUp(deps, as);
      // It may be asked for again.
      if (undo) await notes.write({ ended: undefined });
      await leases.end(held, as);
      logger.info({ ...id, status: as.status, error: as.error }, 'replay ended');
      return;
    } catch (error) {
      const why = error instanceof Interrupted ? error.why : undefined;
      if (why === 'lost') return logger.warn(id, 'the replay belongs to another process now');
      if (why === 'stopping') return void (await leases.release(held));
      if (why === 'paused') return void (await leases.end(held, { status: 'paused' }));
      logger.warn({ ...id, err: error }, 'the replay begins again where it was');
    }
    await deps.sleep(RETRY_MS, keeper.mustEnd);
  }
}

async function endOf(deps: RunDeps): Promise<ReplayEnd> {
  try {
    return { status: 'done', result: await workOn(deps) };
  } catch (error) {
    if (error instanceof Interrupted && error.why === 'cancelled') return { status: 'cancelled' };
    if (error instanceof ReplayFailed) return { status: 'failed', error: error.message };
    throw error;
  }
}

/** Tables beside that nobody needs any more. What was swapped, and not taken back, is kept. */
async function cleanUp(deps: RunDeps, { result }: ReplayEnd): Promise<void> {
  const { held, keeper, notes } = deps;
  const { replay_id: replayId, undo_requested: undo } = held.job;
  const { swapped, undone } = (result ?? {}) as Partial<Result>;
  if (swapped === true || (undo && undone !== true)) return;
  await keeper.save({ phase: 'cleaning up' });
  const swap = deps.swapTo(undo ? (notes.read().before ?? FIRST_GENERATION) : shortIdOf(replayId));
  const left = await swap.tidy(keeper.mustEnd);
  if (!undo && left === 'exchanged') {
    // It failed, or was cancelled, when it had come through already.
    await notes.write({ ended: undefined });
    throw new Error('the tables were exchanged after all');
  }
  if (left !== 'nothing made') await swap.dropBeside(keeper.mustEnd);
  await deps.forgetGroups();
}
