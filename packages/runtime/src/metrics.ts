import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** One metric of a service's catalogue. Labels have few values: never a recipient, a message id or a campaign id. */
export interface MetricSpec {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly name: `volley_${string}`;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly buckets?: readonly number[];
}

export type MetricCatalogue = Readonly<Record<string, MetricSpec>>;
type Labels = Record<string, string | number>;

export interface MetricHandle {
  inc(labels?: Labels, by?: number): void;
  set(value: number, labels?: Labels): void;
  observe(value: number, labels?: Labels): void;
  /** The series of these labels ends: a gauge of what this process no longer has would keep its last value for ever. */
  remove(labels: Labels): void;
}

export interface Metrics<C extends MetricCatalogue> {
  readonly m: { readonly [K in keyof C]: MetricHandle };
  readonly registry: Registry;
}

/** A name that is not in the catalogue is a type error; a use that does not fit the kind is a bug and throws. */
export function createMetrics<C extends MetricCatalogue>(catalogue: C, defaults = true): Metrics<C> {
  const registry = new Registry();
  if (defaults) collectDefaultMetrics({ register: registry });
  const wrong = (name: string, use: string) => () => {
    throw new Error(`metric ${name} has no ${use}`);
  };
  const handles: Record<string, MetricHandle> = {};
  for (const [key, spec] of Object.entries(catalogue)) {
    const base = { name: spec.name, help: spec.help, labelNames: [...(spec.labels ?? [])], registers: [registry] };
    if (spec.kind === 'counter') {
      const c = new Counter(base);
      handles[key] = {
        inc: (labels = {}, by = 1) => c.inc(labels, by),
        set: wrong(spec.name, 'set'),
        observe: wrong(spec.name, 'observe'),
        remove: wrong(spec.name, 'remove'),
      };
    } else if (spec.kind === 'gauge') {
      const g = new Gauge(base);
      handles[key] = {
        inc: (labels = {}, by = 1) => g.inc(labels, by),
        set: (v, labels = {}) => g.set(labels, v),
        observe: wrong(spec.name, 'observe'),
        remove: (labels) => g.remove(labels),
      };
    } else {
      const h = new Histogram({ ...base, ...(spec.buckets ? { buckets: [...spec.buckets] } : {}) });
      handles[key] = {
        inc: wrong(spec.name, 'inc'),
        set: wrong(spec.name, 'set'),
        observe: (v, labels = {}) => h.observe(labels, v),
        remove: wrong(spec.name, 'remove'),
      };
    }
  }
  return { m: handles as Metrics<C>['m'], registry };
}
