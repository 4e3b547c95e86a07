import type { RehearsalFigures, RehearsalReader } from '../../rehearsal-ports.ts';
import { createReader, type Limits, type ReaderOptions } from './reader.ts';

const LIMITS: Limits = { seconds: 10, megabytes: 512 };
/** One rehearsal at a time asks, once a second when it has ended. */
const TURNS = { places: 1, queue: 8, waitMs: 10_000 };
const MAX_SAMPLES = 100;
const OF_ONE_REASON = 20;

const OF = 'tenant_id = {tenant:String} AND campaign_id = {campaign:String}';
const STATS = `SELECT terminal, p50_ms, p95_ms, p99_ms FROM campaign_stats WHERE ${OF}`;
const REASONS = `SELECT reason, sum(messages) AS messages FROM failure_reasons WHERE ${OF}
  GROUP BY reason ORDER BY messages DESC, reason`;
const SAMPLES = `SELECT recipient, reason, detail FROM undelivered_messages WHERE ${OF}
  ORDER BY reason, ordinal LIMIT ${OF_ONE_REASON} BY reason LIMIT ${MAX_SAMPLES}`;

/** The public views, for a tenant of rehearsals. */
export function createRehearsalReader(
  o: Pick<ReaderOptions, 'url' | 'database' | 'clientId' | 'metric'>,
): RehearsalReader & { close(): Promise<void> } {
  const reader = createReader({ ...o, turns: TURNS });
  return {
    async figures({ tenant_id, campaign_id }, messages) {
      const params = { tenant: tenant_id, campaign: campaign_id };
      const ask = async <R>(sql: string) => (await reader.ask<R>({ sql, params, limits: LIMITS })).value;
      const [stats] = await ask<{ terminal: number } & Pick<RehearsalFigures, 'p50_ms' | 'p95_ms' | 'p99_ms'>>(STATS);
      if (stats === undefined || stats.terminal < messages) return undefined;
      const { terminal: _, ...percentiles } = stats;
      return {
        ...percentiles,
        reasons: await ask<RehearsalFigures['reasons'][number]>(REASONS),
        samples: await ask<RehearsalFigures['samples'][number]>(SAMPLES),
      };
    },
    close: reader.close,
  };
}
