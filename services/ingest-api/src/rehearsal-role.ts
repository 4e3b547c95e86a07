import { campaignIdFrom, isEnded, rehearsalTenantOf, rehearsedProvider } from '@volley/contract';
import { findProvider, type Provider } from '@volley/contract/providers';
import type { HeldReplay, ReplayEnd, ReplayLeases, ReplaySave } from '@volley/contract/replays';
import type { Clock, Logger } from '@volley/runtime';
import { hasNoAudience } from './core/campaign.ts';
import { endedOf, newestSum, type Tally } from './core/progress.ts';
import type { Common } from './pipeline.ts';
import type { Campaign, CampaignStore, LiveProgress, ProgressReader, Round } from './ports.ts';
import type { RehearsalCampaigns, RehearsalFigures, RehearsalReader, RehearsalResult } from './rehearsal-ports.ts';
import { createRehearsalCampaigns } from './rehearsals.ts';

/** A third of what a lease allows between two saves. */
const SAVE_EVERY_MS = 1_000;

/** JSON: what a rehearsal goes on from. */
interface Progress {
  /** Chosen before the copy is made: whoever goes on makes no second one. */
  readonly rehearsal_id: string;
}

interface Held {
  readonly held: HeldReplay;
  progress: Progress | null;
  phase: string;
  saveAtMs: number;
  /** To be gone on with: it was paused when this process took it. */
  resumes: boolean;
  isCancelling: boolean;
}

/**
 * Rehearsals, one at a time: a campaign is copied and sent to nobody, at full size and by the real way; what becomes of the
 * copy is what would become of the campaign. A pause or a cancel of the job is one of the copy.
 */
