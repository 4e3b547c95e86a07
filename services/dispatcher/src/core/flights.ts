import type { CampaignState } from './campaign-book.ts';
import { createFifo } from './fifo.ts';
import type { Job } from './job.ts';
import type { Permit } from './limits.ts';

/** One attempt under way. `R` is how the pipeline reaches the provider. */
export interface Flight<R> {
  readonly job: Job;
  readonly campaign: CampaignState;
  readonly route: R;
  readonly permit: Permit;
  /** Monotonic. */
  readonly startedMs: number;
  readonly controller: AbortController;
  /** What the channel is told; its signal is made when it is asked for, which few channels do (2 µs). */
  readonly call: { readonly attempt: number; readonly signal: AbortSignal };
  /** Answered, or given up: a later answer changes nothing. */
  over: boolean;
}

/** All have the same deadline, so they are due in the order in which they started: no timer for each, a look at the front. */
export interface Flights<R> {
  start(job: Job, campaign: CampaignState, route: R, permit: Permit, nowMs: number): Flight<R>;
  /** Takes out those that started at or before `beforeMs` and are not over. */
  overdue(beforeMs: number): readonly Flight<R>[];
}

export function createFlights<R>(): Flights<R> {
  const started = createFifo<Flight<R>>();
  return {
    start(job, campaign, route, permit, nowMs) {
      const controller = new AbortController();
      const attempt = job.attempts + 1;
      const call = {
        attempt,
        get signal() {
          return controller.signal;
        },
      };
      const flight = { job, campaign, route, permit, startedMs: nowMs, controller, call, over: false };
      started.push(flight);
      return flight;
    },
    overdue(beforeMs) {
      const late: Flight<R>[] = [];
      for (let f = started.peek(); f !== undefined && (f.over || f.startedMs <= beforeMs); f = started.peek()) {
        started.shift();
        if (!f.over) late.push(f);
      }
      return late;
    },
  };
}
