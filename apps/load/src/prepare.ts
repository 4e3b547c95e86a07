import type { CampaignView, ImportReport } from '@volley/contract/http';
import type { LoadApi } from './accounts.ts';
import { LoadError } from './load-error.ts';
import type { Target } from './outcomes.ts';
import { contactLines, TEMPLATE } from './people.ts';
import type { Plan } from './plan.ts';
import { wordOf } from './provider-script.ts';
import type { Schedule } from './schedule.ts';
import { countText } from './units.ts';

export interface Prepared {
  /** Known before the first request; small campaigns are made on the way. */
  readonly targets: readonly Target[];
  readonly draft?: Readonly<Record<string, unknown>>;
}

/** What must be there before the first request: audiences, drafts. None of it is measured. */
export async function prepare(
  api: LoadApi,
  plan: Plan,
  schedule: Schedule,
  run: string,
  log: (line: string) => void,
): Promise<Prepared> {
  const common = {
    template: TEMPLATE,
    ...(plan.provider === undefined ? {} : { provider: plan.provider }),
  };
  const create = async (body: object): Promise<string> =>
    (await api.request<CampaignView>('POST', '/v1/campaigns', { ...common, ...body })).campaign_id;
  const audience = async (from: number, to: number, tag: string, atMs: (n: number) => number) => {
    log(`importing an audience of ${countText(to - from)}`);
    const word = (n: number) => wordOf(plan.script, n, atMs(n));
    const report = await api.upload<ImportReport>(
      '/v1/contacts/import',
      'application/x-ndjson',
      contactLines({ from, to, tag, word }),
    );
    const there = report.imported + report.updated;
    if (there !== to - from) throw new LoadError(`only ${there} of ${to - from} contacts were imported`);
  };

  if (plan.shape === 'campaigns') {
    const tag = `load-${run}`;
    await audience(0, plan.perRequest, tag, () => 0);
    return { targets: [], draft: { ...common, segment_rule: tag } };
  }
  if (plan.shape === 'campaign') {
    const targets: Target[] = [];
    let from = 0;
    for (const [k, stage] of schedule.stages.entries()) {
      const tag = `load-${run}-${k}`;
      const first = from;
      const stepMs = plan.unpaced ? 0 : 1_000 / stage.perSecond;
      await audience(from, from + stage.messages, tag, (n) => stage.startMs + (n - first) * stepMs);
      from += stage.messages;
      const name = `load ${run}${stage.warmUp ? ', warm-up' : ''}, ${countText(stage.perSecond)}/s`;
      const pace = plan.unpaced ? {} : { rate_per_second: stage.perSecond };
      targets.push({ arrival: k, campaignId: await create({ name, segment_rule: tag, ...pace }) });
    }
    return { targets };
  }
  return { targets: [{ arrival: 0, campaignId: await create({ name: `load ${run}` }) }] };
}
