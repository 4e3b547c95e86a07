import { type HeldReplay, REPLAY_SAVE_MS, type ReplayLeases, type ReplaySave } from '@volley/contract/replays';
import type { Logger } from '@volley/runtime';

/** Why work on a job ends before the job does. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly why: 'paused' | 'cancelled' | 'lost' | 'stopping';
  constructor(why: Interrupted['why']) {
    super(`the replay is ${why}`);
    this.why = why;
  }
}

export interface KeeperDeps {
  readonly leases: ReplayLeases;
  readonly held: HeldReplay;
  readonly logger: Logger;
  /** The process is told to stop. */
  readonly stopping: AbortSignal;
}

/** Holds a job: says how far it is and renews the lease, and knows what is asked of it. */
export interface Keeper {
  /** What the next save says. */
  say(what: ReplaySave): void;
  /** Saved, with what was said before. Rejects with Interrupted when the job is somebody else's. */
  save(what?: ReplaySave): Promise<void>;
  /** Aborts with Interrupted: somebody else has the job, or this process stops. */
  readonly mustEnd: AbortSignal;
  /** The same, and when the job is to be paused or cancelled. */
  readonly wanted: AbortSignal;
  close(): Promise<void>;
}

const RETRY_MS = 500;

export function openKeeper({ leases, held, logger, stopping }: KeeperDeps): Keeper {
  const must = new AbortController();
  const asked = new AbortController();
  const onStop = () => must.abort(new Interrupted('stopping'));
  if (stopping.aborted) onStop();
  stopping.addEventListener('abort', onStop, { once: true });
  let unsaid: ReplaySave = {};
  let saving: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function saveOnce(): Promise<void> {
    const what = unsaid;
    unsaid = {};
    try {
      const answer = await leases.save(held, what);
      if (answer === 'lost') {
        must.abort(new Interrupted('lost'));
        return;
      }
      if (answer.cancel) asked.abort(new Interrupted('cancelled'));
      else if (answer.pause) asked.abort(new Interrupted('paused'));
    } catch (error) {
      unsaid = { ...what, ...unsaid };
      throw error;
    }
  }

  /** One after the other: what was said later is saved later. */
  function save(): Promise<void> {
    const next = saving.then(saveOnce);
    saving = next.catch(() => {});
    return next;
  }

  async function tick(): Promise<void> {
    let next = REPLAY_SAVE_MS / 2;
    await save().catch((error: Error) => {
      logger.warn({ err: error.message }, 'the job cannot be saved: nothing is written until it can');
      next = RETRY_MS;
    });
    if (!closed && !must.signal.aborted) timer = setTimeout(() => void tick(), next);
  }
  void tick();

  return {
    say(what) {
      unsaid = { ...unsaid, ...what };
    },
    async save(what = {}) {
      unsaid = { ...unsaid, ...what };
      for (;;) {
        must.signal.throwIfAborted();
        try {
          await save();
          must.signal.throwIfAborted();
          return;
        } catch (error) {
          if (error instanceof Interrupted) throw error;
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
      }
    },
    mustEnd: must.signal,
    wanted: AbortSignal.any([must.signal, asked.signal]),
    async close() {
      closed = true;
      clearTimeout(timer);
      stopping.removeEventListener('abort', onStop);
      await saving;
    },
  };
}
