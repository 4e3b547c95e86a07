import { partitionsOf, type Topics } from '@volley/contract';
import type { ReplaySummaryView, ReplayView } from '@volley/contract/http';
import { checkTemplate } from '@volley/contract/render';
import { REPLAY_STATUSES, REPLAY_TARGETS, type ReplayJob } from '@volley/contract/replays';
import type { Campaign } from './core/campaign.ts';
import { checkAsk, decideReplay, estimateOf, optionsOf, replayHasEnded } from './core/replay.ts';
import { CLOCKS_MS, type Gap, isCampaignWhole, type LogFacts, type Ranges, rangesOf } from './core/replay-ranges.ts';
import { fail, ok, type Result } from './core/result.ts';
import { parseSegment } from './core/segment.ts';
import type { CampaignStore, ContactStore, Metric } from './ports.ts';
import type { ReplayAsk, ReplayDesk, ReplayLog, ReplayStore, StandingReplay } from './replay-ports.ts';

/** Each is leased by one process after the other: so many would not be done in a day. */
const MAX_UNFINISHED = 100;
const MAX_TOLD_GAPS = 100;

const iso = (ms: number): string => new Date(ms).toISOString();
const isoOr = (ms: number | null | undefined): string | null => (ms == null ? null : iso(ms));

function requestedOf({ job, pauseRequested, cancelRequested }: StandingReplay): ReplaySummaryView['requested'] {
  if (replayHasEnded(job)) return null;
  if (cancelRequested) return 'cancel';
  if (pauseRequested) return 'pause';
  return job.undo_requested ? 'undo' : null;
}

function summaryOf(standing: StandingReplay): ReplaySummaryView {
  const { job } = standing;
  return {
    replay_id: job.replay_id,
    target: job.target,
    status: job.status,
    requested: requestedOf(standing),
    phase: job.phase,
    reason: job.reason,
    asked_by: job.asked_by,
    campaign_id: job.campaign_id ?? null,
    from: isoOr(job.from),
    to: isoOr(job.to),
    kinds: job.kinds ? [...job.kinds] : null,
    rate_per_second: job.rate_per_second,
    allow_gap: job.options.allow_gap,
    swap: job.options.swap,
    send: job.options.send,
    total: job.total,
    done: job.done,
    error: job.error,
    created_at: iso(job.created_at),
    started_at: isoOr(job.started_at),
    finished_at: isoOr(job.finished_at),
  };
}

function viewOf(standing: StandingReplay): ReplayView {
  const { job, actions } = standing;
  return {
    ...summaryOf(standing),
    template: job.options.template ?? null,
    subject: job.options.subject ?? null,
    ranges: job.ranges.map(({ topic, partition, from, to }) => ({ topic, partition, from, to })),
    progress: job.progress,
    result: job.result,
    actions: actions.map(({ at, by, action }) => ({ at: iso(at), by, action })),
  };
}

function truncated(gaps: readonly Gap[]): ReturnType<typeof fail> {
  const detail = 'the log starts after what was asked for: ask for less, or accept it with allow_gap';
  const errors = gaps.slice(0, MAX_TOLD_GAPS).map(({ topic, partition, starts_at }) => ({
    pointer: '/from',
    detail: `${topic}, partition ${partition}: starts at offset ${starts_at}`,
  }));
  return fail({ code: 'log_truncated', detail, errors });
}

export interface ReplayDeps {
  readonly tenant: string;
  readonly store: ReplayStore;
  readonly campaigns: CampaignStore;
  readonly contacts: Pick<ContactStore, 'audience'>;
  readonly log: ReplayLog;
  readonly topics: Topics;
  now(): number;
  newId(): string;
}