function createRehearsalRole(d: {
  readonly leases: ReplayLeases;
  readonly store: CampaignStore;
  readonly campaigns: RehearsalCampaigns;
  readonly reader: RehearsalReader;
  readonly progress: Pick<ProgressReader, 'tallies'>;
  readonly live: LiveProgress;
  readonly providers: readonly Provider[];
  readonly random: (bytes: number) => Uint8Array;
  readonly clock: Clock;
  readonly log: Logger;
}): { round: Round; release(): Promise<void> } {
  let current: Held | undefined;

  async function take(): Promise<boolean> {
    const held = await d.leases.claim(['rehearsal']);
    if (!held) return false;
    const progress = held.job.progress as Progress | null;
    current = { held, progress, phase: held.job.phase, saveAtMs: 0, resumes: true, isCancelling: false };
    d.log.info({ replay_id: held.job.replay_id, campaign_id: held.job.campaign_id }, 'rehearsal is taken');
    return true;
  }

  async function end(job: Held, as: ReplayEnd): Promise<false> {
    current = undefined;
    const rehearsalId = job.progress?.rehearsal_id;
    // Before the end is said: afterwards nobody would come for it.
    if (as.status !== 'paused' && rehearsalId !== undefined) await d.campaigns.forgetAudience(rehearsalId);
    await d.leases.end(job.held, as);
    const { replay_id } = job.held.job;
    d.log.info({ replay_id, status: as.status, ...(as.error ? { why: as.error } : {}) }, 'rehearsal has ended');
    return false;
  }

  /** False: the job is not this process's any more, or was paused. */
  async function save(job: Held, what: ReplaySave): Promise<boolean> {
    const asked = await d.leases.save(job.held, { phase: job.phase, ...what });
    job.saveAtMs = d.clock.monotonicMs() + SAVE_EVERY_MS;
    if (asked === 'lost') {
      d.log.warn({ replay_id: job.held.job.replay_id }, 'this rehearsal belongs to another process now');
      current = undefined;
      return false;
    }
    const rehearsalId = job.progress?.rehearsal_id;
    if (asked.cancel) {
      if (rehearsalId === undefined) return end(job, { status: 'cancelled' });
      if (!job.isCancelling) await d.campaigns.command(rehearsalId, 'cancel');
      job.isCancelling = true;
    } else if (asked.pause) {
      if (rehearsalId !== undefined) await d.campaigns.command(rehearsalId, 'pause');
      return end(job, { status: 'paused' });
    }
    return true;
  }

  async function launch(job: Held): Promise<Campaign | undefined> {
    // What was asked of the job before anybody had it is heard before anything is made.
    if (!(await save(job, {}))) return undefined;
    if (job.isCancelling) {
      await end(job, { status: 'cancelled' });
      return undefined;
    }
    const { campaign_id, tenant_id, rate_per_second } = job.held.job;
    const source = campaign_id === undefined ? undefined : await d.store.find(tenant_id, campaign_id);
    const refused = refusalOf(source);
    if (source === undefined || refused !== undefined) {
      await end(job, { status: 'failed', error: refused ?? 'there is no such campaign' });
      return undefined;
    }
    // 1: its id is saved. 2: the copy is there, and sent. Whoever comes between the two finds none, and makes it.
    job.progress ??= { rehearsal_id: campaignIdFrom(d.clock.now(), d.random(6)) };
    job.phase = 'copying';
    if (!(await save(job, { progress: job.progress }))) return undefined;
    const launched = await d.campaigns.launch(job.progress.rehearsal_id, source, rate_per_second);
    if (launched.ok) return launched.value;
    if (launched.failure.code !== 'conflict') await end(job, { status: 'failed', error: launched.failure.detail });
    return undefined;
  }

  async function step(job: Held): Promise<boolean> {
    const { tenant_id } = job.held.job;
    let copy: Campaign | undefined;
    if (job.progress !== null) copy = await findCopy(job.progress.rehearsal_id, tenant_id);
    copy ??= await launch(job);
    if (copy === undefined || current !== job) return false;
    if (job.resumes && copy.status === 'paused' && !job.isCancelling)
      await d.campaigns.command(copy.campaign_id, 'resume');
    job.resumes = false;
    const sum = await sumOf(copy.campaign_id);
    const hasEnded = isEnded(copy.status);
    job.phase = job.isCancelling ? 'cancelling' : hasEnded ? 'counting' : 'sending';
    if (d.clock.monotonicMs() >= job.saveAtMs || hasEnded) {
      const done = Math.min(job.held.job.total, endedOf(sum));
      if (!(await save(job, { done }))) return false;
    }
    if (!hasEnded) return false;
    if (copy.status === 'cancelled') return end(job, { status: 'cancelled' });
    const figures = await d.reader.figures(copy, copy.expected);
    return figures === undefined ? false : end(job, { status: 'done', result: resultOf(copy, sum, figures) });
  }

  const findCopy = (rehearsalId: string, tenantId: string) =>
    d.campaigns.find(rehearsalTenantOf(tenantId), rehearsalId);

  const sumOf = async (rehearsalId: string): Promise<Tally> =>
    newestSum(await d.progress.tallies(rehearsalId), d.live.tallies(rehearsalId));

  function resultOf(copy: Campaign, sum: Tally, figures: RehearsalFigures): RehearsalResult {
    const durationMs = Math.max(1, (sum.lastAtMs ?? 0) - (copy.sent_at ?? 0));
    const provider = findProvider(d.providers, copy.channel, rehearsedProvider(copy.provider));
    const rates = [copy.rate_per_second, provider?.rate_per_second ?? null].filter((rate) => rate !== null);
    return {
      campaign_id: copy.campaign_id,
      total: copy.expected,
      would_send: sum.sent,
      would_fail: endedOf(sum) - sum.sent,
      ...figures,
      duration_ms: durationMs,
      messages_per_second: Math.round((endedOf(sum) / durationMs) * 1_000_000) / 1_000,
      rate_per_second: rates.length === 0 ? null : Math.min(...rates),
    };
  }

  return {
    round: async () => (current === undefined && !(await take()) ? false : step(current as Held)),
    async release() {
      const job = current;
      current = undefined;
      if (job) await d.leases.release(job.held);
    },
  };
}

/** Rehearsals on the real roles: `commands` of the copies, and what they are made of. */
export function rehearsalSide(
  c: Common,
  d: Omit<Parameters<typeof createRehearsalRole>[0], 'campaigns' | 'providers' | 'clock' | 'log'> &
    Pick<Parameters<typeof createRehearsalCampaigns>[0], 'commands' | 'forgetAudience' | 'newEventId'>,
): ReturnType<typeof createRehearsalRole> {
  const campaigns = createRehearsalCampaigns({ ...c, ...d, now: c.clock.now, committed: c.wakeRelay });
  return createRehearsalRole({ ...c, ...d, campaigns });
}

/** Why a campaign cannot be rehearsed. */
function refusalOf(source: Campaign | undefined): string | undefined {
  if (source === undefined) return 'there is no such campaign';
  return hasNoAudience(source) ? 'a campaign of direct messages has no audience to rehearse with' : undefined;
}
