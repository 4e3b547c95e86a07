interface Flight<T> {
  readonly controller: AbortController;
  readonly answer: Promise<T>;
  waiting: number;
}

/**
 * Whoever asks while the same is being asked gets that answer. `run` is told by its signal when nobody waits any more;
 * who comes after that asks anew.
 */
export function createShared(): <T>(
  key: string,
  run: (gone: AbortSignal) => Promise<T>,
  gone?: AbortSignal,
) => Promise<T> {
  const flights = new Map<string, Flight<unknown>>();

  function begin<T>(key: string, run: (gone: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = { controller, answer: run(controller.signal), waiting: 0 };
    const forget = () => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    flight.answer.then(forget, forget);
    controller.signal.addEventListener('abort', forget, { once: true });
    flights.set(key, flight);
    return flight;
  }

  return async (key, run, gone) => {
    gone?.throwIfAborted();
    const flight = (flights.get(key) ?? begin(key, run)) as Flight<Awaited<ReturnType<typeof run>>>;
    flight.waiting += 1;
    let onGone = () => {};
    const left = new Promise<never>((_, reject) => {
      onGone = () => reject(gone?.reason);
      gone?.addEventListener('abort', onGone, { once: true });
    });
    try {
      return await Promise.race([flight.answer, left]);
    } finally {
      gone?.removeEventListener('abort', onGone);
      flight.waiting -= 1;
      if (flight.waiting === 0) flight.controller.abort();
    }
  };
}
