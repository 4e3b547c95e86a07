import type { AuditView, CampaignAuditView, PartitionAuditView } from '@volley/contract/http';
import { type Clock, type Logger, sleep } from '@volley/runtime';
import type { AuditDesk, AuditLog, AuditReader, AuditStore, CampaignFacts, Named } from './audit-ports.ts';
import {
  type Compared,
  compareCampaign,
  laggingPartitions,
  restOf,
  shownStates,
  totalsOf,
  verdictOf,
} from './core/audit.ts';
import { comparePartition, expectedRange, headToDate, type PartitionFacts, rangesOf } from './core/audit-partitions.ts';
import { expectedOf } from './core/progress.ts';

/** Audits of campaigns at once in this process: each reads all of a campaign's rows several times. */
const MAX_AT_ONCE = 2;
const POLL_MS = 250;
/** Of a partition; each is a range of offsets. */
const MAX_RANGES = 20;
/** Letters may lie between missing offsets, and are no differences. */
const MAX_OFFSETS = 10_000;

export interface AuditorDeps {
  readonly topic: string;
  readonly store: AuditStore;
  readonly reader: AuditReader;
  readonly deliveries: AuditLog;
  readonly clock: Clock;
  readonly log: Logger;
  /** An event older than this may be deleted from ClickHouse. */
  readonly keptDays: number;
  /** A store or the log is away; anything else that is thrown is a bug. */
  readonly isOutage: (error: unknown) => boolean;
}

export interface Auditor extends AuditDesk {
  /** As `campaign`, however many others are under way; the result is saved. */
  check(campaignId: string, how: How, gone?: AbortSignal): Promise<CampaignAuditView | undefined>;
  partitions(gone?: AbortSignal): Promise<PartitionAuditView[]>;
}

interface How {
  readonly waitMs: number;
  readonly limit: number;
}

/** Rejects when nobody wants it any more. What cannot be ended goes on behind it for its own time, and nobody looks. */
async function whileWanted<T>(work: Promise<T>, gone: AbortSignal | undefined): Promise<T> {
  if (gone === undefined) return work;
  let onGone = () => {};
  const left = new Promise<never>((_, reject) => {
    onGone = () => reject(gone.reason);
    if (gone.aborted) onGone();
    else gone.addEventListener('abort', onGone, { once: true });
  });
  return Promise.race([work, left]).finally(() => gone.removeEventListener('abort', onGone));
}

/**
 * Never two at once. Who asks while one is under way shares the next one with all others who have: what was saved before
 * the question is in the answer.
 */
function oneByOne<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    next = undefined;
    const mine = work().finally(() => {
      if (running === mine) running = undefined;
    });
    running = mine;
    return mine;
  };
  return () => {
    if (next) return next;
    if (!running) return begin();
    next = running.then(begin, begin);
    return next;
  };
}

/**
 * Compares what was accepted and counted (Postgres) with what is stored (ClickHouse) and what lies in the log. Counts of
 * progress belong to offsets, so rows are counted below these offsets, after the sink has committed them: what is on
 * its way is no difference.
 */
