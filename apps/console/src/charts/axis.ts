import { formatCompact, formatCount } from '../format.ts';

/** What stands at the axes of charts. */
const minute = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const dayAndHour = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', hour: '2-digit' });
const long = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const ago = new Intl.RelativeTimeFormat(undefined, { numeric: 'always', style: 'narrow' });
const narrow = (unit: string) =>
  new Intl.NumberFormat(undefined, { style: 'unit', unit, unitDisplay: 'narrow', maximumFractionDigits: 1 });
const UNITS = { ms: narrow('millisecond'), s: narrow('second'), m: narrow('minute'), h: narrow('hour') };

/** Whole as long as there is room for it. */
export const showCount = (value: number): string => (value < 100_000 ? formatCount : formatCompact)(value);

/** Seconds since 1970, as the step of a series says it. */
export const showMinute = (seconds: number): string => minute.format(seconds * 1_000);
export const showHour = (seconds: number): string => dayAndHour.format(seconds * 1_000);
export const showWhole = (seconds: number): string => long.format(seconds * 1_000);

export const showAgo = (seconds: number): string => ago.format(-Math.round(seconds), 'second');

/** Short, in one unit: 500ms, 1.5s. */
export function showMs(ms: number): string {
  if (ms < 1_000) return UNITS.ms.format(ms);
  if (ms < 120_000) return UNITS.s.format(ms / 1_000);
  return ms < 7_200_000 ? UNITS.m.format(ms / 60_000) : UNITS.h.format(ms / 3_600_000);
}

/** Steps have one width; few of them stand in the middle rather than fill the chart. */
export function stepRange(xs: readonly number[], step: number, least = 4): readonly [number, number] {
  const first = xs[0] ?? 0;
  const last = xs.at(-1) ?? first;
  const slots = (last - first) / step + 1;
  const room = (Math.max(0, least - slots) / 2 + 0.5) * step;
  return [first - room, last + room];
}
