/** Polls until `ready` answers true; an error of it counts as "not yet". Throws when time is up, `gone` resolves or `signal` fires. */
export async function until(
  ready: () => Promise<boolean>,
  options: {
    timeoutMs: number;
    signal?: AbortSignal | undefined;
    gone?: Promise<unknown> | undefined;
    everyMs?: number;
  },
): Promise<void> {
  let gone = false;
  options.gone?.then(
    () => {
      gone = true;
    },
    () => {},
  );
  const deadline = performance.now() + options.timeoutMs;
  let last: unknown;
  for (;;) {
    options.signal?.throwIfAborted();
    if (gone) throw new Error('it ended before it was ready');
    try {
      // An answer may come from somebody else who holds the port, while ours is already gone.
      if ((await ready()) && !gone) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(
        `not ready after ${Math.round(options.timeoutMs / 1000)} s${last === undefined ? '' : ` (${(last as Error).message})`}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 50));
  }
}
