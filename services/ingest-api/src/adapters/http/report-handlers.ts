import type { CampaignReports, ReportQuery } from '../../analytics-ports.ts';
import { campaignIdOf } from './campaign-handlers.ts';
import { type Handler, type Handlers, whileThere } from './operation.ts';
import { failed } from './problem.ts';

export interface ReportHandlerDeps {
  readonly reports: CampaignReports;
}

/** A campaign over time: series, latency buckets, failures. */
export function reportHandlers(d: ReportHandlerDeps) {
  const report =
    (what: keyof CampaignReports): Handler =>
    (r) =>
      whileThere(r, async (gone) => {
        const result = await d.reports[what](campaignIdOf(r), r.query as ReportQuery, gone);
        if (!result.ok) throw failed(result.failure);
        return { status: 200, body: result.value };
      });
  return {
    campaignSeries: report('series'),
    campaignHistogram: report('histogram'),
    campaignFailures: report('failures'),
  } satisfies Partial<Handlers>;
}
