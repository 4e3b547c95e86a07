import type { PipelineView } from '../api/types.ts';

export type Queue = NonNullable<PipelineView['queues']>[number];
export type Dispatcher = NonNullable<PipelineView['dispatchers']>[number];

export function nameOfQueue({ name, kind }: Pick<Queue, 'name' | 'kind'>): string {
  if (kind === 'lane') return `lane ${name}`;
  if (kind === 'tier') return `retry after ${name.replace(/(\d+)/, '$1 ').replace(/ m$/, ' min')}`;
  return 'held';
}

export const MEANING_OF_QUEUE: Readonly<Record<Queue['kind'], string>> = {
  lane: 'Accepted, not settled yet',
  tier: 'Did not go through, waits to be tried again',
  held: 'Of campaigns that are paused',
};

/** What a campaign's next message waits for: docs/runbook.md. */
const CAUSES: Readonly<Record<string, string>> = {
  paused: 'paused by somebody',
  rate: 'its rate, or its provider’s, is used up',
  provider: 'the provider has as many calls as it may have',
  campaign: 'it has as many calls as one campaign may have',
  breaker: 'the provider’s breaker is open',
  campaign_unknown: 'its campaign is not known to the dispatcher',
  provider_missing: 'its provider is not configured here',
};
export const nameOfCause = (cause: string): string => CAUSES[cause] ?? cause.replaceAll('_', ' ');

/** 0, 1, 2, 5 as "0–2, 5". */
export function rangesOf(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const each of sorted) {
    const last = ranges.at(-1);
    if (last && each <= last[1] + 1) last[1] = each;
    else ranges.push([each, each]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}

/** Somebody else's text within a sentence: cut, and closed in, so that it turns nothing around that stands beside it. */
export function closedIn(text: string): string {
  const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return /^[ -~]*$/.test(cut) ? cut : `\u2068${cut}\u2069`;
}
