import type { TestFn } from 'ava';
import { consuming } from './consuming.ts';
import { loop } from './loop.ts';
import { producing } from './producing.ts';
import { reading } from './reading.ts';
import { declareWith, type Harness } from './support.ts';

export type { Harness } from './support.ts';
export { until } from './support.ts';

/** What every adapter must do, as tests: the port's comments, one by one. */
export function conformance(test: TestFn, open: () => Harness): void {
  const declare = declareWith(test, open);
  producing(declare);
  consuming(declare);
  loop(declare);
  reading(declare);
}