export function createAuditor(d: AuditorDeps): Auditor {
  const keptMs = d.keptDays * 86_400_000;
  let underWay = 0;

  async function check(campaignId: string, how: How, gone?: AbortSignal) {
    const facts = await d.store.facts(campaignId, d.topic);
    if (facts === undefined) return undefined;
    const audit = await compare(facts, how, gone);
    gone?.throwIfAborted();
    if (audit.verdict === 'different')
      d.log.error(
        { campaign_id: campaignId, differences: totalsOf(audit.figures) },
        'an audit found that the numbers of a campaign differ',
      );
    await d.store.save(audit, facts.seen);
    return audit;
  }

  async function compare(facts: CampaignFacts, how: How, gone?: AbortSignal): Promise<CampaignAuditView> {
    const beganMs = d.clock.monotonicMs();
    const base = {
      campaign_id: facts.campaign_id,
      status: facts.status,
      accepted: expectedOf(facts),
      states: shownStates(facts),
    };
    const asOf = () => new Date(d.clock.now()).toISOString();
    if (facts.sentAtMs > 0 && d.clock.now() - facts.sentAtMs > keptMs)
      return {
        ...{ ...base, verdict: 'not_kept', as_of: asOf(), waited_ms: 0 },
        ...{ stored: null, repeats: [], figures: [], lagging: [] },
      };
    for (;;) {
      gone?.throwIfAborted();
      const askedMs = d.clock.monotonicMs();
      const isLast = askedMs - beganMs >= how.waitMs;
      // The sink's offsets first: what is stored afterwards lies beyond them.
      const committed = await d.deliveries.committed();
      const lagging = laggingPartitions(facts, committed);
      if (lagging.length === 0 || isLast) {
        const read = await d.reader.campaign(facts, committed, gone);
        const compared = compareCampaign(facts, read, lagging.length === 0);
        if (isLast || compared.every((c) => c.difference !== null)) {
          const figures: CampaignAuditView['figures'] = [];
          for (const one of compared) figures.push({ ...one, ...(await named(one, facts, how.limit, gone)) });
          return {
            ...base,
            verdict: verdictOf(figures.map((f) => f.difference)),
            as_of: asOf(),
            waited_ms: Math.round(askedMs - beganMs),
            stored: {
              raw_rows: read.rawRows,
              log_records: read.logRecords,
              messages: read.messages,
              ended_runs: read.endedRuns,
              terminal_events: read.terminalEvents,
              marked_repeats: read.markedRepeats,
            },
            repeats: read.markedRepeats > 0 ? await d.reader.repeats(facts, how.limit, gone) : [],
            figures,
            lagging,
          };
        }
      }
      // A reading of millions of rows is not repeated all the time.
      const leftMs = how.waitMs - (d.clock.monotonicMs() - beganMs);
      await sleep(Math.max(1, Math.min(leftMs, Math.max(POLL_MS, d.clock.monotonicMs() - askedMs))), gone);
    }
  }

  async function named(one: Compared, facts: CampaignFacts, limit: number, gone?: AbortSignal) {
    if (one.difference === null || one.difference === 0) return { ids: [], more: 0 };
    const ids: Named[] = await d.reader.ids(one.figure, facts, limit, gone);
    if (ids.length > 0) return { ids, more: restOf(one, ids.length, limit) };
    return { ids: [{ id: facts.campaign_id, detail: `expected ${one.expected}, found ${one.found}` }], more: 0 };
  }

  async function partitions(gone?: AbortSignal): Promise<PartitionAuditView[]> {
    // In this order: rows are stored before they are committed, and lie below the end that the log has afterwards.
    const committed = await d.deliveries.committed();
    const rows = new Map((await d.reader.partitions(gone)).map((row) => [row.partition, row]));
    const bounds = await d.deliveries.bounds();
    const letters = await d.deliveries.letters();
    const views: PartitionAuditView[] = [];
    const numbers = new Set([...bounds.keys(), ...rows.keys()]);
    for (const partition of [...numbers].sort((a, b) => a - b)) {
      gone?.throwIfAborted();
      const { start, end } = bounds[partition] ?? { start: 0, end: 0 };
      const known = {
        partition,
        committed: committed[partition] ?? -1,
        logStart: start,
        logEnd: end,
        stored: rows.get(partition),
        letters: letters && (letters.get(partition) ?? new Set<number>()),
      };
      const head = headToDate(known);
      const at = head === undefined ? undefined : await d.deliveries.appendedAtMs(partition, head);
      const headIsOld = head !== undefined && (at === undefined || d.clock.now() - at > keptMs);
      views.push(await partitionView({ ...known, headIsOld }, gone));
    }
    const figures = views.flatMap((view) => view.figures);
    if (verdictOf(figures.map((f) => f.difference)) === 'different')
      d.log.error({ differences: totalsOf(figures) }, 'an audit found that the log and the stored rows differ');
    return views;
  }

  async function partitionView(facts: PartitionFacts, gone?: AbortSignal): Promise<PartitionAuditView> {
    const figures: PartitionAuditView['figures'] = [];
    for (const one of comparePartition(facts)) {
      let offsets: number[] = [];
      if ((one.difference ?? 0) > 0) offsets = await offsetsOf(one.figure, facts, gone);
      const ranges = rangesOf(offsets).slice(0, MAX_RANGES);
      const inRanges = ranges.reduce((n, { from, to }) => n + to - from + 1, 0);
      const ids = ranges.map(({ from, to }) => ({
        id: `${facts.partition}/${from}${to > from ? `-${to}` : ''}`,
        detail: `partition ${facts.partition}, ${to > from ? `offsets ${from} to ${to}` : `offset ${from}`}`,
      }));
      figures.push({ ...one, ids, more: Math.max(0, (one.difference ?? 0) - inRanges) });
    }
    return {
      partition: facts.partition,
      log_start: facts.logStart,
      log_end: facts.logEnd,
      stored_to: Math.max(0, facts.committed),
      raw_rows: facts.stored?.rawRows ?? 0,
      log_records: facts.stored?.logRecords ?? 0,
      dead_letters: facts.letters?.size ?? 0,
      figures,
    };
  }

  async function offsetsOf(figure: string, facts: PartitionFacts, gone?: AbortSignal): Promise<number[]> {
    const { partition, letters, stored } = facts;
    if (figure === 'doubled_offsets') return d.reader.doubledOffsets(partition, MAX_OFFSETS, gone);
    const { from, to } = expectedRange(facts);
    if (figure === 'gaps') {
      const missing = await d.reader.missingOffsets(partition, from, to, MAX_OFFSETS + (letters?.size ?? 0), gone);
      return missing.filter((offset) => !letters?.has(offset));
    }
    const last = stored?.lastOffset ?? -1;
    const first = Math.max(facts.logEnd, facts.committed, last + 1 - MAX_OFFSETS);
    return Array.from({ length: Math.max(0, last + 1 - first) }, (_, i) => first + i);
  }

  async function all(): Promise<AuditView> {
    const [summary, run] = [await d.store.summary(), await d.store.lastRun()];
    let now: PartitionAuditView[] | null = null;
    try {
      now = await partitions();
    } catch (error) {
      if (!d.isOutage(error)) throw error;
      d.log.warn({ err: error }, 'partitions cannot be audited');
    }
    const figures = (now ?? []).flatMap((view) => view.figures);
    const differences = { ...summary.differences };
    for (const [figure, n] of Object.entries(totalsOf(figures))) differences[figure] = (differences[figure] ?? 0) + n;
    const found = [...Object.values(differences), ...figures.map((f) => f.difference), ...(now === null ? [null] : [])];
    return {
      as_of: new Date(d.clock.now()).toISOString(),
      verdict: verdictOf(found),
      last_run:
        run === undefined
          ? null
          : {
              started_at: new Date(run.startedAtMs).toISOString(),
              finished_at: run.finishedAtMs === null ? null : new Date(run.finishedAtMs).toISOString(),
              checked: run.checked,
              failed: run.failed,
              left: run.left,
            },
      ...summary,
      differences,
      partitions: now,
      unavailable: now === null ? 'the log or the analytics store does not answer' : null,
    };
  }

  return {
    check: (campaignId, how, gone) => whileWanted(check(campaignId, how, gone), gone),
    partitions: (gone) => whileWanted(partitions(gone), gone),

    async campaign(campaignId, how, gone) {
      if (underWay >= MAX_AT_ONCE) return 'busy';
      underWay += 1;
      const audit = check(campaignId, how, gone).finally(() => {
        underWay -= 1;
      });
      return whileWanted(audit, gone);
    },

    all: oneByOne(all),
  };
}
