import { messageIdOf } from '@volley/contract';
import type { DeadLetterAt, History, LogEvent, LogMessage, MovedMessage, Receipt, RollupCell } from '../history.ts';

export const CAMPAIGN = '01a2b3c4-d5e6-7000-8000-000000000000';
export const id = (n: number): string => messageIdOf(CAMPAIGN, n);
/** Acknowledged through the API, beside the frozen audience. */
export const DIRECT = '01a2b3c4-d5e6-7000-a123-456789abcdef';
/** Its call got no answer, and it did not get into the log. */
export const UNSURE = '01a2b3c4-d5e6-7000-a999-456789abcdef';
/** Its call was refused. */
export const REFUSED = '01a2b3c4-d5e6-7000-a777-456789abcdef';

const LANE = 'volley.messages.bulk';
export const FROZEN = 14;
const PARTITION = 3;

/** A cell an event: whoever reads them adds them up. */
const rollupsOf = (events: readonly LogEvent[]): RollupCell[] =>
  (['minute', 'hour'] as const).flatMap((unit) =>
    events.map(({ kind, occurredAtMs }) => {
      const unitMs = unit === 'minute' ? 60_000 : 3_600_000;
      return { unit, atMs: occurredAtMs - (occurredAtMs % unitMs), kind, events: 1 };
    }),
  );

/**
 * A campaign in which everything happens once that may: 1 to 7 sent (3 and 4 after a retry in memory), 8 failed, 9 dead in
 * rendering, 10 expired, 11 sent after the tier of 5 s, 12 after 5 s and 1 m, 13 failed, redriven and sent, 14 held while
 * the campaign was paused and sent, and one direct message.
 */
