import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ApiProblem } from '../api/client.ts';
import { waitMsAfter } from '../api/retry.ts';
import type { StatsView } from '../api/types.ts';
import { readStats } from './stats-stream.ts';
import { unseenFor, untilSeen } from './while-seen.ts';

/** `live`: it comes as it happens. `broken`: it did, and is tried again. `ended`: nothing more will come. */
export type Liveness = 'connecting' | 'live' | 'broken' | 'ended';

const AGAIN_MS = [500, 1_000, 2_000, 4_000];
/** A browser has six connections to one host: a stream that nobody looks at keeps one from another tab. */
const UNSEEN_MS = 10_000;

const TERMINAL: ReadonlySet<string> = new Set(['completed', 'completed_with_failures', 'cancelled', 'failed']);

export interface LiveStats {
  readonly stats: StatsView | undefined;
  readonly liveness: Liveness;
  /** By the clock of this page: when the last figures arrived. */
  readonly heardAtMs: number | undefined;
  readonly problem: ApiProblem | undefined;
}

/**
 * Statistics of one campaign as the API sends them. What arrives is shared with every other view of the same figures
 * (query key `['stats', id]`). A change of `epoch` (a redrive, a resume) begins a stream that had ended again.
 */
export function useLiveStats(campaignId: string, epoch: string): LiveStats {
  const cache = useQueryClient();
  const [state, setState] = useState<LiveStats>({
    stats: cache.getQueryData(['stats', campaignId]),
    liveness: 'connecting',
    heardAtMs: undefined,
    problem: undefined,
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new epoch is a new stream
  useEffect(() => {
    const gone = new AbortController();
    const change = (part: Partial<LiveStats>) => {
      if (!gone.signal.aborted) setState((before) => ({ ...before, ...part }));
    };
    change({ stats: cache.getQueryData(['stats', campaignId]), liveness: 'connecting', problem: undefined });
    const run = async () => {
      // Of an ended campaign the last percentiles still come; its counts are the last, also when the stream breaks.
      let isFinal = false;
      for (let failures = 0; !gone.signal.aborted; failures++) {
        await untilSeen(gone.signal);
        const unseen = unseenFor(UNSEEN_MS);
        let waitMs = AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)] ?? 1_000;
        try {
          await readStats(
            campaignId,
            (stats) => {
              failures = 0;
              isFinal = TERMINAL.has(stats.status);
              cache.setQueryData(['stats', campaignId], stats);
              change({ stats, liveness: isFinal ? 'ended' : 'live', heardAtMs: Date.now(), problem: undefined });
            },
            AbortSignal.any([gone.signal, unseen.signal]),
          );
          return change({ liveness: 'ended' });
        } catch (error) {
          const problem = error instanceof ApiProblem ? error : undefined;
          if (unseen.signal.aborted || problem?.code === 'unauthorized') {
            // Nothing is broken: it goes on when it is looked at, or with another key.
            change({ liveness: isFinal ? 'ended' : 'connecting', problem: undefined });
            waitMs = 0;
          } else {
            change({ liveness: isFinal ? 'ended' : 'broken', problem });
            if (problem && problem.status < 500 && problem.code !== 'busy') return;
            waitMs = waitMsAfter(error, waitMs);
          }
        } finally {
          unseen.forget();
        }
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    };
    void run();
    return () => gone.abort();
  }, [campaignId, epoch, cache]);

  return state;
}
