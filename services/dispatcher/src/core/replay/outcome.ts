import type { ErrorClass, Message, Reason, TerminalKind } from '@volley/contract';
import type { CampaignState } from '../campaign-book.ts';
import { type AttemptFacts, type Decision, decide, type RetryPolicy, THROTTLE_MAX_MS } from '../decide.ts';
import { verdictOf } from '../gate.ts';
import type { OutgoingMessage, Prepared } from '../outgoing.ts';
import type { RecordedEnd } from './message-table.ts';

/** What would become of a message now. `again`: it would be tried once more, and nobody knows what the provider would say. */
export interface Outcome {
  readonly kind: TerminalKind | 'again';
  readonly reason: Reason | '';
  readonly detail: string;
  /** What the provider would get, where it would get anything. */
  readonly outgoing: OutgoingMessage | undefined;
}

/** The message as it is read now, or why it cannot be read. */
export type ReadNow =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly reason: Reason; readonly detail: string };

export const CATEGORIES = ['same', 'would_send', 'would_fail', 'renders_differently', 'fails_differently'] as const;
export type Category = (typeof CATEGORIES)[number];

/** What dispatchers do with a failed attempt, and the longest that one of them waits between two. */
export interface ReplayPolicy extends RetryPolicy {
  readonly longestTierMs: number;
}

/** Ends that rendering and reading decide alone; every other `failed` and `dead` is a provider's word, or a crash. */
const DECIDED_HERE: ReadonlySet<string> = new Set<Reason>([
  'undecodable',
  'unknown_schema',
  'wrong_record',
  'missing_variable',
  'render_failed',
  'header_injection',
  'invalid_recipient',
]);

const as = (kind: Outcome['kind'], reason: Outcome['reason'], outgoing?: OutgoingMessage, detail = ''): Outcome => ({
  kind,
  reason,
  detail,
  outgoing,
});

/**
 * Pure: a message once more through what a dispatcher asks, in its order, with what the provider said then. Time stands
 * still: only what expired then can expire, and is asked whether it would still.
 */
export function outcomeNow(
  recorded: RecordedEnd,
  read: ReadNow,
  campaign: CampaignState,
  prepared: (message: Message) => Prepared,
  policy: ReplayPolicy,
): Outcome {
  // Whoever handled it died. It is not tried in here what became of them.
  if (recorded.reason === 'crashed') return as(recorded.kind, recorded.reason);
  if (!read.ok) return as('dead', read.reason, undefined, read.detail);
  // Somebody's word, and not what rendering or the provider made of it.
  if (recorded.kind === 'cancelled' || recorded.kind === 'suppressed') return as(recorded.kind, recorded.reason);
  const { message } = read;
  const then = { ...campaign, status: 'running', version: Math.max(campaign.version, message.campaign_version) };
  const verdict = verdictOf(message, then, recorded.kind === 'expired' ? recorded.endedAtMs : 0);
  if (verdict.go === 'end') return as(verdict.kind, verdict.kind);
  const made = prepared(message);
  if (!made.ok) return as('dead', made.reason, undefined, made.detail);
  const { kind, reason } = answeredAs(recorded, campaign.maxAttempts, policy);
  return as(kind, reason, made.message);
}

type Answered = Pick<Outcome, 'kind' | 'reason'>;

/** What follows from the provider's answers of then. */
function answeredAs(recorded: RecordedEnd, maxAttempts: number | undefined, policy: ReplayPolicy): Answered {
  const { kind, reason } = recorded;
  if (kind === 'sent') return sentAfter(recorded, maxAttempts, policy);
  if (kind === 'expired' || (DECIDED_HERE.has(reason) && !isProvidersPoison(recorded)))
    return { kind: 'again', reason: '' };
  const classes: readonly ErrorClass[] =
    kind === 'failed'
      ? ['permanent']
      : isProvidersPoison(recorded)
        ? ['poison']
        : ['transient', 'timeout', 'throttled'];
  const triedForMs = recorded.firstFailedAtMs === 0 ? 0 : recorded.endedAtMs - recorded.firstFailedAtMs;
  const waitMs = reason === 'patience_exhausted' ? Math.max(THROTTLE_MAX_MS, policy.longestTierMs) : 0;
  const possible = classes.map((c) =>
    decide(factsOf(c, reason as Reason, recorded.attempt, maxAttempts, triedForMs, waitMs), policy),
  );
  return possible.find((d) => isEnd(d, kind, reason)) ? { kind, reason } : bestOf(possible);
}

/** Of a channel that refuses a recipient without having asked anybody: an attempt, in all but the answer. */
const isProvidersPoison = ({ reason, attempt }: RecordedEnd): boolean => reason === 'invalid_recipient' && attempt > 0;

/** It was taken at the attempt after the last one that failed: would that one have come? */
function sentAfter(recorded: RecordedEnd, maxAttempts: number | undefined, policy: ReplayPolicy): Answered {
  const failed = recorded.attempt - 1;
  if (failed < 1) return { kind: 'sent', reason: '' };
  const triedForMs = recorded.lastFailedAtMs - recorded.firstFailedAtMs;
  const best = bestOf(
    (['transient', 'timeout'] as const).map((c) =>
      decide(factsOf(c, 'provider_transient', failed, maxAttempts, triedForMs, 0), policy),
    ),
  );
  return best.kind === 'again' ? { kind: 'sent', reason: '' } : best;
}

/**
 * Events name neither the class of a failure nor how long was to be waited. So what was recorded is asked with every class
 * that it may have had, and the wait in whose favour it is: the longest one where it ended for being tried too long, else none.
 */
const factsOf = (
  errorClass: ErrorClass,
  reason: Reason,
  attempt: number,
  maxAttempts: number | undefined,
  triedForMs: number,
  waitMs: number,
): AttemptFacts => ({
  class: errorClass,
  reason,
  attempt,
  maxAttempts,
  backoffMs: waitMs,
  retryAfterMs: waitMs,
  mayRetryHere: false,
  spentHereMs: 0,
  triedForMs,
  nextTier: 0,
  tierDelayMs: () => waitMs,
  tierFor: () => 0,
});

const isEnd = (d: Decision, kind: string, reason: string) => d.next === kind && d.reason === reason;

/** The one that goes on, if there is one. */
function bestOf(decisions: readonly Decision[]): Answered {
  const first = decisions[0] as Decision;
  if (decisions.some((d) => 'costsAttempt' in d)) return { kind: 'again', reason: '' };
  return { kind: (first as Exclude<Decision, { costsAttempt: boolean }>).next, reason: first.reason };
}

/** `differs`: another text than the one that was made of it then. */
export function categoryOf(recorded: RecordedEnd, now: Outcome, differs: boolean): Category {
  const isOnItsWay = now.kind === 'sent' || now.kind === 'again';
  if (isOnItsWay && recorded.kind !== 'sent') return 'would_send';
  if (!isOnItsWay && recorded.kind === 'sent') return 'would_fail';
  if (!isOnItsWay && (now.kind !== recorded.kind || now.reason !== recorded.reason)) return 'fails_differently';
  return differs ? 'renders_differently' : 'same';
}

/** Whether a provider would get something else. */
export function isAnother(a: OutgoingMessage, b: OutgoingMessage): boolean {
  if (a.body !== b.body || a.subject !== b.subject || a.contentType !== b.contentType) return true;
  return JSON.stringify(a.mail) !== JSON.stringify(b.mail);
}
