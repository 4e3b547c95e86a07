import { compileTemplate, templateVars } from '@volley/contract/render';
import type { CampaignFigures, KnownPercentiles } from './analytics-ports.ts';
import { TENANT } from './commands.ts';
import { furthest } from './core/freshness.ts';
import { varsOf } from './core/message.ts';
import { expectedOf, newestSum } from './core/progress.ts';
import { fail, ok } from './core/result.ts';
import { explainSegment, parseSegment } from './core/segment.ts';
import { statsView } from './core/stats.ts';
import type { Freshness } from './freshness.ts';
import type { CampaignReads, CampaignStore, ContactStore, LiveProgress, Preview, ProgressReader } from './ports.ts';

/** One row may render for as long as a message may; a hundred of them must not hold up every other request. */
const PREVIEW_LIMIT_MS = 1_000;
const NONE: KnownPercentiles = { p50_ms: null, p95_ms: null, p99_ms: null, asOfMs: null, stale: false };
const notFound = fail({ code: 'not_found', detail: 'there is no such campaign' });

/** The reading side that is more than one question to one store. */
export function createReads(deps: {
  store: CampaignStore;
  contacts: ContactStore;
  progress: ProgressReader;
  live: LiveProgress;
  /** Of the delivery events that progress counts. */
  topic: string;
  freshness: Pick<Freshness, 'look' | 'countedUntil'>;
  analytics: Pick<CampaignFigures, 'percentiles'>;
  now(): number;
  monotonicMs(): number;
}): CampaignReads {
  return {
    async stats(campaignId) {
      const askedMs = deps.now();
      // Meanwhile: the answer waits for Postgres anyway.
      const looked = deps.freshness.look();
      const campaign = await deps.store.find(TENANT, campaignId);
      if (!campaign) return notFound;
      const total = expectedOf(campaign);
      // Counts do not need ClickHouse: while it is away only the percentiles are old, or missing.
      const missing = { ...NONE, stale: true };
      const asked = total > 0 ? deps.analytics.percentiles(campaign).catch(() => missing) : NONE;
      // How far it was counted first, then the counts: what is counted between the two is in the counts.
      const live = { countedTo: deps.live.countedTo(), tallies: deps.live.tallies(campaignId) };
      const countedTo = furthest(await deps.progress.countedTo(deps.topic), live.countedTo);
      const tally = newestSum(await deps.progress.tallies(campaignId), live.tallies);
      await looked;
      // Before it was sent it had no event.
      const sentMs = campaign.partitions === 0 ? askedMs : (campaign.sent_at ?? campaign.created_at);
      const countedMs = deps.freshness.countedUntil(campaign, countedTo) ?? 0;
      const percentiles = await asked;
      const nowMs = deps.now();
      return ok(
        statsView({
          campaignId,
          status: campaign.status,
          total,
          growing: campaign.open || campaign.accepted > 0,
          tally,
          percentiles,
          asOfMs: Math.min(nowMs, Math.max(sentMs, countedMs)),
          nowMs,
        }),
      );
    },

    async preview(campaignId, limit) {
      const campaign = await deps.store.find(TENANT, campaignId);
      if (!campaign) return notFound;
      const segment = parseSegment(campaign.segment_rule);
      if (!segment.ok) return segment;
      const compiled = compileTemplate({
        template: campaign.template,
        subject: campaign.subject,
        contentType: campaign.content_type,
      });
      if (!compiled.ok) return fail({ code: 'template_invalid', detail: 'the template does not compile' });
      const { total, rows } = await deps.contacts.audience(TENANT, segment.value, limit);
      const untilMs = deps.monotonicMs() + PREVIEW_LIMIT_MS;
      const sample: Preview['sample'][number][] = [];
      for (const row of rows) {
        if (deps.monotonicMs() > untilMs) {
          const detail = `the first ${sample.length} messages took more than ${PREVIEW_LIMIT_MS} ms to render: a smaller limit, or a template that does less`;
          return fail({ code: 'template_invalid', detail, errors: [{ pointer: '/template', detail }] });
        }
        const vars = templateVars(JSON.parse(varsOf(row)), row.recipient, row.tags);
        const rendered = compiled.compiled.render(vars);
        sample.push(
          rendered.ok
            ? { recipient: row.recipient, rendered: rendered.texts.body, subject: rendered.texts.subject, error: null }
            : {
                recipient: row.recipient,
                rendered: null,
                subject: null,
                error: { reason: rendered.reason, detail: rendered.detail },
              },
        );
        await new Promise(setImmediate);
      }
      return ok({ total, explanation: explainSegment(segment.value), sample });
    },
  };
}
