import { setTimeout as sleep } from 'node:timers/promises';
import type { StatsView } from '@volley/contract/http';
import type { Target } from './outcomes.ts';

/** The public API, as far as a load needs it. Rejects for what is no 2xx. */
export interface LoadApi {
  request<T>(method: string, path: string, body?: unknown): Promise<T>;
  upload<T>(path: string, contentType: string, body: AsyncIterable<Uint8Array>): Promise<T>;
}

export const STATES = ['queued', 'retrying', 'sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired'] as const;
export type State = (typeof STATES)[number];
const ENDS = ['sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired'] as const;

/** What became of everything that was accepted, by the public statistics. */
export interface Accounts {
  /** Messages that were answered with a 2xx. */
  readonly accepted: number;
  /** Messages of requests of which nobody knows: each is there once or not at all. */
  readonly unknown: number;
  readonly total: number;
  readonly ended: number;
  readonly states: Readonly<Record<State, number>>;
  readonly accounted: boolean;
  /** Why not. */
  readonly problems: readonly string[];
}

export const endedOf = (stats: Pick<StatsView, (typeof ENDS)[number]>): number =>
  ENDS.reduce((sum, state) => sum + stats[state], 0);

/** Accepted = sum of terminal states, to the message. */
export function accountsOf(accepted: number, unknown: number, stats: readonly StatsView[]): Accounts {
  const states = Object.fromEntries(
    STATES.map((state) => [state, stats.reduce((sum, s) => sum + s[state], 0)]),
  ) as Record<State, number>;
  const total = stats.reduce((sum, s) => sum + s.total, 0);
  const ended = endedOf(states);
  const problems: string[] = [];
  if (total < accepted) problems.push(`${accepted} messages were accepted, and only ${total} are counted`);
  if (total > accepted + unknown)
    problems.push(`${total} messages are counted, and at most ${accepted + unknown} were sent`);
  if (ended !== total) problems.push(`${total - ended} of ${total} messages have not ended`);
  return { accepted, unknown, total, ended, states, accounted: problems.length === 0, problems };
}

const AT_ONCE = 8;
const AGAIN_MS = 250;
const SETTLED = new Set(['draft', 'completed', 'completed_with_failures', 'cancelled', 'failed']);

/**
 * The statistics of all campaigns once each has ended, or as they are when the time is up. What cannot be asked is asked again: the
 * API may be away for a while.
 */
export async function settle(
  api: LoadApi,
  targets: readonly Target[],
  o: { readonly timeoutMs: number; readonly progress?: (ended: number, of: number) => void },
): Promise<StatsView[]> {
  const untilMs = performance.now() + o.timeoutMs;
  const known = new Map<string, StatsView>();
  let open = targets.map((t) => t.campaignId);
  for (;;) {
    for (let at = 0; at < open.length; at += AT_ONCE) {
      const some = open.slice(at, at + AT_ONCE);
      const answers = await Promise.allSettled(
        some.map((id) => api.request<StatsView>('GET', `/v1/campaigns/${id}/stats`)),
      );
      for (const [i, answer] of answers.entries())
        if (answer.status === 'fulfilled') known.set(some[i] as string, answer.value);
    }
    open = open.filter((id) => {
      const stats = known.get(id);
      return stats === undefined || !SETTLED.has(stats.status) || endedOf(stats) < stats.total;
    });
    const all = [...known.values()];
    o.progress?.(
      all.reduce((sum, s) => sum + endedOf(s), 0),
      all.reduce((sum, s) => sum + s.total, 0),
    );
    if (open.length === 0 || performance.now() >= untilMs) return all;
    await sleep(AGAIN_MS);
  }
}
