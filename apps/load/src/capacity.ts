/** How one rate went. */
export interface Tried {
  readonly perSecond: number;
  /** `unknown`: the generator was late itself, so that nothing is known of the server. */
  readonly verdict: 'met' | 'missed' | 'unknown';
}

export interface CapacityOptions<T extends Tried> {
  readonly firstPerSecond: number;
  /** The bracket is narrow enough when its upper end is less than this share above the lower one. */
  readonly precision: number;
  readonly maxTries: number;
  /** No rate above this is tried. */
  readonly maxPerSecond: number;
  /** True: there is no time, or no message, left for another try at this rate. */
  spent(perSecond: number): boolean;
  run(perSecond: number): Promise<T>;
}

export interface Capacity<T extends Tried> {
  /** The highest rate that met the objectives; undefined: none did. */
  readonly perSecond: number | undefined;
  /** The lowest that did not; undefined: none was found. */
  readonly missedAt: number | undefined;
  readonly ended: 'narrow' | 'tries' | 'spent' | 'generator' | 'limit';
  readonly tries: readonly T[];
}

const GROWTH = 2;
const LEAST = 1;
/** Two digits are what one short try can tell apart. */
const rounded = (perSecond: number): number => {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(perSecond)) - 2);
  return Math.max(LEAST, Math.round(perSecond / unit) * unit);
};

/** Doubles the rate until an objective breaks (or halves it until one holds), then halves the bracket until it is narrow. */
export async function findCapacity<T extends Tried>(o: CapacityOptions<T>): Promise<Capacity<T>> {
  const tries: T[] = [];
  let low: number | undefined;
  let high: number | undefined;
  const done = (ended: Capacity<T>['ended']): Capacity<T> => ({ perSecond: low, missedAt: high, ended, tries });
  let next = rounded(Math.min(o.firstPerSecond, o.maxPerSecond));
  for (;;) {
    if (tries.length >= o.maxTries) return done('tries');
    if (o.spent(next)) return done('spent');
    const tried = await o.run(next);
    tries.push(tried);
    if (tried.verdict === 'unknown') return done('generator');
    if (tried.verdict === 'met') low = next;
    else high = next;
    if (low === undefined) {
      if (next <= LEAST) return done('narrow');
      next = rounded(next / GROWTH);
    } else if (high === undefined) {
      if (low >= o.maxPerSecond) return done('limit');
      next = rounded(Math.min(low * GROWTH, o.maxPerSecond));
    } else {
      const middle = rounded((low + high) / 2);
      if (high <= low * (1 + o.precision) || middle <= low || middle >= high) return done('narrow');
      next = middle;
    }
  }
}
