import { createMetrics } from '@volley/runtime';
import test from 'ava';
import { METRIC_CATALOGUES } from '../../scripts/gen-reference.ts';
import { type Parsed, parsePromQL } from './promql.ts';
import { dashboards, panelsOf, rules } from './read.ts';

interface Known {
  readonly isCounter: boolean;
  readonly labels: ReadonlySet<string>;
}
/** Put on by the scrape. */
const SCRAPED = ['job', 'instance'];
const known = new Map<string, Known>();
const add = (name: string, kind: string, labels: readonly string[]) => {
  const all = new Set([...labels, ...SCRAPED]);
  if (kind === 'histogram') {
    for (const suffix of ['_sum', '_count']) known.set(name + suffix, { isCounter: true, labels: all });
    known.set(`${name}_bucket`, { isCounter: true, labels: new Set([...all, 'le']) });
  } else known.set(name, { isCounter: kind === 'counter', labels: all });
};
for (const { name, kind, labels } of Object.values(METRIC_CATALOGUES).flat()) add(name, kind, labels ?? []);
// What every process tells of itself and of Node.
for (const { name, type } of await createMetrics({}).registry.getMetricsAsJSON()) add(name, String(type), []);
add('up', 'gauge', []);

const expressions: [where: string, expr: string, legend: string][] = [
  ...Object.entries(dashboards).flatMap(([name, dashboard]) =>
    panelsOf(dashboard).flatMap((p) =>
      (p.targets ?? []).flatMap((target): [string, string, string][] =>
        target.expr === undefined
          ? []
          : [[`${name}: ${p.title} ${target.refId}`, target.expr, target.legendFormat ?? '']],
      ),
    ),
  ),
  ...rules.flatMap((rule) =>
    rule.data.flatMap(({ model }): [string, string, string][] =>
      model.expr === undefined ? [] : [[`alert ${rule.uid}`, model.expr, '']],
    ),
  ),
];

/** Sentences, one for each thing that the metrics do not have. */
function wrong({ errors, asked, groupedBy }: Parsed, legend: string): string[] {
  const out = errors.map((e) => `no PromQL: ${e}`);
  if (asked.length === 0) out.push('asks for no metric');
  for (const { metric, labels, isRate } of asked) {
    const of = known.get(metric);
    if (of === undefined) {
      out.push(`${metric} is in no catalogue`);
      continue;
    }
    if (of.isCounter && !isRate) out.push(`${metric} is a counter: only its rate says something`);
    if (!of.isCounter && isRate) out.push(`${metric} is no counter: it has no rate`);
    for (const label of [...labels, ...groupedBy])
      if (!of.labels.has(label)) out.push(`${metric} has no label ${label}`);
  }
  for (const [, label] of legend.matchAll(/\{\{(\w+)\}\}/g))
    if (!groupedBy.includes(label as string)) out.push(`the legend names ${label}, by which nothing is grouped`);
  return out;
}

test('there are expressions to look at', (t) => {
  t.true(expressions.length > 40);
  t.true(known.size > 60);
});

for (const [where, expr, legend] of expressions) {
  test(`${where}: asks for metrics and labels that exist, counters by their rate`, (t) => {
    t.deepEqual(wrong(parsePromQL(expr), legend), []);
  });
}

const WRONG: [expr: string, legend: string, why: RegExp][] = [
  ['sum(rate(volley_sink_rows_total[1m])', '', /no PromQL/],
  ['sum(volley_sink_rowz)', '', /is in no catalogue/],
  ['sum(volley_sink_rows_total)', '', /only its rate/],
  ['sum(rate(volley_sink_memory_bytes[1m]))', '', /has no rate/],
  ['sum by (topic) (volley_sink_lag_records)', '', /has no label topic/],
  ['sum(volley_sink_lag_records{topic="x"})', '', /has no label topic/],
  ['sum(volley_sink_lag_records)', '{{partition}}', /nothing is grouped/],
  ['sum(volley_sink_lag_records[$interval])', '', /left over|no PromQL/],
  ['vector(0)', '', /asks for no metric/],
];
for (const [expr, legend, why] of WRONG) {
  test(`told: ${expr} ${legend}`, (t) => {
    t.regex(wrong(parsePromQL(expr), legend).join('\n'), why);
  });
}
