/** Numbers and times as the reader's own locale writes them. */
const number = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const one = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const two = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
const unit = (name: string, digits = 0) =>
  new Intl.NumberFormat(undefined, { style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: digits });
const UNITS = { ms: unit('millisecond'), s: unit('second', 2), m: unit('minute'), h: unit('hour'), d: unit('day') };

export const formatCount = (value: number): string => number.format(value);
export const formatCompact = (value: number): string => (Math.abs(value) < 10_000 ? number : compact).format(value);
export const formatRate = (perSecond: number): string =>
  (perSecond < 10 ? two : perSecond < 1_000 ? one : number).format(
    perSecond < 1_000 ? perSecond : Math.round(perSecond),
  );
export const formatBytes = (bytes: number): string => {
  const names = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;
  const power = Math.min(names.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return unit(names[power] as string, power === 0 ? 0 : 1).format(bytes / 1_000 ** power);
};

/** A share of a whole; never 100 % while something is missing, never 0 % when there is something. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '–';
  const share = (part / whole) * 100;
  const digits = share > 0 && share < 1 ? 2 : share > 99 && share < 100 ? 2 : 1;
  const shown = Math.floor(share * 10 ** digits) / 10 ** digits;
  const least = part > 0 && shown === 0;
  const percent = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: digits });
  return least ? `< ${percent.format(10 ** -digits / 100)}` : percent.format(shown / 100);
}

/** From milliseconds, in the two units that say it. */
export function formatDuration(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return '–';
  if (ms < 1_000) return UNITS.ms.format(Math.round(ms));
  const seconds = ms / 1_000;
  if (seconds < 60) return UNITS.s.format(seconds);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${UNITS.m.format(minutes)} ${UNITS.s.format(Math.floor(seconds % 60))}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${UNITS.h.format(hours)} ${UNITS.m.format(minutes % 60)}`;
  return `${UNITS.d.format(Math.floor(hours / 24))} ${UNITS.h.format(hours % 24)}`;
}

export const formatTime = (iso: string): string => dateTime.format(new Date(iso));
/** For the tooltip of every time. */
export const formatUtc = (iso: string): string => new Date(iso).toISOString().replace('T', ' ').replace('Z', ' UTC');

export function formatAgo(iso: string, nowMs: number): string {
  const seconds = Math.round((Date.parse(iso) - nowMs) / 1_000);
  const size = Math.abs(seconds);
  if (size < 60) return relative.format(seconds, 'second');
  if (size < 3_600) return relative.format(Math.trunc(seconds / 60), 'minute');
  if (size < 172_800) return relative.format(Math.trunc(seconds / 3_600), 'hour');
  return relative.format(Math.trunc(seconds / 86_400), 'day');
}
