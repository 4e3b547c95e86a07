/**
 * Bodies lie outside V8's heap, so V8 sees no reason to collect the handles that keep them: after a campaign 200 MiB
 * of dead buffers stayed until the next one. A second after the last large body this asks for a collection (2 ms).
 */
export function createTrimmer(idle: () => boolean): { large(): void } {
  let pending = false;
  const schedule = () => {
    if (pending) return;
    pending = true;
    setTimeout(trim, 1000).unref();
  };
  const trim = () => {
    pending = false;
    if (idle()) globalThis.gc?.();
    else schedule();
  };
  return { large: schedule };
}

export const largeBytes = 1024 * 1024;
