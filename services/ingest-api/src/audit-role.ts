import { CAMPAIGN_FIGURES, PARTITION_FIGURES } from '@volley/contract/http';
import type { Clock, Logger } from '@volley/runtime';
import type { Auditor } from './audit.ts';
import type { AuditRun, AuditStore } from './audit-ports.ts';
import { isRunDue, totalsOf } from './core/audit.ts';
import type { Leases, Metric, Round } from './ports.ts';

const LEASE = 'audit';
/** Shorter than half of a lease's time. */
const RENEW_EVERY_MS = 2_000;
const LOOK_EVERY_MS = 30_000;
/** An audit that fails is tried again after so long, and this often; then the next campaign is audited. */
const AGAIN_AFTER_MS = 30_000;
const TRIES = 5;
const IDS = 100;

export interface AuditRoleDeps {
  readonly auditor: Pick<Auditor, 'check' | 'partitions'>;
  readonly store: AuditStore;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metric: Metric;
  /** Of the day, in UTC; -1: never. */
  readonly hour: number;
  readonly mostCampaigns: number;
  readonly waitMs: number;
  /** An event older than this may be deleted from ClickHouse. */
  readonly keptDays: number;
  readonly isOutage: (error: unknown) => boolean;
}

/**
 * The nightly audit: campaigns that have changed since their last one, then as many others as there is room for, one a
 * round, then the partitions. What a campaign was found to be is saved at once, so whoever goes on after a death goes on
 * with the next.
 */
export function createAuditRole(d: AuditRoleDeps): Round {
  let lookAtMs = 0;
  let failuresInARow = 0;
  /** Campaigns still to be audited in a run; those of another one are forgotten. */
  let todo: { readonly runId: number; readonly campaignIds: string[] } | undefined;

  /**
   * Every process with this role shows the same, whoever audits. A run that could not find out is no news: a difference
   * stays until somebody has looked again, and the last run is the last one that could compare everything.
   */
  async function publish(): Promise<void> {
    const { differences } = await d.store.summary();
    for (const figure of CAMPAIGN_FIGURES) d.metric.auditDifferences?.set(differences[figure] ?? 0, { figure });
    const { partitions, completeAtMs } = await d.store.lastFound();
    if (partitions !== null) {
      const ofPartitions = totalsOf(partitions.flatMap((view) => view.figures));
      for (const figure of PARTITION_FIGURES) d.metric.auditDifferences?.set(ofPartitions[figure] ?? 0, { figure });
    }
    if (completeAtMs !== null) d.metric.auditLastRun?.set(completeAtMs / 1_000);
  }

  /** undefined: it failed, and was counted; or the process stops, and whoever comes next makes it anew. */
  async function attempt<T>(
    what: string,
    work: () => Promise<T>,
    stopping: AbortSignal | undefined,
  ): Promise<{ value: T } | undefined> {
    const renewing = setInterval(() => void d.leases.hold(LEASE).catch(() => {}), RENEW_EVERY_MS);
    try {
      const value = await work();
      failuresInARow = 0;
      return { value };
    } catch (error) {
      if (stopping?.aborted) return undefined;
      if (!d.isOutage(error)) throw error;
      failuresInARow += 1;
      d.metric.auditFailures?.inc();
      d.log.warn({ err: error, what, failures: failuresInARow }, 'an audit could not be made');
      return undefined;
    } finally {
      clearInterval(renewing);
    }
  }

  /** False: the same again later. True: done, or given up. */
  const isSettled = (done: boolean): boolean => {
    if (done || failuresInARow >= TRIES) return true;
    lookAtMs = d.clock.monotonicMs() + AGAIN_AFTER_MS;
    return false;
  };

  async function finish(run: AuditRun, stopping: AbortSignal | undefined): Promise<void> {
    const audited = await attempt('partitions', () => d.auditor.partitions(stopping), stopping);
    if (stopping?.aborted || !isSettled(audited !== undefined)) return;
    const finished: AuditRun = { ...run, finishedAtMs: d.clock.now(), partitions: audited?.value ?? null };
    await d.store.saveRun(finished);
    todo = undefined;
    await publish();
    const { checked, failed, left, partitions } = finished;
    d.log.info({ checked, failed, left, partitions: partitions?.length ?? null }, 'campaigns are audited');
  }

  return async (stopping) => {
    const nowMs = d.clock.monotonicMs();
    if (d.hour < 0 || nowMs < lookAtMs) return false;
    let run = await d.store.lastRun();
    const isDue = isRunDue(run, d.clock.now(), d.hour);
    if (!isDue || (await d.leases.hold(LEASE)) === undefined) {
      lookAtMs = nowMs + LOOK_EVERY_MS;
      await publish();
      return false;
    }
    if (run === undefined || run.finishedAtMs !== null) run = await d.store.beginRun(d.clock.now());
    if (todo?.runId !== run.runId) {
      const limit = Math.max(0, d.mostCampaigns - run.checked - run.failed);
      const keptFromMs = run.startedAtMs - d.keptDays * 86_400_000;
      const { campaignIds, due } = await d.store.due({ beforeMs: run.startedAtMs, keptFromMs, limit });
      todo = { runId: run.runId, campaignIds };
      run = { ...run, left: Math.max(0, due - campaignIds.length) };
    }
    const [campaignId] = todo.campaignIds;
    if (campaignId === undefined) {
      await finish(run, stopping);
      return false;
    }
    const how = { waitMs: d.waitMs, limit: IDS };
    const audited = await attempt(campaignId, () => d.auditor.check(campaignId, how, stopping), stopping);
    if (stopping?.aborted || !isSettled(audited !== undefined)) return false;
    todo.campaignIds.shift();
    if (audited?.value) d.metric.auditChecked?.inc({ verdict: audited.value.verdict });
    const one = audited === undefined ? { failed: run.failed + 1 } : { checked: run.checked + 1 };
    await d.store.saveRun({ ...run, ...one });
    return true;
  };
}
