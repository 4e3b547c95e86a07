import type { Trial } from './trial.ts';

/** One row of the fault matrix. */
export interface Scenario {
  /** `F05`, `K01`: what `npm run faults -- F05` runs. A family may have several rows of one id. */
  readonly id: string;
  /** What breaks. */
  readonly fault: string;
  /** What must hold all the same, and what may be doubled. */
  readonly expected: string;
  readonly injected: string;
  /** Also in `npm test`, with fewer messages. */
  readonly short: boolean;
  run(trial: Trial): Promise<void>;
}

/**
 * Where a family's scenarios run: one world is started for all families of a kind. `sending` has providers of the test's
 * own and retry tiers of seconds; `log` is for those that change topics; `brokers` has three brokers of its own; `small-disk`
 * one, with its data on a disk of 160 MiB; `analytics` a ClickHouse of its own, with something in front of it.
 */
export type WorldKind = 'stores' | 'sending' | 'log' | 'brokers' | 'small-disk' | 'analytics';
export const WORLDS: readonly WorldKind[] = ['stores', 'sending', 'log', 'brokers', 'small-disk', 'analytics'];

/** Scenarios that belong together, in the order in which they run: each leaves the world whole. */
export interface Family {
  readonly name: string;
  readonly world: WorldKind;
  readonly scenarios: readonly Scenario[];
}
