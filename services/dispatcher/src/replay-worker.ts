import {
  type HeldReplay,
  REPLAY_SAVE_MS,
  type ReplayLeases,
  type ReplaySave,
  type ReplayTarget,
} from '@volley/contract/replays';
import type { Clock, Logger } from '@volley/runtime';
import { type Leaving, ReplayLeft, ReplayRefused, type Runner, type Work } from './replay-ports.ts';

/** Twice in the time after which a save is due. */
const SAVE_EVERY_MS = REPLAY_SAVE_MS / 2;

export interface ReplayWorker {
  /** Takes the next job and does it to its end. False: there is none. */
  round(): Promise<boolean>;
  /** Leaves what is under way to whoever comes next. */
  stop(): Promise<void>;
}

/**
 * Holds a job while it is worked on: what is done is saved with the lease, and what is asked of the job is heard with the
 * answer. `runner` is asked for only when there is a job: what it needs is loaded then.
 */
export function createReplayWorker(o: {
  readonly leases: ReplayLeases;
  readonly targets: readonly ReplayTarget[];
  readonly runner: (target: ReplayTarget) => Promise<Runner>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly saveEveryMs?: number;
}): ReplayWorker {
  const { leases, logger } = o;
  let isStopping = false;
  let leave: (why: Leaving) => void = () => {};
  let underWay: Promise<boolean> | undefined;

  async function work(held: HeldReplay): Promise<void> {
    const abort = new AbortController();
    let snapshot: () => ReplaySave = () => ({});
    let saving: Promise<void> = Promise.resolve();
    leave = (why) => abort.abort(new ReplayLeft(why));
    if (isStopping) leave('stop');

    async function save(): Promise<void> {
      try {
        const asked = await leases.save(held, snapshot());
        if (asked === 'lost') leave('lost');
        else if (asked.cancel) leave('cancel');
        else if (asked.pause) leave('pause');
      } catch (error) {
        logger.warn({ err: error, replay_id: held.job.replay_id }, 'the replay could not be saved');
        if (!held.valid()) leave('lost');
      }
    }
    const saves = () => {
      saving = saving.then(save);
      return saving;
    };
    const timer = setInterval(() => void saves(), o.saveEveryMs ?? SAVE_EVERY_MS);
    const work: Work = {
      job: held.job,
      signal: abort.signal,
      saves(of) {
        snapshot = of;
      },
    };
    try {
      // What was asked of it before anybody had it is heard before anything is done.
      await saves();
      abort.signal.throwIfAborted();
      const run = await o.runner(held.job.target);
      const result = await run(work, held);
      clearInterval(timer);
      await saves();
      await leases.end(held, { status: 'done', result });
      logger.info({ replay_id: held.job.replay_id }, 'replay is done');
    } catch (error) {
      clearInterval(timer);
      await end(held, error, saves);
    } finally {
      clearInterval(timer);
      leave = () => {};
    }
  }

  async function end(held: HeldReplay, error: unknown, saves: () => Promise<void>): Promise<void> {
    const { replay_id } = held.job;
    if (!(error instanceof ReplayLeft)) {
      const isRefused = error instanceof ReplayRefused;
      if (!isRefused) logger.error({ err: error, replay_id }, 'replay has failed');
      await saves();
      await leases.end(held, { status: 'failed', error: (error as Error).message });
      return;
    }
    logger.info({ replay_id, why: error.why }, 'replay is left');
    if (error.why === 'lost') return;
    await saves();
    if (error.why === 'stop') await leases.release(held);
    else await leases.end(held, { status: error.why === 'pause' ? 'paused' : 'cancelled' });
  }

  async function round(): Promise<boolean> {
    if (isStopping) return false;
    const held = await leases.claim(o.targets);
    if (held === undefined) return false;
    logger.info({ replay_id: held.job.replay_id, target: held.job.target }, 'replay is taken');
    await work(held);
    return true;
  }

  return {
    round() {
      underWay = round().finally(() => {
        underWay = undefined;
      });
      return underWay;
    },
    async stop() {
      isStopping = true;
      leave('stop');
      await underWay?.catch(() => {});
    },
  };
}
