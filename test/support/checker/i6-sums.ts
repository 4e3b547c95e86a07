import { TERMINAL_KINDS } from '@volley/contract';
import type { History } from '../history.ts';
import { type Check, type Facts, type Finding, findings, placeOf } from './facts.ts';
import { rollupsAgree } from './i6-rollups.ts';

/** Messages by their one state, as the log says. */
export function statesOf({ ends, accepted }: Facts): Record<string, number> {
  const states: Record<string, number> = Object.fromEntries(TERMINAL_KINDS.map((kind) => [kind, 0]));
  for (const [id, { kind }] of ends) if (accepted.has(id)) states[kind] = (states[kind] ?? 0) + 1;
  return states;
}

/** I6: Postgres, ClickHouse (rows, minutes and hours), the statistics and the log say the same numbers. */
export const sumsAgree: Check = (facts, limit) => {
  const { history } = facts;
  if (history.events.length === 0 || (history.rows.length === 0 && history.stats.total === 0)) return 'unknown';
  const stored = new Set(history.rows.map(placeOf));
  const logged = new Set(history.events.map(placeOf));
  const doubled = history.rows.length - stored.size;
  return [
    ...findings({
      'events that are not in ClickHouse': history.events
        .filter((e) => !stored.has(placeOf(e)))
        .map((e) => e.messageId),
      'rows in ClickHouse without an event': history.rows
        .filter((r) => !logged.has(placeOf(r)))
        .map((r) => r.messageId),
      [`doubledRows: ${doubled}, at most ${limit.doubledRows} can be explained`]:
        doubled > limit.doubledRows ? twiceStored(history) : [],
    }),
    ...rollupsAgree(history),
    ...countsOf(facts),
  ];
};

function twiceStored({ rows }: History): string[] {
  const seen = new Set<string>();
  return rows.filter((row) => seen.size === seen.add(placeOf(row)).size).map((row) => row.messageId);
}

function countsOf(facts: Facts): Finding[] {
  const { history, accepted } = facts;
  const { stats, analytics, campaignId } = history;
  const states = statesOf(facts);
  const wrong: string[] = [];
  if (stats.total !== accepted.size) wrong.push(`stats.total is ${stats.total}, not ${accepted.size}`);
  if (stats.queued !== 0 || stats.retrying !== 0)
    wrong.push(`stats are not final: queued ${stats.queued}, retrying ${stats.retrying}`);
  if (history.frozen !== undefined && history.frozen !== history.expected)
    wrong.push(`Postgres has ${history.frozen} frozen recipients, not ${history.expected}`);
  for (const kind of TERMINAL_KINDS) {
    if (stats[kind] !== states[kind]) wrong.push(`stats.${kind} is ${stats[kind]}, the log has ${states[kind]}`);
    if (analytics !== undefined && (analytics[kind] ?? 0) !== states[kind])
      wrong.push(`ClickHouse counts ${analytics[kind] ?? 0} ${kind}, the log has ${states[kind]}`);
  }
  const failures = (states.failed ?? 0) + (states.dead ?? 0) + (states.expired ?? 0);
  const fitting = failures > 0 ? 'completed_with_failures' : 'completed';
  if (history.status !== fitting && history.status !== 'cancelled')
    wrong.push(`the campaign is ${history.status}, not ${fitting}`);
  return wrong.map((what) => ({ what, ids: [campaignId] }));
}
