import { backoffMs, type Logger, sleep } from '@volley/runtime';
import type { Round } from '../ports.ts';

export interface RoleLoop {
  /** The next round begins at once; if one is running, another follows it. */
  wake(): void;
  /** Resolves when the round that is running has ended; it is told by its signal. */
  stop(): Promise<void>;
}

const BASE_MS = 100;
const CAP_MS = 2_000;
/** A role that has had nothing to do for so long asks the store less often: whoever gives it work in this process wakes it. */
const RESTS_AFTER_MS = 2_000;
const REST_MS = 500;

/**
 * Rounds one after the other, never two at once. A store or log that is away is waited for; anything else that is
 * thrown is a bug, and a role that goes on after a bug would do harm nobody sees.
 */
export function startLoop(o: {
  name: string;
  round: Round;
  idleMs: number;
  /** Between two rounds when there has been nothing to do for a while; default REST_MS. */
  restMs?: number;
  log: Logger;
  isOutage: (error: unknown) => boolean;
  onError: () => void;
  fatal: (error: Error) => void;
}): RoleLoop {
  let woken = false;
  let busyAtMs = performance.now();
  const stopping = new AbortController();
  let idle = new AbortController();
  const wake = () => {
    woken = true;
    busyAtMs = performance.now();
    idle.abort();
  };
  const run = async () => {
    let failures = 0;
    while (!stopping.signal.aborted) {
      woken = false;
      let waitMs = o.idleMs;
      try {
        const went = await o.round(stopping.signal);
        failures = 0;
        if (went !== false) busyAtMs = performance.now();
        if (went === true) waitMs = 0;
        else if (performance.now() - busyAtMs >= RESTS_AFTER_MS) waitMs = Math.max(o.idleMs, o.restMs ?? REST_MS);
      } catch (error) {
        o.onError();
        if (!o.isOutage(error)) return o.fatal(error as Error);
        failures += 1;
        waitMs = backoffMs(failures, BASE_MS, CAP_MS, Math.random());
        if (failures === 1 || failures % 20 === 0) o.log.warn({ role: o.name, err: error }, 'role waits for a store');
        woken = false;
      }
      if (stopping.signal.aborted || woken) {
        await new Promise(setImmediate);
        continue;
      }
      idle = new AbortController();
      if (waitMs > 0) await sleep(waitMs, idle.signal);
      else await new Promise(setImmediate);
    }
  };
  const running = run();
  return {
    wake,
    async stop() {
      stopping.abort();
      wake();
      await running;
    },
  };
}
