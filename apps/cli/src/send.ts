import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type CampaignView, createApi, type ImportView } from './api.ts';
import { reportOf, watch } from './campaign-run.ts';
import { contextOf } from './context.ts';
import { CliError, printer, printJson } from './output.ts';
import { reportLines } from './report.ts';

export interface SendOptions {
  readonly audience: string;
  readonly template: string;
  readonly name?: string;
  readonly segment?: string;
  readonly channel?: string;
  readonly subject?: string;
  readonly from?: string;
  readonly rate?: number;
  readonly wait: boolean;
  readonly json: boolean;
}

/** `volley send`: imports the file, sends to exactly the people in it (narrowed by --segment), optionally waits. */
export async function send(options: SendOptions): Promise<number> {
  const print = printer(options.json);
  if (!existsSync(options.audience)) throw new CliError(`there is no file ${options.audience}`, 2);
  const type = options.audience.endsWith('.csv')
    ? 'text/csv'
    : /\.(nd)?jsonl?$/.test(options.audience)
      ? 'application/x-ndjson'
      : undefined;
  if (!type) throw new CliError('--audience takes a .csv or .ndjson file', 2);
  if (options.template.startsWith('@') && !existsSync(options.template.slice(1)))
    throw new CliError(`there is no file ${options.template.slice(1)}`, 2);
  const template = options.template.startsWith('@')
    ? readFileSync(options.template.slice(1), 'utf8')
    : options.template;
  const context = await contextOf();
  const api = createApi(context.api, context.apiKey);
  const tag = `send-${Date.now().toString(36)}`;
  const imported = await api.upload<ImportView>(
    `/v1/contacts/import?add_tag=${tag}`,
    type,
    createReadStream(options.audience),
  );
  print(`${imported.imported} imported, ${imported.updated} updated, ${imported.rejected} rejected`);
  for (const e of imported.errors.slice(0, 10)) print(`  line ${e.line}: ${e.code} ${e.detail}`);
  const campaign = await api.request<CampaignView>('POST', '/v1/campaigns', {
    name: options.name ?? basename(options.audience),
    template,
    segment_rule: options.segment ? `${tag},${options.segment}` : tag,
    ...(options.channel ? { channel: options.channel } : {}),
    ...(options.subject ? { subject: options.subject } : {}),
    ...(options.from ? { from: options.from } : {}),
    ...(options.rate ? { rate_per_second: options.rate } : {}),
  });
  const sentAtMs = performance.now();
  const { queued } = await api.request<{ queued: number }>('POST', `/v1/campaigns/${campaign.campaign_id}/send`);
  print(`campaign ${campaign.campaign_id}: ${queued} messages`);
  if (!options.wait) {
    if (options.json) printJson({ campaign_id: campaign.campaign_id, queued, ...imported });
    return 0;
  }
  const end = await watch(api, campaign.campaign_id, { stallMs: 600_000 });
  const report = await reportOf(api, context, campaign.campaign_id, sentAtMs, end);
  for (const line of reportLines(report, !options.json && process.stdout.isTTY)) print(line);
  if (options.json) printJson(report);
  return report.accounted && report.status === 'completed' ? 0 : 1;
}
