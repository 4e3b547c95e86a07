/** From values to places on the page. */
export interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

const STEPS = [1, 2, 2.5, 5, 10];

/** Round numbers from 0 to a little above the largest. */
export function linear(max: number, fromPx: number, toPx: number, wanted = 4): Scale {
  const top = Math.max(max, 1e-9);
  const unit = 10 ** Math.floor(Math.log10(top / wanted));
  const step = (STEPS.find((s) => top / (s * unit) <= wanted) ?? 10) * unit;
  const last = Math.ceil(top / step - 1e-9) * step;
  const ticks = Array.from({ length: Math.round(last / step) + 1 }, (_, i) => i * step);
  return { ticks, at: (value) => fromPx + ((toPx - fromPx) * Math.min(last, Math.max(0, value))) / last };
}

/** Powers of ten; a stall of seconds and an answer of a millisecond are both to be seen. */
export function logarithmic(min: number, max: number, fromPx: number, toPx: number): Scale {
  const low = Math.floor(Math.log10(Math.max(min, 1e-3)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(max, 1e-3)) - 1e-9));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const share = (value: number) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
  return { ticks, at: (value) => fromPx + (toPx - fromPx) * Math.min(1, share(value)) };
}

/** Seconds of a run, at times that people read. */
export function timeline(fromS: number, toS: number, fromPx: number, toPx: number): Scale {
  const span = Math.max(1, toS - fromS);
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800].find((s) => span / s <= 8) ?? 3_600;
  const ticks: number[] = [];
  for (let s = Math.ceil(fromS / step) * step; s <= toS + 1e-9; s += step) ticks.push(s);
  return { ticks, at: (value) => fromPx + ((toPx - fromPx) * (value - fromS)) / span };
}

export const secondsText = (s: number): string =>
  s >= 120 && s % 60 === 0 ? `${s / 60} min` : `${Number.isInteger(s) ? s : s.toFixed(1)} s`;

export const compact = (n: number): string =>
  n >= 1e6
    ? `${Number((n / 1e6).toFixed(1))}M`
    : n >= 1e3
      ? `${Number((n / 1e3).toFixed(1))}k`
      : String(Number(n.toFixed(2)));
