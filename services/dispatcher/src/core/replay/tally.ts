import type { TerminalKind } from '@volley/contract';
import type { OutgoingMessage } from '../outgoing.ts';
import type { RecordedEnd } from './message-table.ts';
import { CATEGORIES, type Category, type Outcome } from './outcome.ts';

/** A message of which something else would become. */
export interface Sample {
  readonly message_id: string;
  readonly recipient: string;
  readonly difference: Exclude<Category, 'same'>;
  readonly was: SampleSide;
  readonly would_be: SampleSide;
}

export interface SampleSide {
  readonly kind: string;
  readonly reason: string;
  readonly detail?: string;
  /** Of what differs: an excerpt around the first difference. */
  readonly subject?: string;
  readonly body?: string;
}

/** How many messages, and of what would become of them; JSON, saved with the place that it was counted up to. */
export interface Tally {
  /** Messages in the ranges, each once. */
  messages: number;
  same: number;
  would_send: number;
  would_fail: number;
  renders_differently: number;
  fails_differently: number;
  /** In the lane, and no end of it in the log yet. */
  not_recorded: number;
  /** Records of the campaign that no message can be named for. */
  unattributed: number;
  /** Messages by how they stand in the log. */
  recorded: Partial<Record<TerminalKind, number>>;
  /** By the reason that would be given; of what would be sent, by the one that was. */
  reasons: Partial<Record<Category, Record<string, number>>>;
  samples: Sample[];
}

export const newTally = (): Tally => ({
  messages: 0,
  same: 0,
  would_send: 0,
  would_fail: 0,
  renders_differently: 0,
  fails_differently: 0,
  not_recorded: 0,
  unattributed: 0,
  recorded: {},
  reasons: {},
  samples: [],
});

/** Of a hundred: a quarter for each difference, so that many of one kind do not hide the few of another. */
const MAX_SAMPLES_OF_ONE = 100 / (CATEGORIES.length - 1);
const MAX_RECIPIENT_CHARS = 320;
const MAX_DETAIL_CHARS = 256;
const EXCERPT_CHARS = 160;
const BEFORE_CHARS = 40;

/** Around the first difference; the whole text where it is short. */
function excerptsOf(was: string, now: string): readonly [string, string] {
  let at = 0;
  while (at < was.length && at < now.length && was.charCodeAt(at) === now.charCodeAt(at)) at += 1;
  const from = Math.max(0, at - BEFORE_CHARS);
  return [was.slice(from, from + EXCERPT_CHARS).toWellFormed(), now.slice(from, from + EXCERPT_CHARS).toWellFormed()];
}

const sideOf = (kind: string, reason: string, detail: string, subject?: string, body?: string): SampleSide => ({
  kind,
  reason,
  ...(detail === '' ? {} : { detail: detail.slice(0, MAX_DETAIL_CHARS).toWellFormed() }),
  ...(subject === undefined ? {} : { subject }),
  ...(body === undefined ? {} : { body }),
});

export interface Compared {
  readonly messageId: string;
  readonly recipient: string;
  readonly category: Category;
  readonly recorded: RecordedEnd;
  readonly now: Outcome;
  /** What was made of it then, where that was compared. */
  readonly before: OutgoingMessage | undefined;
}

export function countCompared(tally: Tally, { category, recorded, now, before, ...message }: Compared): void {
  tally.messages += 1;
  tally[category] += 1;
  tally.recorded[recorded.kind] = (tally.recorded[recorded.kind] ?? 0) + 1;
  if (category === 'same') return;
  const reason = category === 'would_send' ? recorded.reason || recorded.kind : now.reason;
  if (reason !== '' && category !== 'renders_differently') {
    tally.reasons[category] ??= {};
    const ofCategory = tally.reasons[category] as Record<string, number>;
    ofCategory[reason] = (ofCategory[reason] ?? 0) + 1;
  }
  if (tally.samples.filter((sample) => sample.difference === category).length >= MAX_SAMPLES_OF_ONE) return;
  const subjects = excerptsOf(before?.subject ?? '', now.outgoing?.subject ?? '');
  const bodies = excerptsOf(before?.body ?? '', now.outgoing?.body ?? '');
  const showsTexts = category === 'renders_differently' && before !== undefined;
  tally.samples.push({
    message_id: message.messageId,
    recipient: message.recipient.slice(0, MAX_RECIPIENT_CHARS).toWellFormed(),
    difference: category,
    was: sideOf(recorded.kind, recorded.reason, '', ...(showsTexts ? [subjects[0], bodies[0]] : [])),
    would_be: sideOf(now.kind, now.reason, now.detail, ...(showsTexts ? [subjects[1], bodies[1]] : [])),
  });
}
