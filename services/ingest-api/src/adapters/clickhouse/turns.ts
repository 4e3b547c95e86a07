import { StoreUnavailable } from '../../ports.ts';

export interface TurnOptions {
  readonly places: number;
  readonly queue: number;
  readonly waitMs: number;
}

/**
 * So many at once, first come first served; the queue behind them and the wait in it are bounded, so that readers of all
 * kinds together take a known part of the store and never pile up here. Answers the function that gives the place back.
 */
export function createTurns(o: TurnOptions): (gone: AbortSignal) => Promise<() => void> {
  let free = o.places;
  const queue: (() => void)[] = [];

  const place = (): (() => void) => {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = queue.shift();
      if (next) next();
      else free += 1;
    };
  };

  return async (gone) => {
    gone.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return place();
    }
    if (queue.length >= o.queue) throw new StoreUnavailable('clickhouse', `${queue.length} questions wait already`);
    return new Promise((resolve, reject) => {
      const leave = (why: unknown) => {
        const at = queue.indexOf(admit);
        if (at < 0) return;
        queue.splice(at, 1);
        done();
        reject(why);
      };
      const onGone = () => leave(gone.reason);
      const timer = setTimeout(
        () => leave(new StoreUnavailable('clickhouse', `no place for a question within ${o.waitMs} ms`)),
        o.waitMs,
      );
      const done = () => {
        clearTimeout(timer);
        gone.removeEventListener('abort', onGone);
      };
      const admit = () => {
        done();
        resolve(place());
      };
      gone.addEventListener('abort', onGone, { once: true });
      queue.push(admit);
    });
  };
}