/** Makes and steers replays. The work is done where the code is that it repeats: by the replay processes of the services. */
export function createReplayDesk(d: ReplayDeps): ReplayDesk {
  /** Topics as they are now; the records of a campaign are younger than itself, whatever `from` says. */
  async function factsOf(asked: ReplayAsk, campaign: Campaign | undefined): Promise<LogFacts[]> {
    const topics = asked.target === 'analytics' ? [d.topics.deliveries] : Object.values(d.topics.messages);
    const sinceMs = campaign === undefined ? undefined : campaign.created_at - CLOCKS_MS;
    const fromMs = asked.from === undefined ? sinceMs : Math.max(asked.from, sinceMs ?? asked.from);
    return Promise.all(
      topics.map(async (topic) => ({
        topic,
        bounds: await d.log.bounds(topic),
        ...(fromMs === undefined ? {} : { fromAt: await d.log.offsetsAt(topic, fromMs) }),
        ...(asked.to === undefined ? {} : { toAt: await d.log.offsetsAt(topic, asked.to) }),
      })),
    );
  }

  async function logRanges(asked: ReplayAsk, campaign: Campaign | undefined): Promise<Ranges> {
    const facts = await factsOf(asked, campaign);
    if (campaign === undefined) return rangesOf(facts);
    const { campaign_id, spread, partitions, created_at, expected, accepted } = campaign;
    const found = rangesOf(facts, new Set(partitionsOf(campaign_id, spread, partitions)));
    if (found.gaps.length === 0 || asked.from !== undefined || asked.to !== undefined) return found;
    const keptMs = await d.log.keptMs(facts.map(({ topic }) => topic));
    const messages = Math.max(expected, accepted);
    const isWhole = isCampaignWhole({ createdAtMs: created_at, nowMs: d.now(), messages, total: found.total, keptMs });
    return isWhole ? { ...found, gaps: [] } : found;
  }

  /** A rehearsal reads no log: it is as large as the frozen audience, that of a draft as it would be frozen now. */
  async function audienceOf(campaign: Campaign): Promise<Result<Ranges>> {
    let total = campaign.expected;
    if (campaign.sent_at === null) {
      const segment = parseSegment(campaign.segment_rule);
      if (!segment.ok) return segment;
      total = (await d.contacts.audience(d.tenant, segment.value, 1)).total;
    }
    return total > 0
      ? ok({ ranges: [], gaps: [], total })
      : fail({ code: 'empty_audience', detail: 'there is nobody to rehearse with' });
  }

  async function scopeOf(asked: ReplayAsk): Promise<Result<Ranges>> {
    let campaign: Campaign | undefined;
    if (asked.campaign_id !== undefined) {
      campaign = await d.campaigns.find(d.tenant, asked.campaign_id);
      if (!campaign) return fail({ code: 'not_found', detail: 'there is no such campaign' });
      if (asked.target === 'rehearsal') return audienceOf(campaign);
      if (campaign.sent_at === null) {
        const { status } = campaign;
        return fail({
          code: 'illegal_transition',
          detail: 'the campaign was never sent',
          extra: { current_status: status },
        });
      }
      const { template = campaign.template, subject = campaign.subject } = asked;
      const isOwn = asked.template === undefined && asked.subject === undefined;
      const errors = isOwn ? [] : checkTemplate({ template, subject, contentType: campaign.content_type });
      if (errors.length > 0) {
        const told = errors.map(({ field, message, line, column }) => ({
          pointer: `/${field}`,
          detail: message,
          ...(line === undefined ? {} : { line }),
          ...(column === undefined ? {} : { column }),
        }));
        return fail({ code: 'template_invalid', detail: 'the template does not compile', errors: told });
      }
    }
    return ok(await logRanges(asked, campaign));
  }

  function jobOf(asked: ReplayAsk, by: string, { ranges, total }: Ranges): ReplayJob {
    const { target, reason, campaign_id, from, to, kinds, rate_per_second } = asked;
    return {
      replay_id: d.newId(),
      tenant_id: d.tenant,
      target,
      status: 'pending',
      phase: '',
      reason,
      asked_by: by,
      ...(campaign_id === undefined ? {} : { campaign_id }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(kinds === undefined ? {} : { kinds: [...new Set(kinds)] }),
      rate_per_second: rate_per_second ?? null,
      options: optionsOf(asked),
      ranges,
      total,
      done: 0,
      progress: null,
      result: null,
      error: null,
      created_at: d.now(),
      started_at: null,
      finished_at: null,
      undo_requested: false,
    };
  }

  return {
    async ask(asked, by, key) {
      const wrong = checkAsk(asked);
      if (wrong) return wrong;
      const isReal = !asked.dry_run;
      if (isReal && key) {
        // Before the log is asked: a repeat is answered also when it has moved on, or is away.
        const known = await d.campaigns.transaction(async (tx) => ({ undo: await tx.recall(d.tenant, key) }));
        if (known === 'other') return fail(keyReused);
        if (known) return ok({ status: 202, body: known.body as ReplayView });
      }
      const scope = await scopeOf(asked);
      if (!scope.ok) return scope;
      const { ranges, total, gaps } = scope.value;
      if (!isReal) {
        const earlier = await d.store.pace(asked.target);
        const estimate = estimateOf(total, asked.rate_per_second, earlier);
        const told = { dry_run: true as const, target: asked.target, total, ranges: [...ranges], gaps: [...gaps] };
        return ok({ status: 200, body: { ...told, estimate } });
      }
      if (gaps.length > 0 && !asked.allow_gap) return truncated(gaps);
      if ((await d.store.unfinished(d.tenant)) >= MAX_UNFINISHED)
        return fail({ code: 'busy', detail: `${MAX_UNFINISHED} replays have not ended yet` });
      const job = jobOf(asked, by, scope.value);
      const body = viewOf({ job, pauseRequested: false, cancelRequested: false, actions: [] });
      const made = await d.campaigns.transaction<Result<ReplayView>>(async (tx) => {
        if (key && (await tx.remember(d.tenant, key, { status: 202, body })) === 'conflict') {
          // Somebody else was quicker with the same key.
          const known = await tx.recall(d.tenant, key);
          return { undo: known === undefined || known === 'other' ? fail(keyReused) : ok(known.body as ReplayView) };
        }
        await tx.addReplay(job);
        return { commit: ok(body) };
      });
      return made.ok ? ok({ status: 202, body: made.value }) : made;
    },
    async list(page) {
      return (await d.store.list(d.tenant, page)).map(summaryOf);
    },
    async find(replayId) {
      const found = await d.store.find(d.tenant, replayId);
      return found && viewOf(found);
    },
    async act(replayId, action, by) {
      const nowMs = d.now();
      const asked = { action, by, at: nowMs };
      const changed = await d.store.change(d.tenant, replayId, asked, (s) => decideReplay(s, action, nowMs));
      return changed?.ok ? ok(viewOf(changed.value)) : changed;
    },
  };
}

const keyReused = {
  code: 'idempotency_key_reused',
  detail: 'this Idempotency-Key was used for another request',
} as const;

/** How many there are of each target and status, for the metrics. */
export function createReplayCounts(store: Pick<ReplayStore, 'counts'>, metric: Metric): () => Promise<void> {
  return async () => {
    const counts = await store.counts();
    for (const target of REPLAY_TARGETS)
      for (const status of REPLAY_STATUSES) {
        const found = counts.find((c) => c.target === target && c.status === status);
        metric.replays?.set(found?.jobs ?? 0, { target, status });
      }
  };
}
