import {
  type HeldReplay,
  REPLAY_LEASE_MS,
  type ReplayJob,
  type ReplayLeases,
  type ReplayStatus,
  type ReplayTarget,
  replayErrorText,
  replayLeaseEnd,
  replayStateText,
} from './replays.ts';

/** A row of the table `replays`. */
export interface MemoryReplay {
  readonly job: ReplayJob;
  readonly pauseRequested: boolean;
  readonly cancelRequested: boolean;
  readonly owner: string;
  readonly fence: number;
  readonly untilMs: number;
}

export type MemoryReplays = Map<string, MemoryReplay>;

export const memoryReplay = (job: ReplayJob): MemoryReplay => ({
  job,
  pauseRequested: false,
  cancelRequested: false,
  owner: '',
  fence: 0,
  untilMs: Number.NEGATIVE_INFINITY,
});

const ENDED: ReadonlySet<ReplayStatus> = new Set(['done', 'failed', 'cancelled']);
/** The round through JSON of a real store. */
const stored = (what: string, value: unknown): unknown => JSON.parse(replayStateText(what, value) ?? 'null');

/** The store's own clock and the process's are one here. */
export function createMemoryReplayLeases(
  replays: MemoryReplays,
  o: { readonly owner: string; readonly monotonicMs: () => number },
): ReplayLeases {
  const ends = new WeakMap<HeldReplay, number>();

  const isDue = ({ job, untilMs }: MemoryReplay, targets: readonly ReplayTarget[]): boolean =>
    targets.includes(job.target) &&
    (job.status === 'pending' ||
      (job.status === 'running' && untilMs < o.monotonicMs()) ||
      (job.undo_requested && ENDED.has(job.status)));

  function heldRow(held: HeldReplay): MemoryReplay | undefined {
    const row = replays.get(held.job.replay_id);
    return row?.owner === o.owner && row.fence === held.fence && row.job.status === 'running' ? row : undefined;
  }

  return {
    async claim(targets) {
      const [row] = [...replays.values()]
        .filter((each) => isDue(each, targets))
        .sort((a, b) => (a.job.replay_id < b.job.replay_id ? -1 : 1));
      if (!row) return undefined;
      const now = o.monotonicMs();
      const started_at = row.job.started_at ?? now;
      const job: ReplayJob = { ...row.job, status: 'running', error: null, finished_at: null, started_at };
      const fence = row.fence + 1;
      replays.set(job.replay_id, { ...row, job, owner: o.owner, fence, untilMs: now + REPLAY_LEASE_MS });
      const held: HeldReplay = {
        job,
        fence,
        valid: () => o.monotonicMs() < (ends.get(held) ?? Number.NEGATIVE_INFINITY),
      };
      ends.set(held, replayLeaseEnd(now));
      return held;
    },
    async save(held, what) {
      const row = heldRow(held);
      const given = Object.entries(what).filter(([, value]) => value !== undefined);
      const changes = Object.fromEntries(given.map(([name, value]) => [name, stored(name, value)]));
      if (!row) {
        ends.delete(held);
        return 'lost';
      }
      const now = o.monotonicMs();
      replays.set(held.job.replay_id, { ...row, job: { ...row.job, ...changes }, untilMs: now + REPLAY_LEASE_MS });
      ends.set(held, replayLeaseEnd(now));
      return { pause: row.pauseRequested, cancel: row.cancelRequested };
    },
    async end(held, { status, result, error }) {
      const row = heldRow(held);
      ends.delete(held);
      if (!row) return 'lost';
      const pausing = status === 'paused';
      const job: ReplayJob = {
        ...row.job,
        status: pausing && (row.cancelRequested || !row.pauseRequested) ? 'pending' : status,
        result: result === undefined ? row.job.result : stored('result', result),
        error: replayErrorText(error),
        finished_at: pausing ? null : o.monotonicMs(),
        undo_requested: row.job.undo_requested && pausing,
      };
      const cancelRequested = row.cancelRequested && pausing;
      replays.set(job.replay_id, { ...memoryReplay(job), cancelRequested, fence: row.fence });
      return 'saved';
    },
    async release(held) {
      const row = heldRow(held);
      ends.delete(held);
      if (!row) return;
      const job: ReplayJob = { ...row.job, status: 'pending' };
      replays.set(job.replay_id, { ...row, job, owner: '', untilMs: Number.NEGATIVE_INFINITY });
    },
  };
}
