import { type DeliveryEvent, isTerminal } from '@volley/contract';
import type { StreamRecord } from '@volley/stream';
import type { Place } from '../history.ts';
import { marked } from '../repeats.ts';
import { eventIn } from './event-bytes.ts';

/** What a topic of delivery events amounts to, counted from its records alone. */
export interface LogCount {
  /** What must be a row, in the order of partition and offset. */
  readonly rows: readonly LoggedRow[];
  /** What can be none, and must be a dead letter. */
  readonly unstorable: readonly Place[];
}

export interface LoggedRow extends Place {
  readonly event: DeliveryEvent;
  readonly isRepeat: boolean;
}

/** The id of a message of a campaign begins as the campaign's: all of it but the ordinal, or 64 bits of a direct one's. */
const isOwn = ({ message_id, campaign_id }: DeliveryEvent) =>
  message_id.slice(0, 28) === campaign_id.slice(0, 28) ||
  (message_id.slice(0, 18) === campaign_id.slice(0, 18) && /^[ab]$/.test(message_id.charAt(19)));

/** Every record of the topic, whatever campaign it is of. */
export function countLog(records: readonly StreamRecord[]): LogCount {
  const unstorable: Place[] = [];
  const events = records.flatMap(({ partition, offset, value }) => {
    const event = eventIn(value);
    if (event !== undefined && isOwn(event)) {
      const { message_id: messageId, run, kind, deferrals } = event;
      return [{ partition, offset, messageId, run, kind, deferrals, event }];
    }
    unstorable.push({ partition, offset });
    return [];
  });
  const rows = marked(events).map(({ event: { partition, offset, event }, isRepeat }) => ({
    partition,
    offset,
    event,
    isRepeat,
  }));
  return { rows, unstorable };
}

export type Sums = ReadonlyMap<string, number>;

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const from = (at: number, unitMs: number) => Math.floor(at / unitMs) * unitMs;
/** Upper bounds of the histogram: one decade, and its multiples up to the last bound. */
const BUCKETS = [1, 2, 3, 5, 7, 10].concat(
  [10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000].flatMap((decade) =>
    [1.5, 2, 3, 5, 7, 10].map((n) => n * decade),
  ),
);
const bucketOf = (e2eMs: number) => BUCKETS.find((bound) => e2eMs <= bound) ?? (BUCKETS.at(-1) as number);

/** What each public view must say of these rows: sums by the view's key, joined with `|`. Nothing that is 0. */
export function sumsOf(rows: readonly LoggedRow[]): Readonly<Record<string, Sums>> {
  const sums: Record<string, Map<string, number>> = {};
  const add = (view: string, key: readonly (string | number)[]) => {
    sums[view] ??= new Map();
    sums[view].set(key.join('|'), (sums[view].get(key.join('|')) ?? 0) + 1);
  };
  for (const { event: e, isRepeat } of rows) {
    if (isRepeat) continue;
    const minute = from(e.occurred_at, MINUTE_MS);
    const whose = [e.tenant_id, e.campaign_id, e.channel, e.provider];
    add('throughput_per_minute', [minute, ...whose, e.kind]);
    add('throughput_per_hour', [from(e.occurred_at, HOUR_MS), ...whose, e.kind]);
    if (e.kind === 'sent') add('latency_histogram_per_minute', [minute, ...whose, bucketOf(e.e2e_ms)]);
    else if (isTerminal(e.kind)) add('failure_reasons_per_minute', [minute, ...whose, e.kind, e.reason]);
    if (e.attempt > 0 && ['sent', 'failed', 'dead', 'deferred'].includes(e.kind))
      add('provider_health', [minute, e.provider, e.channel]);
  }
  for (const { campaignId, state } of statesOf(rows).values())
    if (isTerminal(state)) add('campaign_stats', [campaignId, state]);
  return sums;
}

/** Where each message stands: the first end of its latest run, or the last thing that was said of it. */
export function statesOf(rows: readonly LoggedRow[]): Map<string, { campaignId: string; run: number; state: string }> {
  const states = new Map<string, { campaignId: string; run: number; state: string }>();
  for (const { event: e, isRepeat } of rows) {
    if (isRepeat || !(isTerminal(e.kind) || e.kind === 'deferred' || e.kind === 'redriven')) continue;
    const known = states.get(e.message_id);
    if (known !== undefined && (e.run < known.run || (e.run === known.run && isTerminal(known.state)))) continue;
    states.set(e.message_id, { campaignId: e.campaign_id, run: e.run, state: e.kind });
  }
  return states;
}
