import type { DispatcherBreaker, DispatcherProvider } from '@volley/contract';
import type { Clock, Metrics } from '@volley/runtime';
import type { Breakers } from '../core/breakers.ts';
import type { Limits } from '../core/limits.ts';
import type { METRICS } from '../metrics.ts';

/** What this process knows of its providers, as operators see it. */
export interface LimitsView {
  readonly breakers: readonly DispatcherBreaker[];
  readonly providers: readonly DispatcherProvider[];
}

const PLACE_KEY = /^(.*)\/provider:([^/]+)(?:\/(.*))?$/;
/** Of breakers that are not closed, the row of a dispatcher names this many; the metrics count all. */
const SHOWN_BREAKERS = 100;

const finite = (n: number): number | null => (Number.isFinite(n) ? n : null);

export function createLimitsReport(options: {
  readonly limits: Limits;
  readonly breakers: Breakers;
  readonly isPostgresAway: () => boolean;
  readonly metrics: Metrics<typeof METRICS>;
  readonly clock: Clock;
}): { view(): LimitsView; report(): void } {
  const { m } = options.metrics;
  const reported = new Set<string>();

  const view = (): LimitsView => {
    const nowMs = options.clock.monotonicMs();
    const epochOf = (atMs: number) => Math.round(options.clock.now() + atMs - nowMs);
    return {
      breakers: options.breakers.open().map(({ key, state, untilMs }) => {
        const [, tenant = '', provider = '', host = null] = PLACE_KEY.exec(key) ?? [];
        return { tenant_id: tenant, provider, host, state, probe_at: epochOf(untilMs) };
      }),
      providers: options.limits.state(nowMs).map((p) => ({
        tenant_id: p.tenantId,
        provider: p.provider,
        calls: p.calls,
        limit: finite(p.limit),
        ceiling: finite(p.ceiling),
        rate_per_second: p.ratePerSecond ?? null,
        share: p.share,
        blocked_until: p.blockedUntilMs === 0 ? null : epochOf(p.blockedUntilMs),
      })),
    };
  };

  return {
    view() {
      const { breakers, providers } = view();
      return { breakers: breakers.slice(0, SHOWN_BREAKERS), providers };
    },
    report() {
      const { breakers, providers } = view();
      const open = new Map<string, number>();
      for (const { provider } of breakers) open.set(provider, (open.get(provider) ?? 0) + 1);
      for (const provider of open.keys()) reported.add(provider);
      for (const provider of reported) m.openBreakers.set(open.get(provider) ?? 0, { provider });
      for (const { provider, tenant_id, calls, limit, share } of providers) {
        const labels = { tenant: tenant_id, provider };
        m.providerCalls.set(calls, labels);
        if (limit !== null) m.providerLimit.set(limit, labels);
        m.providerShare.set(share, labels);
      }
      m.postgresAway.set(options.isPostgresAway() ? 1 : 0);
    },
  };
}
