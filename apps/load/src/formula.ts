/** What the docs promise as arithmetic: how many dispatchers bring so many messages through in so many seconds. */
export interface Need {
  readonly messages: number;
  readonly seconds: number;
  /** What one dispatcher does, with this provider and on this machine. */
  readonly perDispatcherPerSecond: number;
}

/** What is left of a division that comes out even is no dispatcher more. */
const EVEN = 1e-9;

export const dispatchersNeeded = ({ messages, seconds, perDispatcherPerSecond }: Need): number =>
  Math.max(1, Math.ceil(messages / (seconds * perDispatcherPerSecond) - EVEN));

export const secondsNeeded = ({
  messages,
  dispatchers,
  perDispatcherPerSecond,
}: Omit<Need, 'seconds'> & { readonly dispatchers: number }): number =>
  messages / (dispatchers * perDispatcherPerSecond);
