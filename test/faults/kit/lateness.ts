import { groupBy, runOf } from '../../support/checker/facts.ts';
import type { History } from '../../support/history.ts';

export interface Lateness {
  /** Records of retry tiers whose next attempt is known. */
  readonly records: number;
  /** Attempts that began before the time that their record named. Clocks are read in whole milliseconds. */
  readonly early: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

const ROUNDING_MS = 2;

/** From the not-before of a record in a tier to the moment when the attempt after it began, as its event tells. */
export function latenessOf(histories: readonly Pick<History, 'moved' | 'events'>[]): Lateness {
  const late: number[] = [];
  const early: string[] = [];
  for (const { moved, events } of histories) {
    const attempts = groupBy(
      events.filter(({ attempt }) => attempt > 0),
      (event) => `${runOf(event)} ${event.attempt}`,
    );
    for (const record of moved) {
      if (record.tier === 'held') continue;
      const next = attempts.get(`${runOf(record)} ${record.attempts + 1}`)?.[0];
      if (next === undefined) continue;
      const ms = next.occurredAtMs - next.providerMs - record.notBeforeMs;
      late.push(ms);
      if (ms < -ROUNDING_MS) early.push(`${record.messageId} by ${-ms} ms`);
    }
  }
  late.sort((a, b) => a - b);
  const at = (part: number) => Math.max(0, late[Math.ceil(late.length * part) - 1] ?? 0);
  return { records: late.length, early, p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1) };
}
