import type { CampaignView, StatsView } from '../api/types.ts';

/** What a redrive may take: what stands failed or dead, while the campaign still takes messages. */
export function resendOf(campaign: CampaignView, status: string, stats: StatsView | undefined, nowMs: number) {
  const count = stats ? stats.failed + stats.dead : 0;
  const isPastDeadline = campaign.expires_at !== null && Date.parse(campaign.expires_at) <= nowMs;
  const whyNot = ['cancelled', 'cancelling', 'failed'].includes(status)
    ? 'A cancelled campaign sends nothing again.'
    : isPastDeadline
      ? 'The deadline of the campaign has passed: nothing of it is sent again.'
      : undefined;
  return { count, whyNot, isPossible: count > 0 && whyNot === undefined };
}
