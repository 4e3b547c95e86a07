import { endedOf, sumTallies } from '../../core/progress.ts';
import { markKey } from '../../core/redrive.ts';
import type { Mark, RedriveJob, RedriveJobs, RedriveStore } from '../../dead-letter-ports.ts';
import type { Lease } from '../../ports.ts';
import type { LeaseTerms } from './roles.ts';
import { later, type MemoryState, type RedriveRow } from './state.ts';

/** As the view redrive_holds says. */
export const isRedriven = ({ redrives, offsets }: MemoryState, campaignId: string): boolean =>
  [...redrives.campaigns.values()].some(
    (hold) =>
      hold.campaignId === campaignId &&
      (hold.open ||
        Object.entries(hold.ends).some(([p, next]) => (offsets.get(`${redrives.topic} ${p}`)?.next ?? 0) < next)),
  );

/** By campaign, then as the letters lie in the log; those without a place last. */
const byPlace = (a: Mark, b: Mark): number =>
  (a.campaign_id < b.campaign_id ? -1 : Number(a.campaign_id > b.campaign_id)) ||
  (a.place?.partition ?? Number.MAX_SAFE_INTEGER) - (b.place?.partition ?? Number.MAX_SAFE_INTEGER) ||
  (a.place?.offset ?? Number.MAX_SAFE_INTEGER) - (b.place?.offset ?? Number.MAX_SAFE_INTEGER) ||
  (a.message_id < b.message_id ? -1 : 1);

export function createMemoryRedriveJobs({ redrives }: MemoryState): RedriveJobs {
  const ofTenant = (tenantId: string) =>
    [...redrives.jobs.values()].map((row) => row.job).filter((job) => job.tenant_id === tenantId);
  return {
    async create(asked) {
      await later();
      const nothing = { selected: 0, redriven: 0, purged: 0, left: {} };
      const job: RedriveJob = { ...asked, status: 'running', finishedAtMs: null, ...nothing };
      const row = { cursor: undefined, allSelected: false, cancelRequested: false };
      redrives.jobs.set(job.redrive_id, { job, ...row, owner: '', fence: 0, untilMs: Number.NEGATIVE_INFINITY });
      return job;
    },
    async find(tenantId, redriveId) {
      await later();
      return ofTenant(tenantId).find((job) => job.redrive_id === redriveId);
    },
    async list(tenantId, { before, limit }) {
      await later();
      return ofTenant(tenantId)
        .filter((job) => before === undefined || job.redrive_id < before)
        .sort((a, b) => (a.redrive_id < b.redrive_id ? 1 : -1))
        .slice(0, limit);
    },
    async cancel(tenantId, redriveId) {
      await later();
      const row = redrives.jobs.get(redriveId);
      if (row?.job.tenant_id !== tenantId) return undefined;
      redrives.jobs.set(redriveId, { ...row, cancelRequested: true });
      return row.job;
    },
    async marked(marks) {
      await later();
      return new Map(
        marks.flatMap((mark) => {
          const known = redrives.marks.get(markKey(mark));
          return known ? [[markKey(mark), known.state === 'purged' ? 'purged' : 'redriven'] as const] : [];
        }),
      );
    },
  };
}

