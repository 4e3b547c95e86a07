import type { Job } from './job.ts';

/**
 * Jobs that wait for something of their own, such as a call to the one host they go to. Waking a name looks at a few of
 * them; each that passes wakes the next. So an answer of a host for which a thousand wait costs a few looks, not a thousand.
 */
export interface Parking {
  enter(job: Job, on: string): void;
  /** False: it was not here. */
  leave(job: Job): boolean;
  wake(on: string): void;
  /** A job starts: if it was woken from here, the next one may come. */
  passed(job: Job): void;
  clear(): void;
}

const AT_ONCE = 4;

/** `woken` gets each job that is to be looked at again. */
export function createParking(woken: (job: Job) => void): Parking {
  const parked = new Map<string, Set<Job>>();

  const leave = (job: Job): boolean => {
    const on = job.seat.parkedOn;
    if (on === undefined) return false;
    job.seat.parkedOn = undefined;
    const jobs = parked.get(on);
    jobs?.delete(job);
    if (jobs?.size === 0) parked.delete(on);
    return true;
  };

  const wake = (on: string, most: number) => {
    let left = most;
    for (const job of parked.get(on) ?? []) {
      if (left-- === 0) return;
      leave(job);
      job.seat.wokenFrom = on;
      woken(job);
    }
  };

  return {
    enter(job, on) {
      job.seat.parkedOn = on;
      job.seat.wokenFrom = undefined;
      const jobs = parked.get(on);
      if (jobs === undefined) parked.set(on, new Set([job]));
      else jobs.add(job);
    },
    leave,
    wake: (on) => wake(on, AT_ONCE),
    passed(job) {
      const on = job.seat.wokenFrom;
      if (on === undefined) return;
      job.seat.wokenFrom = undefined;
      wake(on, 1);
    },
    clear() {
      for (const jobs of parked.values()) for (const job of jobs) job.seat.parkedOn = undefined;
      parked.clear();
    },
  };
}
