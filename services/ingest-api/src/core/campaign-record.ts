import type { CampaignEvent } from '@volley/contract';
import { type Campaign, fold, type StoredFact } from './campaign.ts';

/** What the API shows of a campaign. */
export function campaignView(c: Campaign) {
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    campaign_id: c.campaign_id,
    status: c.status,
    version: c.version,
    name: c.name,
    template: c.template,
    subject: c.subject,
    from: c.from,
    reply_to: c.reply_to,
    content_type: c.content_type,
    channel: c.channel,
    provider: c.provider,
    segment_rule: c.segment_rule,
    lane: c.lane,
    rate_per_second: c.rate_per_second,
    max_attempts: c.max_attempts,
    expires_at: iso(c.expires_at),
    expected: c.expected,
    created_at: iso(c.created_at) as string,
    updated_at: iso(c.updated_at) as string,
    sent_at: iso(c.sent_at),
    ended_at: iso(c.ended_at),
  };
}
export type CampaignView = ReturnType<typeof campaignView>;

/** The record of the topic: the whole state after the event, so that the newest version is enough to know a campaign. */
export function campaignRecord(c: Campaign, stored: StoredFact): CampaignEvent {
  return {
    event_id: stored.event_id,
    campaign_id: c.campaign_id,
    tenant_id: c.tenant_id,
    version: c.version,
    type: stored.fact.type,
    occurred_at: stored.occurred_at,
    status: c.status,
    name: c.name,
    channel: c.channel,
    provider: c.provider,
    template: c.template,
    subject: c.subject,
    from: c.from,
    reply_to: c.reply_to,
    content_type: c.content_type,
    segment_rule: c.segment_rule,
    expected: c.expected,
    spread: c.spread,
    lane: c.lane,
    rate_per_second: c.rate_per_second,
    max_attempts: c.max_attempts,
    expires_at: c.expires_at,
  };
}

/**
 * What the relay writes for the events above `publishedVersion`, in version order. A deleted draft leaves the compacted
 * topic with a record without a value.
 */
export function publications(
  facts: readonly StoredFact[],
  publishedVersion: number,
): { version: number; record: CampaignEvent | null }[] {
  const out: { version: number; record: CampaignEvent | null }[] = [];
  let state: Campaign | undefined;
  for (const stored of facts) {
    state = fold(state, stored);
    if (stored.version <= publishedVersion) continue;
    out.push({ version: stored.version, record: state.deleted ? null : campaignRecord(state, stored) });
  }
  return out;
}
