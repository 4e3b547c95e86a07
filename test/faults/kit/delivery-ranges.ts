import { campaignIdFrom, type DeliveryEvent, messageIdOf } from '@volley/contract';
import { RowText } from '../../../services/sink/src/core/row-text.ts';
import { toRow } from '../../../services/sink/src/core/to-row.ts';
import { tokenOf } from '../../../services/sink/src/core/token.ts';
import type { RowRange } from '../../../services/sink/src/ports.ts';
import { numbersFrom } from './random.ts';

/** What a range holds, counted while it was made and never asked of a database. */
export interface RangeFacts {
  readonly partition: number;
  readonly from: number;
  readonly facts: readonly Fact[];
}
interface Range extends RowRange, RangeFacts {}

export interface Fact {
  readonly offset: number;
  readonly campaignId: string;
  readonly ordinal: number;
  readonly kind: string;
  readonly minuteMs: number;
  readonly e2eMs: number;
  readonly isRepeat: boolean;
}

const CAMPAIGNS_A_PARTITION = 2;
const PROVIDERS = ['smtp-a', 'smtp-b', 'hooks'];
const ENDS = ['sent', 'sent', 'sent', 'sent', 'sent', 'sent', 'failed', 'dead', 'expired', 'suppressed', 'cancelled'];
const REASONS: Readonly<Record<string, string>> = {
  failed: 'recipient_refused',
  dead: 'attempts_exhausted',
  expired: 'expired',
  suppressed: 'suppressed',
  cancelled: 'cancelled',
  deferred: 'provider_transient',
};
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const dayOf = (ms: number) => Math.floor(ms / DAY_MS);

interface OpenMessage {
  readonly campaign: number;
  readonly ordinal: number;
  readonly deferrals: number;
}

/**
 * One partition of `deliveries` as the sink cuts it into ranges, made up from a seed: the same seed gives the same bytes.
 * It begins a minute before a midnight, has events that are deferred and end later, repeats, offsets without a row (what
 * became a dead letter), ranges of one row and of thousands, and an hour now and then in which nothing happened.
 */
export function createDeliveryRanges(options: {
  readonly seed: number;
  readonly partition: number;
  readonly cluster: string;
  /** Whichever midnight; epoch ms. */
  readonly midnightMs: number;
}): { next(): Range } {
  const { partition, midnightMs } = options;
  const random = numbersFrom(options.seed + 7_919 * partition);
  const campaigns = Array.from({ length: CAMPAIGNS_A_PARTITION }, () =>
    campaignIdFrom(
      midnightMs - HOUR_MS,
      Uint8Array.from({ length: 6 }, () => random(256)),
    ),
  );
  const ordinals = campaigns.map(() => 0);
  const open: OpenMessage[] = [];
  let ended: OpenMessage | undefined;
  let offset = random(1_000);
  let nowMs = midnightMs - 60_000;

  function eventAt(appendedMs: number): { event: DeliveryEvent; isRepeat: boolean } {
    const chance = random(100);
    const isRepeat = chance === 0 && ended !== undefined;
    const reopened = chance > 0 && chance < 10 && open.length > 0 ? open.splice(random(open.length), 1)[0] : undefined;
    const campaign = random(CAMPAIGNS_A_PARTITION);
    const fresh = () => {
      ordinals[campaign] = (ordinals[campaign] ?? 0) + 1;
      return { campaign, ordinal: ordinals[campaign] as number, deferrals: 0 };
    };
    const message = isRepeat ? (ended as OpenMessage) : (reopened ?? fresh());
    const deferred = !isRepeat && message.deferrals < 3 && random(10) === 0;
    if (deferred) open.push({ ...message, deferrals: message.deferrals + 1 });
    else if (!isRepeat) ended = message;
    const kind = deferred ? 'deferred' : (ENDS[random(ENDS.length)] as string);
    const campaignId = campaigns[message.campaign] as string;
    const called = !['expired', 'suppressed', 'cancelled'].includes(kind);
    const occurredMs = appendedMs - random(20);
    const e2eMs = 5 + random(20) * random(400);
    const event = {
      message_id: messageIdOf(campaignId, message.ordinal),
      run: 0,
      tenant_id: partition % 2 === 0 ? 'north' : 'south',
      campaign_id: campaignId,
      ordinal: message.ordinal,
      recipient: `person${message.ordinal}@p${partition}.example`,
      kind,
      previous_kind: null,
      attempt: called ? message.deferrals + 1 : 0,
      deferrals: message.deferrals,
      tier: deferred ? '5s' : '',
      lane: 'bulk',
      channel: partition % 2 === 0 ? 'smtp' : 'webhook',
      provider: PROVIDERS[message.ordinal % PROVIDERS.length] as string,
      reason: REASONS[kind] ?? '',
      detail: kind === 'failed' ? '550 no such person' : '',
      queued_at: occurredMs - e2eMs,
      occurred_at: occurredMs,
      provider_ms: called ? 1 + random(300) : 0,
      e2e_ms: e2eMs,
      dlq_partition: null,
      dlq_offset: null,
    } as DeliveryEvent;
    return { event, isRepeat };
  }

  function sizeOfNext(): number {
    const chance = random(10);
    if (chance < 3) return 1 + random(20);
    return chance < 9 ? 100 + random(700) : 1_500 + random(2_500);
  }

  return {
    next() {
      if (random(200) === 0) nowMs += HOUR_MS;
      const [from, size] = [offset, sizeOfNext()];
      const lines: string[] = [];
      const facts: Fact[] = [];
      while (lines.length < size) {
        const nextMs = nowMs + 1 + random(20);
        // An insert is of one day, by the log's clock.
        if (lines.length > 0 && dayOf(nextMs) !== dayOf(nowMs)) break;
        nowMs = nextMs;
        if (random(300) === 0) offset += 1;
        const { event, isRepeat } = eventAt(nowMs);
        const row = toRow(event, { partition, offset, timestampMs: nowMs }, isRepeat);
        if (!row.ok) throw new Error(row.detail);
        lines.push(row.line);
        const minuteMs = Math.floor(event.occurred_at / 60_000) * 60_000;
        const { campaign_id: campaignId, kind, e2e_ms: e2eMs } = event;
        facts.push({ offset, campaignId, ordinal: event.ordinal, kind, minuteMs, e2eMs, isRepeat });
        offset += 1;
      }
      const token = tokenOf({ cluster: options.cluster, topic: 'engine.deliveries', partition, from, to: offset });
      return { partition, from, to: offset, rows: RowText.of(lines), token, facts };
    },
  };
}
