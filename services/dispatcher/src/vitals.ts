import type { PipelineOptions } from './ports.ts';

/** Whether this process may still speak for its partitions. */
export interface Vitals {
  isOn(): boolean;
  isDead(): boolean;
  /**
   * Without an answer from the group for a session, another process owns these partitions: say nothing more in their name.
   * True: so it is, and the process is about to end. Without work in memory there is nothing that could be said.
   */
  presumedDead(): boolean;
  /** A bug, or the above: nothing is started or written from here on. */
  die(error: Error): void;
  stopping(): void;
  ended(): void;
}

export function createVitals(o: PipelineOptions, work: () => number): Vitals {
  let state: 'on' | 'stopping' | 'dead' = 'on';
  function die(error: Error): void {
    state = 'dead';
    o.onFatal(error);
  }
  return {
    isOn: () => state === 'on',
    isDead: () => state === 'dead',
    presumedDead() {
      if (state === 'dead') return true;
      const silentMs = o.clock.monotonicMs() - o.assignment.lastHeartbeatMs();
      if (silentMs <= o.sessionTimeoutMs || work() === 0) return false;
      die(new Error(`no heartbeat was answered for ${Math.round(silentMs)} ms`));
      return true;
    },
    die,
    stopping() {
      state = 'stopping';
    },
    ended() {
      state = 'dead';
    },
  };
}
