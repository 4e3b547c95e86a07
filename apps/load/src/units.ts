import { LoadError } from './load-error.ts';

const MS = { us: 0.001, ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 } as const;

/** `250ms`, `60s`, `5m`, `1h`; a number alone is seconds. Milliseconds; undefined: it is no duration. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|min|m|h)?$/.exec(text.trim());
  return match === null ? undefined : Number(match[1]) * MS[(match[2] ?? 's') as keyof typeof MS];
}

/** `1000:10s,2000:60s` -> stages. */
export function stagesOf(text: string): { perSecond: number; seconds: number }[] {
  return text.split(',').map((part) => {
    const match = /^\s*([\d.]+):([\w.]+)\s*$/.exec(part);
    const perSecond = Number(match?.[1]);
    const ms = durationMs(match?.[2] ?? '');
    if (!(perSecond > 0) || ms === undefined || ms < 100)
      throw new LoadError(`a stage is RATE:DURATION such as 1000:10s, not "${part.trim()}"`, 2);
    return { perSecond, seconds: ms / 1_000 };
  });
}

/** Three digits at most: `1.24 ms`, `18 ms`, `2.05 s`. */
export function msText(value: number): string {
  if (value >= 60_000) return `${(value / 60_000).toFixed(1)} min`;
  if (value >= 1_000) return `${(value / 1_000).toFixed(value >= 10_000 ? 1 : 2)} s`;
  if (value >= 10) return `${Math.round(value)} ms`;
  return `${value.toFixed(value >= 1 ? 1 : 2)} ms`;
}

/** A power of ten on an axis. */
export const tickText = (ms: number): string =>
  ms >= 1_000 ? `${ms / 1_000} s` : ms >= 1 ? `${ms} ms` : `${Number((ms * 1_000).toFixed(0))} µs`;

export const countText = (value: number): string => Math.round(value).toLocaleString('en-US');

/** A share, with as many digits as show that it is not nothing, and not everything. */
export function shareText(value: number): string {
  const percent = value * 100;
  if (percent === 0 || percent === 100) return `${percent}%`;
  const distance = Math.min(percent, Math.abs(100 - percent));
  const digits = distance < 0.1 ? 3 : distance < 1 ? 2 : 1;
  return `${percent.toFixed(digits)}%`;
}
