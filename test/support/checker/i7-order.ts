import { isTerminal } from '@volley/contract';
import type { LogEvent } from '../history.ts';
import { type Check, findings, groupBy, mayRepeat } from './facts.ts';

/** Reasons with which a deferral costs no attempt. */
const FREE = new Set(['provider_throttled', 'throttled', 'breaker', 'paused', 'campaign_unknown']);
/** What a provider may say after it took a message. */
const CALLBACKS = new Set(['delivered', 'bounced', 'opened', 'clicked', 'complained']);
/** Ends that may come without a call of their own: they say how many there were before. */
const WITHOUT_CALL = new Set(['cancelled', 'expired', 'suppressed', 'dead']);

const NONE: ReadonlySet<number> = new Set();

/** Whether this event may say `attempt` when `made` attempts are behind it. */
function fits(event: LogEvent, made: number): boolean {
  if (event.kind === 'redriven') return event.attempt === 0;
  if (event.kind === 'deferred' && FREE.has(event.reason)) return event.attempt === made;
  if (WITHOUT_CALL.has(event.kind)) return event.attempt === made || event.attempt === made + 1;
  return event.attempt === made + 1;
}

/** I7: the lanes keep the order of the outbox; a message's events are legal in their order, its attempts 1 to n without a gap. */
export const inOrder: Check = ({ history, events, moved, ends, runEnds, repeats }, limit) => {
  if (history.events.length === 0 || history.messages.length === 0) return 'unknown';
  const again = mayRepeat(limit);
  const strayed = [...groupBy(history.events, (event) => event.messageId)]
    .filter(([, group]) => new Set(group.map((event) => event.partition)).size > 1)
    .map(([id]) => id);
  const gaps: string[] = [];
  const miscounted: string[] = [];
  const illegal: string[] = [];
  for (const [key, group] of events) {
    // An attempt whose event died with its process is known from the record that had moved on before.
    const told = again ? new Set(moved.get(key)?.map((record) => record.attempts)) : NONE;
    let made = 0;
    let deferrals = 0;
    let before: LogEvent | undefined;
    for (const event of group) {
      if (CALLBACKS.has(event.kind)) {
        if (!group.some((earlier) => earlier.kind === 'sent')) illegal.push(`${key}: ${event.kind} before sent`);
        continue;
      }
      if (event.kind === 'redriven' ? before !== undefined : before !== undefined && isTerminal(before.kind))
        illegal.push(`${key}: ${event.kind} after ${before?.kind}`);
      // After a death the same attempt may be said again, or none may have been said of one; never is one skipped.
      if (again ? event.attempt > made + 1 && !told.has(event.attempt - 1) : !fits(event, made)) gaps.push(key);
      if (!again && event.kind !== 'redriven' && event.deferrals !== deferrals) miscounted.push(key);
      made = Math.max(made, event.attempt);
      if (event.kind === 'deferred') deferrals += 1;
      before = event;
    }
  }
  const redriven = [...events].filter(([, group]) => group.some((event) => event.kind === 'redriven'));
  const early = redriven.flatMap(([key, group]) => {
    const event = group.find((e) => e.kind === 'redriven') as LogEvent;
    const left = runEnds.get(`${event.messageId} run ${event.run - 1}`);
    return left !== undefined && left.partition === event.partition && left.offset > event.offset ? [key] : [];
  });
  const deferred = repeats.filter((event) => event.kind === 'deferred' || event.kind === 'redriven');
  return findings({
    'messages with events in two partitions': strayed,
    'messages with a gap in their attempts': gaps,
    'messages whose deferrals were miscounted': miscounted,
    'events that may not follow what was before': illegal,
    'redriven before they had ended': early,
    'written to the lane in another order than they were frozen': outOfOrder(history.messages),
    'attempts that reached the provider in another order': again ? [] : attemptsOutOfOrder(history.receipts, ends),
    [`doubledDeferrals: ${deferred.length}, at most ${limit.doubledDeferrals} can be explained`]:
      deferred.length > limit.doubledDeferrals ? deferred.map((event) => event.messageId) : [],
  });
};

function outOfOrder(messages: Parameters<Check>[0]['history']['messages']): string[] {
  const wrong: string[] = [];
  const first = messages.filter((message) => message.run === 0 && message.ordinal > 0);
  for (const group of groupBy(first, ({ topic, partition }) => `${topic} ${partition}`).values()) {
    const seen = new Set<number>();
    let last = 0;
    for (const { ordinal, messageId } of group.toSorted((a, b) => a.offset - b.offset)) {
      if (seen.has(ordinal)) continue;
      seen.add(ordinal);
      if (ordinal < last) wrong.push(messageId);
      last = Math.max(last, ordinal);
    }
  }
  return wrong;
}

function attemptsOutOfOrder(
  receipts: Parameters<Check>[0]['history']['receipts'],
  ends: ReadonlyMap<string, LogEvent>,
): string[] {
  return [...groupBy(receipts, (receipt) => receipt.messageId)]
    .filter(([id, group]) => ends.get(id)?.run === 0 && group.some((r, i) => r.attempt < (group[i - 1]?.attempt ?? 0)))
    .map(([id]) => id);
}
