import { parser } from '@prometheus-io/lezer-promql';

/** What a query asks of a metric. */
interface Asked {
  readonly metric: string;
  /** Labels of its matchers. */
  readonly labels: readonly string[];
  /** `rate`, `increase`: what makes a counter readable after a restart. */
  readonly isRate: boolean;
}
export interface Parsed {
  readonly errors: readonly string[];
  readonly asked: readonly Asked[];
  /** Labels of `by (…)`. */
  readonly groupedBy: readonly string[];
}

/** By the grammar that Prometheus' own editor uses. Grafana's $__rate_interval stands for a duration. */
export function parsePromQL(expr: string): Parsed {
  const text = expr.replaceAll('$__rate_interval', '1m');
  const errors: string[] = [];
  const asked: { metric: string; labels: string[]; isRate: boolean }[] = [];
  const groupedBy: string[] = [];
  const functions: string[] = [];
  parser.parse(text).iterate({
    enter(node) {
      const word = () => text.slice(node.from, node.to);
      if (node.type.isError) errors.push(`${node.from}: ${text.slice(node.from, node.from + 20)}`);
      if (node.name === 'FunctionCall') functions.push(text.slice(node.from, text.indexOf('(', node.from)).trim());
      if (node.name === 'VectorSelector')
        asked.push({ metric: '', labels: [], isRate: functions.some((f) => f === 'rate' || f === 'increase') });
      const last = asked.at(-1);
      if (node.name === 'Identifier' && last && last.metric === '') last.metric = word();
      if (node.name === 'LabelName') {
        const inMatcher = node.node.parent?.name.includes('Matcher') ?? false;
        if (inMatcher) last?.labels.push(word());
        else groupedBy.push(word());
      }
    },
    leave(node) {
      if (node.name === 'FunctionCall') functions.pop();
    },
  });
  if (text.includes('$')) errors.push(`left over: ${text.slice(text.indexOf('$'))}`);
  return { errors, asked, groupedBy };
}