export function goodHistory(): History {
  const messages: LogMessage[] = [];
  const moved: MovedMessage[] = [];
  const events: LogEvent[] = [];
  const receipts: Receipt[] = [];
  const deadLetters: DeadLetterAt[] = [];
  const recipientOf = (messageId: string) => `${messageId.slice(-4)}@example.org`;
  let nowMs = 1_000_000;

  const lane = (messageId: string, ordinal: number, run = 0) => {
    messages.push({
      topic: LANE,
      partition: PARTITION,
      offset: messages.length,
      messageId,
      run,
      ordinal,
      recipient: recipientOf(messageId),
      digest: `bytes of ${messageId} ${run}`,
      redrive: run > 0 ? 'redrive-1' : '',
    });
  };
  const event = (messageId: string, kind: string, attempt: number, more: Partial<LogEvent> = {}) => {
    nowMs += 10;
    events.push({
      partition: PARTITION,
      offset: 100 + events.length,
      messageId,
      run: 0,
      recipient: recipientOf(messageId),
      kind,
      previousKind: null,
      attempt,
      deferrals: 0,
      tier: kind === 'deferred' ? 'memory' : '',
      reason: kind === 'deferred' ? 'provider_transient' : '',
      occurredAtMs: nowMs,
      providerMs: 5,
      dlqPartition: null,
      dlqOffset: null,
      ...more,
    });
  };
  const receipt = (messageId: string, attempt: number, accepted: boolean) =>
    receipts.push({ messageId, attempt, accepted, recipient: recipientOf(messageId), atMs: nowMs });
  const move = (messageId: string, tier: string, attempts: number, deferrals: number, afterMs: number) => {
    const source = messages.find((m) => m.messageId === messageId) as LogMessage;
    moved.push({
      ...source,
      topic: tier === 'held' ? 'volley.messages.held' : `volley.messages.retry.${tier}`,
      offset: moved.filter((m) => m.tier === tier).length,
      tier,
      attempts,
      deferrals,
      notBeforeMs: afterMs === 0 ? 0 : nowMs + afterMs,
      origin: `${LANE}/${PARTITION}/${source.offset}/900`,
    });
    nowMs += afterMs;
  };
  const bury = (messageId: string, kind: 'failed' | 'dead', reason: string, attempt: number) => {
    const source = messages.find((m) => m.messageId === messageId) as LogMessage;
    const offset = 40 + deadLetters.length;
    deadLetters.push({
      partition: PARTITION,
      offset,
      messageId,
      run: 0,
      reason,
      digest: source.digest,
      origin: `${LANE}/${PARTITION}/${source.offset}/900`,
      truncated: false,
    });
    event(messageId, kind, attempt, { reason, dlqPartition: PARTITION, dlqOffset: offset });
  };

  for (let n = 1; n <= FROZEN; n++) lane(id(n), n);
  lane(DIRECT, 0);
  for (const n of [1, 2, 3, 4, 5, 6, 7]) {
    const retried = n === 3 || n === 4 ? 1 : 0;
    if (retried === 1) {
      event(id(n), 'deferred', 1);
      receipt(id(n), 1, false);
    }
    event(id(n), 'sent', 1 + retried, { deferrals: retried });
    receipt(id(n), 1 + retried, true);
  }
  receipt(id(8), 1, false);
  bury(id(8), 'failed', 'recipient_refused', 1);
  bury(id(9), 'dead', 'missing_variable', 0);
  event(id(10), 'expired', 0, { reason: 'expired' });
  for (const [n, tiers] of [
    [11, ['5s']],
    [12, ['5s', '1m']],
  ] as const) {
    for (const [i, tier] of tiers.entries()) {
      receipt(id(n), i + 1, false);
      event(id(n), 'deferred', i + 1, { tier, deferrals: i });
      move(id(n), tier, i + 1, i + 1, tier === '5s' ? 5_000 : 60_000);
    }
    nowMs += 20;
    receipt(id(n), tiers.length + 1, true);
    event(id(n), 'sent', tiers.length + 1, { deferrals: tiers.length });
  }
  bury(id(13), 'failed', 'provider_refused', 1);
  event(id(13), 'redriven', 0, { run: 1, previousKind: 'failed' });
  lane(id(13), 13, 1);
  receipt(id(13), 1, true);
  event(id(13), 'sent', 1, { run: 1 });
  event(id(14), 'deferred', 0, { tier: 'held', reason: 'paused' });
  move(id(14), 'held', 0, 1, 0);
  receipt(id(14), 1, true);
  event(id(14), 'sent', 1, { deferrals: 1 });
  receipt(DIRECT, 1, true);
  event(DIRECT, 'sent', 1);

  const states = { sent: 12, failed: 1, dead: 1, suppressed: 0, cancelled: 0, expired: 1 };
  const end = { lane: messages.length, deliveries: 100 + events.length };
  return {
    campaignId: CAMPAIGN,
    expected: FROZEN,
    direct: [DIRECT],
    unsure: [UNSURE],
    calls: [
      { outcome: 'ok', key: 'a', ids: [DIRECT] },
      { outcome: 'ok', key: 'a', ids: [DIRECT] },
      { outcome: 'unknown', key: 'b', ids: [UNSURE] },
      { outcome: 'refused', key: 'c', ids: [REFUSED] },
    ],
    status: 'completed_with_failures',
    stats: {
      ...states,
      total: FROZEN + 1,
      queued: 0,
      retrying: 0,
      p50_ms: 1,
      p95_ms: 1,
      p99_ms: 1,
      as_of: '',
      lag_ms: 0,
    },
    frozen: FROZEN,
    analytics: states,
    messages,
    moved,
    events,
    deadLetters,
    rows: events.map(({ partition, offset, messageId, kind }) => ({
      partition,
      offset,
      messageId,
      kind,
      isRepeat: false,
    })),
    rollups: rollupsOf(events),
    receipts,
    maxAttempts: 3,
    positions: [
      { topic: LANE, partition: PARTITION, committed: end.lane, start: 0, end: end.lane },
      { topic: 'volley.messages.retry.5s', partition: PARTITION, committed: 2, start: 0, end: 2 },
      { topic: 'volley.messages.held', partition: PARTITION, committed: 0, start: 0, end: 1 },
    ],
    snapshots: [
      {
        when: 'after a kill',
        commits: [{ topic: LANE, partition: PARTITION, committed: 3 }],
        deliveriesEnds: [0, 0, 0, 104],
      },
    ],
  };
}
