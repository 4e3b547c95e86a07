import { type CampaignView, createApi, type StatsView } from './api.ts';
import { contextOf } from './context.ts';
import { printer, printJson } from './output.ts';

const cell = (value: unknown, width: number): string => String(value ?? '-').padEnd(width);
const number = (value: number | null): string => (value === null ? '-' : String(Math.round(value)));

/** `volley status [CAMPAIGN]`: the newest twenty campaigns, or one with its states and percentiles. */
export async function status(campaignId: string | undefined, json: boolean): Promise<number> {
  const context = await contextOf();
  const api = createApi(context.api, context.apiKey);
  const print = printer(json);
  if (campaignId) {
    const campaign = await api.request<CampaignView>('GET', `/v1/campaigns/${encodeURIComponent(campaignId)}`);
    const stats = await api.request<StatsView>('GET', `/v1/campaigns/${encodeURIComponent(campaignId)}/stats`);
    if (json) printJson({ ...campaign, stats });
    else {
      print(`${campaign.campaign_id}  ${campaign.status}  ${campaign.name}`);
      print(
        `  total ${stats.total}  queued ${stats.queued}  retrying ${stats.retrying}  sent ${stats.sent}  failed ${stats.failed}  dead ${stats.dead}  cancelled ${stats.cancelled}  expired ${stats.expired}`,
      );
      print(
        `  p50 ${number(stats.p50_ms)} ms  p95 ${number(stats.p95_ms)} ms  p99 ${number(stats.p99_ms)} ms  ${number(stats.throughput_per_s)} msg/s  as of ${stats.as_of}`,
      );
    }
    return 0;
  }
  const { data } = await api.request<{ data: CampaignView[] }>('GET', '/v1/campaigns?limit=20');
  if (json) {
    printJson(data);
    return 0;
  }
  if (data.length === 0) print('no campaigns yet: `npm run demo` makes one');
  for (const c of data) print(`${cell(c.campaign_id, 38)}${cell(c.status, 26)}${c.name}`);
  return 0;
}
