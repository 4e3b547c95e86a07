import type { ReplayPlanView, ReplaySummaryView, ReplayView } from '@volley/contract/http';
import type { ReplayStatus, ReplayTarget } from '@volley/contract/replays';
import type { ReplayAction, ReplayAsk, ReplayChange, StandingReplay } from './core/replay.ts';
import type { IdempotencyKey, Result } from './ports.ts';

/* What the making and steering of replays asks of the world, and what the HTTP side asks of it. */
export type { ReplayAction, ReplayAsk, ReplayChange, StandingReplay } from './core/replay.ts';

/** Rows are made in a CampaignTransaction, beside the answer under an Idempotency-Key. */
export interface ReplayStore {
  find(tenantId: string, replayId: string): Promise<StandingReplay | undefined>;
  /** Newest first, below `before`; without ranges, progress, result and template, which may be large. */
  list(tenantId: string, page: { before?: string; limit: number }): Promise<StandingReplay[]>;
  /**
   * One transaction: nobody else changes the job between the decision and its effect, which is kept with who asked for it.
   * undefined: there is no such job.
   */
  change(
    tenantId: string,
    replayId: string,
    asked: { readonly action: ReplayAction; readonly by: string; readonly at: number },
    decide: (standing: StandingReplay) => Result<ReplayChange>,
  ): Promise<Result<StandingReplay> | undefined>;
  /** Jobs that have not ended. */
  unfinished(tenantId: string): Promise<number>;
  /** Records a second: the fastest of the last five of this target that were done and had a thousand or more. */
  pace(target: ReplayTarget): Promise<number | undefined>;
  counts(): Promise<{ readonly target: ReplayTarget; readonly status: ReplayStatus; readonly jobs: number }[]>;
}

/** Rejects with StreamUnavailable when the log does not answer. */
export interface ReplayLog {
  bounds(topic: string): Promise<{ start: number; end: number }[]>;
  /** By partition: offset of the first record that the log took at this time or later, else its next one. */
  offsetsAt(topic: string, atMs: number): Promise<number[]>;
  /** How long each topic keeps what it has, -1: for ever; undefined: that is not only a matter of time, or not known. */
  keptMs(topics: readonly string[]): Promise<(number | undefined)[]>;
}

export interface ReplayDesk {
  ask(
    asked: ReplayAsk,
    by: string,
    key?: IdempotencyKey,
  ): Promise<
    Result<
      { readonly status: 200; readonly body: ReplayPlanView } | { readonly status: 202; readonly body: ReplayView }
    >
  >;
  list(page: { before?: string; limit: number }): Promise<ReplaySummaryView[]>;
  find(replayId: string): Promise<ReplayView | undefined>;
  act(replayId: string, action: ReplayAction, by: string): Promise<Result<ReplayView> | undefined>;
}
