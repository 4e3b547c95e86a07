/**
 * Replay jobs: rows of the control store that ingest-api makes, and that the replay processes of sink and dispatcher
 * lease. The protocol of the lease stands here, because two services speak it. No I/O: the caller brings the query.
 */

/** analytics: statistics anew from the log. deliveries: messages again, nothing sent. rehearsal: a campaign, nobody written to. */
export const REPLAY_TARGETS = ['analytics', 'deliveries', 'rehearsal'] as const;
export type ReplayTarget = (typeof REPLAY_TARGETS)[number];

export const REPLAY_STATUSES = ['pending', 'running', 'paused', 'done', 'failed', 'cancelled'] as const;
export type ReplayStatus = (typeof REPLAY_STATUSES)[number];

/** Offsets [from, to) of one partition, frozen when the job is made. */
export interface ReplayRange {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

export const SWAP_RULES = ['if_equal', 'never', 'always'] as const;

export interface ReplayOptions {
  /** The log starts after what was asked for, and that is accepted. */
  readonly allow_gap: boolean;
  /** analytics: whether the rebuilt tables take the place of the live ones. */
  readonly swap: (typeof SWAP_RULES)[number];
  /** deliveries: after the comparison, what is failed, dead or expired is redriven. */
  readonly send: boolean;
  /** deliveries: rendered with these instead of the campaign's own. */
  readonly template?: string;
  readonly subject?: string;
}

/** Times are epoch milliseconds. */
export interface ReplayJob {
  readonly replay_id: string;
  readonly tenant_id: string;
  readonly target: ReplayTarget;
  readonly status: ReplayStatus;
  /** The runner's own word for what it is at. */
  readonly phase: string;
  /** Why it was asked for, and the name of the credential that asked. */
  readonly reason: string;
  readonly asked_by: string;
  readonly campaign_id?: string;
  readonly from?: number;
  readonly to?: number;
  readonly kinds?: readonly string[];
  readonly rate_per_second: number | null;
  readonly options: ReplayOptions;
  readonly ranges: readonly ReplayRange[];
  /** Records in the ranges; of a rehearsal: messages. */
  readonly total: number;
  readonly done: number;
  /** The runner's own, JSON: what it goes on from. */
  readonly progress: unknown;
  readonly result: unknown;
  readonly error: string | null;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  /** A swap is to be taken back. Set on a job that had ended; ending it again clears it. */
  readonly undo_requested: boolean;
}

/** What ingest-api and the command line read of an analytics replay's `result`; the rest of it is the runner's own. */
export interface AnalyticsVerdict {
  readonly equal: boolean;
  /** The rebuilt tables are the live ones. */
  readonly swapped: boolean;
  /** ISO time: the tables from before the swap are kept till then, and only while they are can it be undone. */
  readonly undo_until?: string | null;
  readonly undone?: boolean;
}

/** Text with $1…, parameters -> rows. Rejects when the store does not answer: then nothing is known of what was asked. */
export type Query = <R>(sql: string, params: readonly unknown[]) => Promise<R[]>;

export interface HeldReplay {
  /** As it was claimed. */
  readonly job: ReplayJob;
  /** Rises with every claim: who has an older one writes nothing. */
  readonly fence: number;
  /** Nobody else can hold it yet: by this process's monotonic clock, from before the store was asked, less a tenth. */
  valid(): boolean;
}

/** Absent: as it was. */
export interface ReplaySave {
  readonly phase?: string;
  readonly done?: number;
  readonly progress?: unknown;
  readonly result?: unknown;
}

export interface ReplayEnd {
  /** `paused` only when that was asked for: one that was resumed or cancelled meanwhile can be claimed again at once. */
  readonly status: 'done' | 'failed' | 'cancelled' | 'paused';
  readonly result?: unknown;
  /** Cut to 2,000 characters. */
  readonly error?: string;
}

export interface ReplayLeases {
  /**
   * The oldest job of these targets that is pending, was resumed, was left by a dead owner, or is asked to be undone. Also
   * one that was to be paused or cancelled: the first save says so, and whoever has worked on it cleans up.
   */
  claim(targets: readonly ReplayTarget[]): Promise<HeldReplay | undefined>;
  /** Saves and renews, at least every REPLAY_SAVE_MS. What is asked of the job meanwhile; 'lost': it belongs to another. */
  save(held: HeldReplay, what: ReplaySave): Promise<{ pause: boolean; cancel: boolean } | 'lost'>;
  /** Ends this holding. Progress stays as last saved. */
  end(held: HeldReplay, as: ReplayEnd): Promise<'saved' | 'lost'>;
  /** An orderly stop: the next process may claim it at once. */
  release(held: HeldReplay): Promise<void>;
}

export const REPLAY_LEASE_MS = 10_000;
/** Three tries before the lease ends. */
export const REPLAY_SAVE_MS = 3_000;
/** Of progress and of result each, as JSON: both are written whole at every save. */
export const MAX_REPLAY_STATE_BYTES = 1_048_576;
const MAX_ERROR_CHARS = 2_000;

const ms = (column: string): string => `floor(extract(epoch FROM ${column}) * 1000)`;

const jobSql = (options: string, ranges: string, progress: string, result: string): string => `jsonb_build_object(
  'replay_id', replay_id, 'tenant_id', tenant_id, 'target', target, 'status', status, 'phase', phase,
  'reason', reason_text, 'asked_by', asked_by, 'campaign_id', campaign_id,
  'from', ${ms('from_at')}, 'to', ${ms('to_at')}, 'kinds', kinds,
  'rate_per_second', rate_per_second, 'options', ${options}, 'ranges', ${ranges}, 'total', total, 'done', done,
  'progress', ${progress}, 'result', ${result}, 'error', error, 'created_at', ${ms('created_at')},
  'started_at', ${ms('started_at')}, 'finished_at', ${ms('finished_at')}, 'undo_requested', undo_requested) AS job`;

/** One column `job`: JSON, so that what becomes of int8 and times does not depend on how a service has set up its client. */
export const REPLAY_JOB_SQL = jobSql('options', 'ranges', 'progress', 'result');
/** For lists: without what may be large. */
export const REPLAY_BRIEF_SQL = jobSql("options - 'template' - 'subject'", "'[]'::jsonb", 'NULL', 'NULL');

/** Of the column `job`: what was not asked for is absent. */
export function replayJobOf(job: ReplayJob): ReplayJob {
  const { campaign_id, from, to, kinds, ...rest } = job;
  return {
    ...rest,
    ...(campaign_id == null ? {} : { campaign_id }),
    ...(from == null ? {} : { from }),
    ...(to == null ? {} : { to }),
    ...(kinds == null ? {} : { kinds }),
  };
}

/** Texts that Postgres does not take in JSON (NUL, half of a surrogate pair) come from templates and providers. */
const storable = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? value.toWellFormed().replaceAll('\u0000', '\ufffd') : value;

/** null: leaves the column as it is. Throws RangeError above MAX_REPLAY_STATE_BYTES: a runner bounds what it keeps. */
export function replayStateText(what: string, value: unknown): string | null {
  if (value === undefined) return null;
  const text = JSON.stringify(value, storable);
  if (Buffer.byteLength(text) > MAX_REPLAY_STATE_BYTES)
    throw new RangeError(`the ${what} of a replay is above ${MAX_REPLAY_STATE_BYTES} bytes`);
  return text;
}

export const replayErrorText = (error: string | undefined): string | null =>
  error === undefined ? null : error.slice(0, MAX_ERROR_CHARS).toWellFormed().replaceAll('\u0000', '\ufffd');

/** How long a lease that was asked for at `askedAtMs` counts here. */
export const replayLeaseEnd = (askedAtMs: number): number => askedAtMs + REPLAY_LEASE_MS * 0.9;

const CLAIM = `
UPDATE replays SET status = 'running', owner = $2, fence = fence + 1, error = NULL, finished_at = NULL,
  started_at = coalesce(started_at, now()), lease_until = now() + $3 * interval '1 ms'
WHERE replay_id = (
  SELECT replay_id FROM replays
  WHERE target = ANY($1::text[])
    AND (status = 'pending' OR (status = 'running' AND lease_until < now())
      OR (undo_requested AND status IN ('done', 'failed', 'cancelled')))
  ORDER BY replay_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING fence::integer AS fence, ${REPLAY_JOB_SQL}`;

const SAVE = `
UPDATE replays SET phase = coalesce($4, phase), done = coalesce($5::bigint, done),
  progress = coalesce($6::jsonb, progress), result = coalesce($7::jsonb, result),
  lease_until = now() + $8 * interval '1 ms'
WHERE replay_id = $1 AND owner = $2 AND fence = $3 AND status = 'running'
RETURNING pause_requested AS pause, cancel_requested AS cancel`;

/** Paused, and meanwhile resumed or cancelled: pending, so that somebody goes on with it, or cleans up after it. */
const END = `
UPDATE replays SET
  status = CASE WHEN $4::text = 'paused' AND (cancel_requested OR NOT pause_requested) THEN 'pending' ELSE $4::text END,
  result = coalesce($5::jsonb, result), error = $6, owner = '', lease_until = '-infinity', pause_requested = false,
  cancel_requested = cancel_requested AND $4 = 'paused', undo_requested = undo_requested AND $4 = 'paused',
  finished_at = CASE WHEN $4 = 'paused' THEN NULL ELSE now() END
WHERE replay_id = $1 AND owner = $2 AND fence = $3 AND status = 'running'
RETURNING 1 AS ended`;

const RELEASE = `
UPDATE replays SET status = 'pending', owner = '', lease_until = '-infinity'
WHERE replay_id = $1 AND owner = $2 AND fence = $3 AND status = 'running'`;

/** `owner` is shown to operators; the fence, not the name, keeps two processes apart. */
export function createReplayLeases(
  query: Query,
  o: { readonly owner: string; readonly monotonicMs: () => number },
): ReplayLeases {
  const ends = new WeakMap<HeldReplay, number>();
  const place = (held: HeldReplay) => [held.job.replay_id, o.owner, held.fence];
  return {
    async claim(targets) {
      const asked = o.monotonicMs();
      const [row] = await query<{ fence: number; job: ReplayJob }>(CLAIM, [targets, o.owner, REPLAY_LEASE_MS]);
      if (!row) return undefined;
      const held: HeldReplay = {
        job: replayJobOf(row.job),
        fence: row.fence,
        valid: () => o.monotonicMs() < (ends.get(held) ?? Number.NEGATIVE_INFINITY),
      };
      ends.set(held, replayLeaseEnd(asked));
      return held;
    },
    async save(held, { phase = null, done = null, progress, result }) {
      const asked = o.monotonicMs();
      const state = [replayStateText('progress', progress), replayStateText('result', result)];
      const [row] = await query<{ pause: boolean; cancel: boolean }>(SAVE, [
        ...place(held),
        phase,
        done,
        ...state,
        REPLAY_LEASE_MS,
      ]);
      if (!row) ends.delete(held);
      else ends.set(held, replayLeaseEnd(asked));
      return row ?? 'lost';
    },
    async end(held, { status, result, error }) {
      const params = [...place(held), status, replayStateText('result', result), replayErrorText(error)];
      const rows = await query(END, params);
      ends.delete(held);
      return rows.length > 0 ? 'saved' : 'lost';
    },
    async release(held) {
      ends.delete(held);
      await query(RELEASE, place(held));
    },
  };
}
