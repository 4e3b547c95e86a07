import { refusals } from './errors.ts';

export interface Gate {
  /**
   * Resolves with the function that gives the place back. Rejects when the queue is full, when there is no place within
   * `maxWaitMs`, or with the signal's reason.
   */
  enter(lane: string, signal: AbortSignal, maxWaitMs?: number): Promise<() => void>;
}

export interface GateOptions {
  /** As it stands in the refusal. */
  name: string;
  places: number;
  /** Of these at most so many for one lane, so that another one's short question never waits for its long ones. */
  placesOfOneLane?: number;
  queueLength: number;
  maxWaitMs: number;
}

interface Waiting {
  lane: string;
  admit: () => void;
}

/**
 * Bounded concurrency with a bounded queue: a burst waits, it does not pile threads up in the engine. Those who wait are
 * admitted lane by lane in turn, and in a lane first come, first served: a dashboard with a hundred panels is one lane.
 */
export function createGate(options: GateOptions): Gate {
  const { name, places, placesOfOneLane = places, queueLength } = options;
  const running = new Map<string, number>();
  /** In the order of turns: a lane that was served goes to the end. */
  const queues = new Map<string, Waiting[]>();
  let free = places;
  let waitingCount = 0;

  const mayRun = (lane: string) => free > 0 && (running.get(lane) ?? 0) < placesOfOneLane;

  function take(lane: string): () => void {
    free--;
    running.set(lane, (running.get(lane) ?? 0) + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      free++;
      const others = (running.get(lane) ?? 1) - 1;
      if (others === 0) running.delete(lane);
      else running.set(lane, others);
      for (const [next] of queues) if (mayRun(next)) return admitFirst(next);
    };
  }

  function admitFirst(lane: string): void {
    const first = queues.get(lane)?.[0];
    if (first === undefined) return;
    remove(first);
    const rest = queues.get(lane);
    if (rest !== undefined) {
      queues.delete(lane);
      queues.set(lane, rest);
    }
    first.admit();
  }

  function remove(waiting: Waiting): boolean {
    const queue = queues.get(waiting.lane) ?? [];
    const index = queue.indexOf(waiting);
    if (index < 0) return false;
    queue.splice(index, 1);
    waitingCount--;
    if (queue.length === 0) queues.delete(waiting.lane);
    return true;
  }

  return {
    enter(lane, signal, maxWaitMs = options.maxWaitMs) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (!queues.has(lane) && mayRun(lane)) return Promise.resolve(take(lane));
      if (waitingCount >= queueLength || maxWaitMs <= 0) {
        return Promise.reject(
          refusals.tooManyQueries(
            `Too many simultaneous ${name} queries. Maximum: ${places}, waiting: ${waitingCount}.`,
          ),
        );
      }
      return new Promise((resolve, reject) => {
        const giveUp = (error: unknown) => {
          if (!remove(waiting)) return;
          done();
          reject(error);
        };
        const onAbort = () => giveUp(signal.reason);
        const timer = setTimeout(
          () =>
            giveUp(
              refusals.tooManyQueries(
                `Too many simultaneous ${name} queries. Maximum: ${places}, no place within ${maxWaitMs / 1000} s.`,
              ),
            ),
          maxWaitMs,
        );
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
        };
        const waiting: Waiting = {
          lane,
          admit: () => {
            done();
            resolve(take(lane));
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        const queue = queues.get(lane);
        if (queue === undefined) queues.set(lane, [waiting]);
        else queue.push(waiting);
        waitingCount++;
      });
    },
  };
}
