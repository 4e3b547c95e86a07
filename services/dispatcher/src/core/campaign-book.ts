import { type CampaignEvent, isEnded } from '@volley/contract';

/**
 * What is known of campaigns: the newest event of each. An ended campaign keeps only its status and version, a
 * tombstone removes it, so the book grows by a few dozen bytes a finished campaign and not by its template.
 */
export interface CampaignState {
  readonly campaignId: string;
  readonly tenantId: string;
  readonly version: number;
  readonly status: string;
  /** Monotonic: since when this process knows it to have this status. */
  readonly sinceMs: number;
  readonly channel: string;
  readonly provider: string;
  readonly template: string;
  readonly subject: string;
  readonly from: string;
  readonly replyTo: string;
  readonly contentType: string;
  readonly ratePerSecond: number | undefined;
  readonly maxAttempts: number | undefined;
  readonly expiresAtMs: number | undefined;
}

export interface CampaignBook {
  /** False: the event is not newer than what is known, nothing changed. */
  apply(event: CampaignEvent, nowMs?: number): boolean;
  remove(campaignId: string): void;
  get(campaignId: string): CampaignState | undefined;
  size(): number;
}

/** Only a positive, finite rate limits; 0 would mean "never", which is what pause is for. */
const rateOf = (rate: number | null): number | undefined =>
  rate !== null && Number.isFinite(rate) && rate > 0 ? rate : undefined;

/** `keep`: its texts too. Nothing of an ended campaign is rendered any more, but in a replay. */
export function campaignStateOf(event: CampaignEvent, sinceMs: number, keep: boolean): CampaignState {
  return {
    campaignId: event.campaign_id,
    tenantId: event.tenant_id,
    version: event.version,
    status: event.status,
    sinceMs,
    channel: event.channel,
    provider: event.provider,
    template: keep ? event.template : '',
    subject: keep ? event.subject : '',
    from: keep ? event.from : '',
    replyTo: keep ? event.reply_to : '',
    contentType: event.content_type,
    ratePerSecond: rateOf(event.rate_per_second),
    maxAttempts: event.max_attempts !== null && event.max_attempts >= 1 ? event.max_attempts : undefined,
    expiresAtMs: event.expires_at ?? undefined,
  };
}

export function createCampaignBook(): CampaignBook {
  const campaigns = new Map<string, CampaignState>();
  return {
    apply(event, nowMs = 0) {
      const known = campaigns.get(event.campaign_id);
      if (known !== undefined && event.version <= known.version) return false;
      const sinceMs = known?.status === event.status ? known.sinceMs : nowMs;
      campaigns.set(event.campaign_id, campaignStateOf(event, sinceMs, !isEnded(event.status)));
      return true;
    },
    remove: (campaignId) => void campaigns.delete(campaignId),
    get: (campaignId) => campaigns.get(campaignId),
    size: () => campaigns.size,
  };
}
