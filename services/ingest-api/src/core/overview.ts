import type { DispatcherState } from '@volley/contract';

/** Where a group stands in one partition. */
export interface Place {
  readonly partition: number;
  readonly start: number;
  readonly end: number;
  /** -1: nothing was ever committed. */
  readonly committed: number;
}

export interface DispatcherRow {
  readonly id: string;
  readonly seenMsAgo: number;
  /** As the dispatcher wrote it: another version's may lack anything. */
  readonly state: Partial<DispatcherState>;
}

/** What is not committed begins here: a group without a commit begins with the log, one that fell behind retention too. */
export const nextOf = (place: Place): number => Math.min(place.end, Math.max(place.start, place.committed));
export const lagOf = (place: Place): number => place.end - nextOf(place);

/** Age of the oldest record that is not committed, by the times of those that are known; null: some are not, and none is. */
export function oldestAgeMs(
  places: readonly Place[],
  timeOf: (place: Place) => number | undefined,
  nowMs: number,
): number | null {
  const behind = places.filter((place) => lagOf(place) > 0);
  if (behind.length === 0) return 0;
  const times = behind.flatMap((place) => timeOf(place) ?? []);
  return times.length === 0 ? null : Math.max(0, nowMs - Math.min(...times));
}

const iso = (epochMs: number): string => new Date(epochMs).toISOString();

export function queueView(
  queue: { readonly name: string; readonly kind: 'lane' | 'tier' | 'held'; readonly topic: string },
  places: readonly Place[],
  timeOf: (place: Place) => number | undefined,
  owners: ReadonlyMap<number, string>,
  nowMs: number,
) {
  return {
    ...queue,
    lag: places.reduce((sum, place) => sum + lagOf(place), 0),
    age_ms: oldestAgeMs(places, timeOf, nowMs),
    partitions: places.map((place) => ({
      partition: place.partition,
      committed: place.committed < 0 ? null : place.committed,
      log_end: place.end,
      lag: lagOf(place),
      age_ms: oldestAgeMs([place], timeOf, nowMs),
      owner: owners.get(place.partition) ?? null,
    })),
  };
}

/** By partition number; who was seen last where two claim one, which they may for a moment while partitions move. */
export function ownersOf(rows: readonly DispatcherRow[], liveMs: number): Map<number, string> {
  const owners = new Map<number, string>();
  for (const row of rows.filter(({ seenMsAgo }) => seenMsAgo <= liveMs).sort((a, b) => b.seenMsAgo - a.seenMsAgo))
    for (const partition of row.state.partitions ?? []) owners.set(partition, row.id);
  return owners;
}

export const dispatcherView = (row: DispatcherRow, liveMs: number) => ({
  id: row.id,
  alive: row.seenMsAgo <= liveMs,
  seen_ms_ago: row.seenMsAgo,
  version: row.state.version ?? '',
  partitions: [...(row.state.partitions ?? [])],
  lanes: { ...row.state.lanes },
  held: { ...row.state.held },
  providers: (row.state.providers ?? []).map((p) => ({
    ...p,
    blocked_until: p.blocked_until === null ? null : iso(p.blocked_until),
  })),
});

export const breakerViews = (rows: readonly DispatcherRow[], liveMs: number) =>
  rows
    .filter((row) => row.seenMsAgo <= liveMs)
    .flatMap((row) => (row.state.breakers ?? []).map((b) => ({ ...b, dispatcher: row.id, probe_at: iso(b.probe_at) })));
