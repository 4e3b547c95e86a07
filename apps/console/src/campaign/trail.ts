import { useEffect, useState } from 'react';
import type { StatsView } from '../api/types.ts';
import type { LiveStats } from '../live/use-live-stats.ts';
import { endedOf } from '../states.ts';

/** What is kept of the figures that arrived, in milliseconds. */
export const TRAIL_MS = 120_000;
/** A rate is that of so long: counts come in batches, and shorter it would jump. */
const RATE_OVER_MS = 5_000;
const SILENT_MS = 5_000;

export interface TrailPoint {
  /** By the clock of this page. */
  readonly atMs: number;
  readonly ended: number;
  /** More messages that have ended since the point before; a redrive takes some back, which counts as none. */
  readonly more: number;
  /** null: not known from one figure, or nothing has arrived for a while. */
  readonly perSecond: number | null;
}

export function nextTrail(trail: readonly TrailPoint[], stats: StatsView, atMs: number): readonly TrailPoint[] {
  const ended = endedOf(stats);
  const before = trail.at(-1);
  if (!before) return [{ atMs, ended, more: 0, perSecond: null }];
  const more = Math.max(0, ended - before.ended);
  const within = trail.filter((point) => point.atMs >= atMs - RATE_OVER_MS);
  const base = within[0] ?? before;
  const sum = within.slice(1).reduce((total, point) => total + point.more, more);
  const perSecond = atMs > base.atMs ? (sum / (atMs - base.atMs)) * 1_000 : null;
  const gap =
    atMs - before.atMs > SILENT_MS ? [{ atMs: before.atMs + 1, ended: before.ended, more: 0, perSecond: null }] : [];
  const kept = trail.filter((point) => point.atMs >= atMs - TRAIL_MS);
  return [...kept, ...gap, { atMs, ended, more, perSecond }];
}

/** How fast messages ended, from the counts as they arrived on this page. */
export function useTrail({ stats, heardAtMs }: LiveStats): readonly TrailPoint[] {
  const [trail, setTrail] = useState<readonly TrailPoint[]>([]);
  useEffect(() => {
    if (stats && heardAtMs !== undefined)
      setTrail((before) => (before.at(-1)?.atMs === heardAtMs ? before : nextTrail(before, stats, heardAtMs)));
  }, [stats, heardAtMs]);
  return trail;
}
