import type { StatsView } from '../api/types.ts';

/** In place of a chart that is behind the counts: both come from the same log, not at the same moment. */
export const NOT_YET = 'Not in the statistics yet';

export const hasSent = (stats: StatsView | undefined): boolean => (stats?.sent ?? 0) > 0;

export const hasEnded = (stats: StatsView | undefined): boolean =>
  stats !== undefined && stats.sent + stats.failed + stats.dead + stats.expired > 0;
