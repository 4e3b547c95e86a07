import type { ReplayStore, StandingReplay } from '../../replay-ports.ts';
import { later, type MemoryState } from './state.ts';

export function createMemoryReplays({ replays, replayActions }: MemoryState): ReplayStore {
  const standingOf = (replayId: string, tenantId: string): StandingReplay | undefined => {
    const row = replays.get(replayId);
    if (row?.job.tenant_id !== tenantId) return undefined;
    const { job, pauseRequested, cancelRequested } = row;
    return { job, pauseRequested, cancelRequested, actions: replayActions.get(replayId) ?? [] };
  };
  const ofTenant = (tenantId: string) => [...replays.keys()].flatMap((id) => standingOf(id, tenantId) ?? []);

  return {
    async find(tenantId, replayId) {
      await later();
      return standingOf(replayId, tenantId);
    },
    async list(tenantId, { before, limit }) {
      await later();
      return ofTenant(tenantId)
        .filter(({ job }) => before === undefined || job.replay_id < before)
        .sort((a, b) => (a.job.replay_id < b.job.replay_id ? 1 : -1))
        .slice(0, limit)
        .map((standing) => {
          const { template: _, subject: __, ...options } = standing.job.options;
          return {
            ...standing,
            job: { ...standing.job, options, ranges: [], progress: null, result: null },
            actions: [],
          };
        });
    },
    async change(tenantId, replayId, asked, decide) {
      await later();
      const row = replays.get(replayId);
      const standing = standingOf(replayId, tenantId);
      if (!row || !standing) return undefined;
      const decided = decide(standing);
      if (!decided.ok) return decided;
      const { value: change } = decided;
      if (Object.keys(change).length === 0) return { ok: true, value: standing };
      const job = {
        ...row.job,
        status: change.status ?? row.job.status,
        undo_requested: change.undoRequested ?? row.job.undo_requested,
        finished_at: change.ended ? asked.at : row.job.finished_at,
      };
      const pauseRequested = change.pauseRequested ?? row.pauseRequested;
      const cancelRequested = change.cancelRequested ?? row.cancelRequested;
      replays.set(replayId, { ...row, job, pauseRequested, cancelRequested });
      replayActions.set(replayId, [...standing.actions, asked].slice(-100));
      return { ok: true, value: standingOf(replayId, tenantId) as StandingReplay };
    },
    async unfinished(tenantId) {
      await later();
      return ofTenant(tenantId).filter(({ job }) => ['pending', 'running', 'paused'].includes(job.status)).length;
    },
    async pace(target) {
      await later();
      const paces = [...replays.values()]
        .map(({ job }) => job)
        .filter((job) => job.target === target && job.status === 'done' && job.done >= 1_000)
        .sort((a, b) => (a.replay_id < b.replay_id ? 1 : -1))
        .slice(0, 5)
        .map((job) => job.done / (((job.finished_at ?? 0) - (job.started_at ?? 0)) / 1_000));
      return paces.length === 0 ? undefined : Math.max(...paces);
    },
    async counts() {
      await later();
      const all = Map.groupBy([...replays.values()], ({ job }) => `${job.target} ${job.status}`);
      return [...all.values()].flatMap((rows) => {
        const [first] = rows;
        return first ? [{ target: first.job.target, status: first.job.status, jobs: rows.length }] : [];
      });
    },
  };
}
