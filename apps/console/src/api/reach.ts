/** Whether the API answers at all: told by every request, shown by the banner at the top of each page. */
let isAway = false;
const listeners = new Set<() => void>();

export function tellReached(reached: boolean): void {
  if (isAway === !reached) return;
  isAway = !reached;
  for (const listener of listeners) listener();
}

export const apiIsAway = (): boolean => isAway;

export function onReach(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
