import type { ReplaySummaryView, ReplayView } from '@volley/contract/http';

/** What a replay found, as lines for a person. Its form belongs to the process that did it: what is not known is left out. */
const SHOWN = 10;
const SHOWN_CHARS = 300;

type Found = Readonly<Record<string, unknown>>;
const isFound = (value: unknown): value is Found =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = (value: unknown): readonly Found[] => (Array.isArray(value) ? value.filter(isFound) : []);
const textOf = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
};

const line = (name: string, value: unknown): string => `  ${name.replaceAll('_', ' ').padEnd(22)}${textOf(value)}`;

/** What is read first. The store gives names back by their length. */
const FIRST = [
  ...['equal', 'swapped', 'undone', 'undo_until', 'not_swapped', 'records', 'hours', 'rows', 'keys', 'differing'],
  ...[
    'messages',
    'same',
    'total',
    'would_send',
    'would_fail',
    'renders_differently',
    'fails_differently',
    'not_recorded',
  ],
];
const placeOf = (name: string): number => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);

/** Numbers, words and yes or no; what is deeper has lines of its own. */
const flat = (found: Found, without: readonly string[] = []): string[] =>
  Object.entries(found)
    .filter(([name, value]) => value !== null && typeof value !== 'object' && !without.includes(name))
    .sort(([a], [b]) => placeOf(a) - placeOf(b))
    .map(([name, value]) => line(name, value));

/** The first ones, and how many more there are. */
function some<T>(list: readonly T[], all: number, shown: (one: T) => string[]): string[] {
  const lines = list.slice(0, SHOWN).flatMap(shown);
  const left = Math.max(all, list.length) - Math.min(SHOWN, list.length);
  return left > 0 ? [...lines, `  … and ${left} more: --json has what was kept of them`] : lines;
}

const statisticsOf = (found: Found): string => {
  const { hash: _, ...rest } = found;
  return textOf(rest);
};

function analyticsLines(result: Found): string[] {
  const comparison = isFound(result.comparison) ? result.comparison : {};
  const differences = listOf(comparison.differences);
  return [
    ...flat(result),
    ...flat(comparison, ['equal', 'rawEqual']),
    ...some(differences, Number(comparison.differing ?? 0), (d) => [
      `  ${textOf(d.table ?? '')} ${textOf(d.hour ?? d.campaign_id ?? '')}`,
      `    live     ${isFound(d.live) ? statisticsOf(d.live) : 'nothing'}`,
      `    rebuilt  ${isFound(d.rebuilt) ? statisticsOf(d.rebuilt) : 'nothing'}`,
    ]),
  ];
}

/** A message and what differs of it. */
function sampleLines(sample: Found): string[] {
  const side = (of: unknown) => {
    if (!isFound(of)) return textOf(of ?? '');
    const { kind = '', reason = '', detail, ...texts } = of;
    const words = [kind, reason, detail].filter((word) => typeof word === 'string' && word !== '');
    const told = Object.entries(texts).filter(([, text]) => text !== '');
    return [...words, ...told.map(([name, text]) => `${name}: ${textOf(text)}`)].join('  ');
  };
  return [
    `  ${textOf(sample.message_id ?? '')}  ${textOf(sample.recipient ?? '')}  ${textOf(sample.difference ?? '')}`,
    `    was       ${side(sample.was)}`,
    `    would be  ${side(sample.would_be)}`,
  ];
}

function deliveriesLines(result: Found): string[] {
  const counted = ['would_send', 'would_fail', 'renders_differently', 'fails_differently'] as const;
  const differing = counted.reduce((sum, name) => sum + Number(result[name] ?? 0), 0);
  const sent = isFound(result.sent) ? ['  sent again:', ...flat(result.sent).map((of) => `  ${of}`)] : [];
  return [...flat(result), ...some(listOf(result.samples), differing, sampleLines), ...sent];
}

const rehearsalLines = (result: Found): string[] => [
  ...flat(result),
  ...listOf(result.reasons).map((of) => line(`  ${textOf(of.reason ?? '')}`, of.messages ?? '')),
  ...some(listOf(result.samples), Number(result.would_fail ?? 0), (of) => [
    `  ${textOf(of.recipient ?? '')}  ${textOf(of.reason ?? '')}  ${textOf(of.detail ?? '')}`,
  ]),
];

export function resultLines(job: Pick<ReplayView, 'target' | 'result'>): string[] {
  if (!isFound(job.result)) return [];
  if (job.target === 'analytics') return analyticsLines(job.result);
  return job.target === 'deliveries' ? deliveriesLines(job.result) : rehearsalLines(job.result);
}

/** Done as it was asked for. Statistics that are not equal are not, unless they were to be swapped whatever they are. */
export function isWell(job: Pick<ReplayView, 'target' | 'status' | 'swap' | 'result'>): boolean {
  if (job.status !== 'done') return false;
  if (job.target !== 'analytics') return true;
  const { equal, swapped } = isFound(job.result) ? job.result : {};
  return equal === true || (job.swap === 'always' && swapped === true);
}

export const hasEnded = (job: Pick<ReplaySummaryView, 'status' | 'requested'>): boolean =>
  ['done', 'failed', 'cancelled'].includes(job.status) && job.requested === null;
