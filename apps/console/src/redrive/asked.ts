import type { RedriveView } from '../api/types.ts';
import type { Action, Selection } from './selection.ts';

/** What somebody was asked about last, in the one dialog of the page. */
export interface Asked {
  readonly action: Action;
  /** As it was when it was asked for: the lists behind the dialog go on changing. */
  readonly selection: Selection;
  readonly onStarted?: ((job: RedriveView) => void) | undefined;
  readonly times: number;
  readonly isOpen: boolean;
}

let asked: Asked | undefined;
const listeners = new Set<() => void>();
const set = (next: Asked | undefined) => {
  asked = next;
  for (const listener of listeners) listener();
};

/** The dialog outlives the button that opened it: the row of what is sent again is often gone a second later. */
export const askAbout = (what: Omit<Asked, 'times' | 'isOpen'>): void =>
  set({ ...what, times: (asked?.times ?? 0) + 1, isOpen: true });
export const closeAsked = (): void => {
  if (asked?.isOpen) set({ ...asked, isOpen: false });
};
export const nowAsked = (): Asked | undefined => asked;
export function onAsked(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
