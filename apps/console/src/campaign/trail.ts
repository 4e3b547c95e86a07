import { useEffect, useState } from 'react';
import type { StatsView } from '../api/types.ts';
import { endedOf } from '../states.ts';

/** What is kept of the figures that arrived, in milliseconds. */
export const TRAIL_MS = 120_000;
/** A rate is that of so long: counts come in batches, and shorter it would jump. */
const RATE_OVER_MS = 5_000;
const SILENT_MS = 5_000;
/** Over more than this it would not be the rate now. */
const KNOWN_OVER_MS = 12_000;

export interface TrailPoint {
  /** By the clock of this page, or of the API: the same one all along a trail. */
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
  // Answers that crossed say nothing new; a clock that was set back begins anew.
  if (before && atMs <= before.atMs && atMs > before.atMs - SILENT_MS) return trail;
  if (!before || atMs < before.atMs) return [{ atMs, ended, more: 0, perSecond: null }];
  const more = Math.max(0, ended - before.ended);
  const within = trail.filter((point) => point.atMs >= atMs - RATE_OVER_MS);
  const base = within[0] ?? before;
  const sum = within.slice(1).reduce((total, point) => total + point.more, more);
  const perSecond = atMs - base.atMs <= KNOWN_OVER_MS ? (sum / (atMs - base.atMs)) * 1_000 : null;
  const gap =
    atMs - before.atMs > SILENT_MS ? [{ atMs: before.atMs + 1, ended: before.ended, more: 0, perSecond: null }] : [];
  const kept = trail.filter((point) => point.atMs >= atMs - TRAIL_MS);
  return [...kept, ...gap, { atMs, ended, more, perSecond }];
}

/** How fast messages ended, from counts one after the other and when each was true. */
export function useTrail(stats: StatsView | undefined, atMs: number | undefined): readonly TrailPoint[] {
  const [trail, setTrail] = useState<readonly TrailPoint[]>([]);
  useEffect(() => {
    if (stats && atMs !== undefined) setTrail((before) => nextTrail(before, stats, atMs));
  }, [stats, atMs]);
  return trail;
}
