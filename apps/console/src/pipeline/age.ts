import { formatDuration } from '../format.ts';

/** Whole seconds from one on: a figure that changes every two seconds needs no hundredths. */
export const wholeSeconds = (ms: number): string => formatDuration(ms < 1_000 ? ms : Math.floor(ms / 1_000) * 1_000);

/** Of the oldest that waits. Nothing waits and not known are not the same. */
export const ageOf = ({ lag, age_ms }: { readonly lag: number; readonly age_ms: number | null }): string =>
  age_ms === null ? '–' : lag === 0 ? 'none' : wholeSeconds(age_ms);
