/** Settles when the tab can be seen, at once where it can, and when the signal aborts. */
export function untilSeen(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      signal.removeEventListener('abort', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look);
    look();
  });
}

export interface Unseen {
  /** Aborts when the tab has not been seen for so long. */
  readonly signal: AbortSignal;
  forget(): void;
}

export function unseenFor(ms: number): Unseen {
  const control = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => control.abort(), ms);
  };
  document.addEventListener('visibilitychange', look);
  look();
  return {
    signal: control.signal,
    forget() {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', look);
    },
  };
}
