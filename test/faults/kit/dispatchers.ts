import { partitionOf } from '@volley/contract';
import type { PipelineView } from '@volley/contract/http';
import type { ExtraHow, ExtraService } from '../../support/extra-service.ts';
import type { CommitSnapshot, Receipt } from '../../support/history.ts';
import { snapshotOf } from '../../support/platform-history.ts';
import { until } from '../../support/until.ts';
import type { Trial } from './trial.ts';

export const PARTITIONS = 12;

/** The one partition of a campaign with a small audience. */
export const partitionOfCampaign = (id: string): number => partitionOf(id, '', 1, PARTITIONS);

/** Partition numbers by the slot of the dispatcher that has them. */
export async function ownership({ p }: Pick<Trial, 'p'>): Promise<Map<number, readonly number[]>> {
  const { dispatchers } = await p.api.ok<PipelineView>('GET', '/v1/pipeline');
  const alive = (dispatchers ?? []).filter((dispatcher) => dispatcher.alive);
  return new Map(alive.map(({ id, partitions }) => [Number(id.slice(id.lastIndexOf('-') + 1)), partitions]));
}

/** The partitions are shared by exactly these slots, each of which has some. */
export async function untilShared(trial: Pick<Trial, 'p'>, slots: readonly number[]): Promise<void> {
  let seen: unknown;
  await until(
    `partitions are shared by ${slots.join(', ')}`,
    async () => {
      const owned = await ownership(trial);
      seen = [...owned];
      const all = [...owned.values()].flat();
      return (
        owned.size === slots.length &&
        slots.every((slot) => (owned.get(slot)?.length ?? 0) > 0) &&
        new Set(all).size === PARTITIONS &&
        all.length === PARTITIONS
      );
    },
    { timeoutMs: 40_000, everyMs: 100, seen: () => seen },
  );
}

/** With one more dispatcher while `run` runs; it has some of the partitions by then. */
export async function withDispatcher<T>(
  trial: Trial,
  slot: number,
  run: (extra: ExtraService) => Promise<T>,
  how?: ExtraHow,
): Promise<T> {
  const extra = await trial.p.startExtra('dispatcher', slot, how);
  try {
    return await run(extra);
  } finally {
    await extra.stop();
  }
}

/** The longest time between two deliveries in a row, of all campaigns together. */
export function longestStallMs(receipts: readonly Receipt[]): number {
  const times = receipts.map(({ atMs }) => atMs ?? 0).sort((a, b) => a - b);
  return times.reduce((most, at, i) => (i === 0 ? 0 : Math.max(most, at - (times[i - 1] as number))), 0);
}

/** Looks at the dispatchers' commits all the while; `stop` answers those that went back. */
export function watchCommits({ p }: Trial) {
  const back: string[] = [];
  let over = false;
  let last = new Map<string, number>();
  const look = (snapshot: CommitSnapshot) => {
    const now = new Map(snapshot.commits.map((c) => [`${c.topic} ${c.partition}`, c.committed]));
    for (const [place, committed] of now)
      if (committed < (last.get(place) ?? -1)) back.push(`${place}: from ${last.get(place)} to ${committed}`);
    last = now;
  };
  const watching = (async () => {
    while (!over) look(await snapshotOf(p, 'watch'));
  })();
  return {
    async stop(): Promise<string[]> {
      over = true;
      await watching;
      return back;
    },
  };
}
