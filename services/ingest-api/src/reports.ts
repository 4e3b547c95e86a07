import type { CampaignFigures, CampaignReports, Known, Range, ReportQuery } from './analytics-ports.ts';
import { TENANT } from './commands.ts';
import type { Campaign } from './core/campaign.ts';
import { fail, ok, type Result } from './core/result.ts';
import { fillSteps, rangeOf, seriesPoint, stepsOf } from './core/series.ts';
import { completeness } from './core/stats.ts';
import type { CampaignStore } from './ports.ts';

/** A campaign over time. */
export function createReports(d: { store: CampaignStore; figures: CampaignFigures; now(): number }): CampaignReports {
  const iso = (ms: number) => new Date(ms).toISOString();

  async function known(campaignId: string, query: ReportQuery): Promise<Result<{ campaign: Campaign; range: Range }>> {
    const range = rangeOf(query.from, query.to);
    if (!range.ok) return range;
    const campaign = await d.store.find(TENANT, campaignId);
    if (!campaign) return fail({ code: 'not_found', detail: 'there is no such campaign' });
    return ok({ campaign, range: range.value });
  }

  /** In steps, a report is bounded as a series is; without them a range of any length is one answer. */
  async function report<T>(
    campaignId: string,
    query: ReportQuery,
    ask: (campaign: Campaign, range: Range) => Promise<Known<T>>,
    gone?: AbortSignal,
  ) {
    const found = await known(campaignId, query);
    if (!found.ok) return found;
    const { campaign, range } = found.value;
    const steps = query.step === undefined ? undefined : await wholeSteps(campaign, range, query, gone);
    if (steps && !steps.ok) return steps;
    const { value: data, asOfMs } = await ask(campaign, steps?.value?.steps ?? range);
    return ok({ data, ...completeness(asOfMs, d.now()) });
  }

  async function wholeSteps(campaign: Campaign, range: Range, { step }: ReportQuery, gone?: AbortSignal) {
    const open = range.fromMs === undefined || range.toMs === undefined;
    const span = open ? await d.figures.span(campaign, gone) : undefined;
    const steps = stepsOf(range, step, span?.value ?? null);
    return steps.ok ? ok({ steps: steps.value, span }) : steps;
  }

  return {
    async series(campaignId, query, gone) {
      const found = await known(campaignId, query);
      if (!found.ok) return found;
      const { campaign, range } = found.value;
      const whole = await wholeSteps(campaign, range, query, gone);
      if (!whole.ok) return whole;
      const { steps, span } = whole.value;
      if (!steps) {
        const asOfMs = span?.asOfMs ?? null;
        return ok({ step: query.step ?? '1m', from: null, to: null, data: [], ...completeness(asOfMs, d.now()) });
      }
      const { value, asOfMs: seriesAsOfMs } = await d.figures.series(campaign, steps, gone);
      // What came between the two questions may lie behind an open end.
      const asOfMs = span && seriesAsOfMs !== null ? span.asOfMs && Math.min(span.asOfMs, seriesAsOfMs) : seriesAsOfMs;
      const filled = fillSteps(value, steps, range);
      const { step, fromMs, toMs } = filled.steps;
      return ok({
        step,
        from: iso(fromMs),
        to: iso(toMs),
        data: filled.rows.map((row) => seriesPoint(row, step)),
        ...completeness(asOfMs, d.now()),
      });
    },

    histogram: (campaignId, query, gone) =>
      report(campaignId, query, (of, range) => d.figures.histogram(of, range, query.step, gone), gone),
    failures: (campaignId, query, gone) =>
      report(campaignId, query, (of, range) => d.figures.failures(of, range, query.step, gone), gone),
  };
}