export function createMemoryRedriveStore(state: MemoryState, terms: LeaseTerms, topic: string): RedriveStore {
  const { redrives } = state;
  redrives.topic = topic;

  function fenced(redriveId: string, fence: number): { row: RedriveRow; lease: Lease } | undefined {
    const known = redrives.jobs.get(redriveId);
    if (!known || known.owner !== terms.owner || known.fence !== fence || known.job.status !== 'running')
      return undefined;
    const row = { ...known, untilMs: terms.monotonicMs() + terms.leaseMs };
    redrives.jobs.set(redriveId, row);
    return { row, lease: { fence, valid: () => terms.monotonicMs() < row.untilMs } };
  }
  const letGo = (redriveId: string) => {
    for (const hold of redrives.campaigns.values()) if (hold.redriveId === redriveId) hold.open = false;
  };
  const taken = (redriveId: string, mark: Mark) =>
    redrives.marks.has(markKey(mark)) ||
    [...redrives.marks.values()].some((m) => m.redriveId === redriveId && m.message_id === mark.message_id);

  return {
    async due() {
      await later();
      return [...redrives.jobs.values()]
        .filter(({ job }) => job.status === 'running')
        .map(({ job, cancelRequested }) => ({ redriveId: job.redrive_id, cancelRequested }));
    },
    async claim(redriveId) {
      await later();
      const known = redrives.jobs.get(redriveId);
      if (known?.job.status !== 'running') return undefined;
      if (known.owner !== terms.owner && terms.monotonicMs() < known.untilMs) return undefined;
      redrives.jobs.set(redriveId, { ...known, owner: terms.owner, fence: known.fence + 1 });
      const held = fenced(redriveId, known.fence + 1);
      const { job, cursor, allSelected } = known;
      return held && { lease: held.lease, job, cursor, allSelected };
    },
    async select(redriveId, fence, { marks, cursor, last }) {
      await later();
      const held = fenced(redriveId, fence);
      if (!held) return undefined;
      const { job } = held.row;
      const purge = job.action === 'purge';
      letGo(redriveId);
      let selected = 0;
      for (const mark of marks) {
        if (taken(redriveId, mark)) continue;
        selected += 1;
        redrives.marks.set(markKey(mark), { ...mark, redriveId, state: purge ? 'purged' : 'selected' });
        if (purge) continue;
        const key = `${redriveId} ${mark.campaign_id}`;
        const hold = redrives.campaigns.get(key) ?? { redriveId, campaignId: mark.campaign_id, open: true, ends: {} };
        hold.open = true;
        redrives.campaigns.set(key, hold);
      }
      redrives.jobs.set(redriveId, {
        ...held.row,
        job: { ...job, selected: job.selected + selected, purged: job.purged + (purge ? selected : 0) },
        cursor: cursor ?? held.row.cursor,
        allSelected: last,
      });
      return { lease: held.lease, selected };
    },
    async pending(redriveId, limit) {
      await later();
      return [...redrives.marks.values()]
        .filter((m) => m.redriveId === redriveId && m.state === 'selected')
        .sort(byPlace)
        .slice(0, limit)
        .map(({ redriveId: _, state: __, ...mark }) => mark);
    },
    async standing(campaignId) {
      await later();
      const row = state.campaigns.get(campaignId);
      if (!row) return undefined;
      const ended = endedOf(sumTallies(state.parts.get(campaignId)?.values() ?? []));
      const written = (state.fanout.get(campaignId)?.checkpoint.ordinal ?? 0) + row.state.accepted;
      return { campaign: row.state, publishedVersion: row.publishedVersion, outstanding: written - ended };
    },
    async settle(redriveId, fence, { redriven, left, campaignId, eventEnds }) {
      await later();
      const held = fenced(redriveId, fence);
      if (!held) return undefined;
      const { job } = held.row;
      for (const mark of redriven) redrives.marks.set(markKey(mark), { ...mark, redriveId, state: 'redriven' });
      const causes = { ...job.left };
      for (const { mark, cause } of left) {
        redrives.marks.delete(markKey(mark));
        causes[cause] = (causes[cause] ?? 0) + 1;
      }
      const hold = redrives.campaigns.get(`${redriveId} ${campaignId}`);
      for (const [p, next] of Object.entries(eventEnds ?? {}))
        if (hold) hold.ends[Number(p)] = Math.max(hold.ends[Number(p)] ?? 0, next);
      const counted = { ...job, redriven: job.redriven + redriven.length, left: causes };
      redrives.jobs.set(redriveId, { ...held.row, job: counted });
      return held.lease;
    },
    async finish(redriveId, fence, status) {
      await later();
      const held = fenced(redriveId, fence);
      if (!held) return false;
      letGo(redriveId);
      redrives.jobs.set(redriveId, {
        ...held.row,
        job: { ...held.row.job, status, finishedAtMs: terms.monotonicMs() },
      });
      return true;
    },
    async release(redriveId, fence) {
      const held = fenced(redriveId, fence);
      if (held) redrives.jobs.set(redriveId, { ...held.row, untilMs: Number.NEGATIVE_INFINITY });
    },
  };
}
