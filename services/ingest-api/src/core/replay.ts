import type { AnalyticsVerdict, ReplayJob, ReplayOptions, ReplayStatus, ReplayTarget } from '@volley/contract/replays';
import { type FailureDetail, fail, ok, type Result } from './result.ts';

/** What was asked for, as it came. Times are epoch milliseconds. */
export interface ReplayAsk {
  readonly target: ReplayTarget;
  readonly campaign_id?: string;
  readonly from?: number;
  readonly to?: number;
  readonly kinds?: readonly string[];
  readonly rate_per_second?: number;
  readonly dry_run: boolean;
  readonly allow_gap: boolean;
  readonly swap?: ReplayOptions['swap'];
  readonly send: boolean;
  readonly confirm: boolean;
  readonly template?: string;
  readonly subject?: string;
  readonly reason: string;
}

export const REPLAY_ACTIONS = ['pause', 'resume', 'cancel', 'undo'] as const;
export type ReplayAction = (typeof REPLAY_ACTIONS)[number];

export interface StandingReplay {
  readonly job: ReplayJob;
  readonly pauseRequested: boolean;
  readonly cancelRequested: boolean;
  readonly actions: readonly { readonly at: number; readonly by: string; readonly action: ReplayAction }[];
}

/** What an action changes; what is absent stays. */
export interface ReplayChange {
  readonly status?: ReplayStatus;
  readonly pauseRequested?: boolean;
  readonly cancelRequested?: boolean;
  readonly undoRequested?: boolean;
  /** It ends now: nobody has begun with it. */
  readonly ended?: true;
}

const ENDED: ReadonlySet<ReplayStatus> = new Set(['done', 'failed', 'cancelled']);
export const replayHasEnded = ({ status, undo_requested }: ReplayJob): boolean => ENDED.has(status) && !undo_requested;

const NOTHING: Result<ReplayChange> = ok({});

/**
 * What becomes of a job when somebody asks for something; asked for again, it changes nothing. A job that nobody works on is
 * changed here. One that a process may be working on, or has built something for, is only told: the process does it.
 */
export function decideReplay(s: StandingReplay, action: ReplayAction, nowMs: number): Result<ReplayChange> {
  const { job } = s;
  const hasEnded = ENDED.has(job.status);
  const refuse = (why: string) =>
    fail({
      code: 'illegal_transition',
      detail: `the replay is ${job.status}: ${why}`,
      extra: { current_status: job.status },
    });

  if (action === 'undo') {
    if (job.undo_requested) return NOTHING;
    if (job.target !== 'analytics') return refuse('only a swap of statistics can be undone');
    if (!hasEnded) return refuse('it can be undone after its end, or cancelled now');
    const { swapped, undone, undo_until } = (job.result ?? {}) as Partial<AnalyticsVerdict>;
    if (swapped !== true || undone === true) return refuse('there is no swap to be undone');
    if (undo_until && Date.parse(undo_until) <= nowMs)
      return refuse(`the tables from before were kept till ${undo_until}`);
    return ok({ undoRequested: true });
  }

  if (hasEnded) {
    // Asked to be undone, and nobody has begun with that.
    if (action === 'cancel' && job.undo_requested) return ok({ undoRequested: false });
    if (action === 'cancel' && job.status === 'cancelled') return NOTHING;
    return refuse('it has ended');
  }
  if (action === 'cancel') {
    if (s.cancelRequested) return NOTHING;
    if (job.status === 'running') return ok({ cancelRequested: true });
    if (job.started_at === null) return ok({ status: 'cancelled', ended: true });
    // What it has built is removed by a process of its target.
    return ok({ status: 'pending', cancelRequested: true });
  }
  if (s.cancelRequested) return refuse('it is being cancelled');
  if (action === 'pause') {
    if (job.status === 'paused' || s.pauseRequested) return NOTHING;
    return ok(job.status === 'running' ? { pauseRequested: true } : { status: 'paused' });
  }
  if (job.status === 'paused') return ok({ status: 'pending', pauseRequested: false });
  return s.pauseRequested ? ok({ pauseRequested: false }) : NOTHING;
}

/** Which fields a target takes; anything else given is a mistake and not ignored. */
const FIELDS: Readonly<Record<ReplayTarget, readonly (keyof ReplayAsk)[]>> = {
  analytics: ['campaign_id', 'from', 'to', 'kinds', 'allow_gap', 'swap'],
  deliveries: ['campaign_id', 'from', 'to', 'allow_gap', 'send', 'confirm', 'template', 'subject'],
  rehearsal: ['campaign_id'],
};
const OPTIONAL = [
  ...['campaign_id', 'from', 'to', 'kinds', 'allow_gap', 'swap', 'send', 'confirm', 'template', 'subject'],
] as readonly (keyof ReplayAsk)[];

/** A part of the log: what is rebuilt from it is less than what stands there. */
const isPart = (a: ReplayAsk): boolean => [a.campaign_id, a.from, a.to, a.kinds].some((given) => given !== undefined);

export const optionsOf = (a: ReplayAsk): ReplayOptions => ({
  allow_gap: a.allow_gap,
  swap: a.target !== 'analytics' ? 'never' : (a.swap ?? (isPart(a) ? 'never' : 'if_equal')),
  send: a.send,
  ...(a.template === undefined ? {} : { template: a.template }),
  ...(a.subject === undefined ? {} : { subject: a.subject }),
});

/** Everything that can be said without asking anybody; undefined: it makes sense. */
export function checkAsk(a: ReplayAsk): ReturnType<typeof fail> | undefined {
  const errors: FailureDetail[] = [];
  const wrong = (field: keyof ReplayAsk, detail: string) => void errors.push({ pointer: `/${field}`, detail });
  for (const field of OPTIONAL)
    if (a[field] !== undefined && a[field] !== false && !FIELDS[a.target].includes(field))
      wrong(field, `means nothing to ${a.target}`);
  if (a.target !== 'analytics' && a.campaign_id === undefined) wrong('campaign_id', `is needed for ${a.target}`);
  if (a.from !== undefined && a.to !== undefined && a.to <= a.from) wrong('to', 'is not after from');
  if (a.target === 'analytics' && isPart(a) && a.swap !== undefined && a.swap !== 'never')
    wrong('swap', 'a part of the log cannot take the place of the whole: leave out campaign_id, from, to and kinds');
  if (a.send) {
    for (const field of ['template', 'subject'] as const)
      if (a[field] !== undefined) wrong(field, "what is sent again is the campaign's own: compare first, without send");
    for (const field of ['from', 'to'] as const)
      if (a[field] !== undefined) wrong(field, 'what failed is sent again for the whole campaign');
  }
  if (errors.length > 0) return fail({ code: 'validation_failed', detail: 'the replay is not possible', errors });
  if (a.send && !a.confirm && !a.dry_run) {
    const detail = 'it would send messages again: say so once more with confirm';
    return fail({ code: 'confirmation_needed', detail, errors: [{ pointer: '/confirm', detail: 'is not true' }] });
  }
  return undefined;
}

export interface Estimate {
  readonly seconds: number | null;
  readonly records_per_second: number | null;
  readonly by: 'rate' | 'earlier_replays' | 'nothing';
}

/** `earlier`: records a second of replays of the same target; undefined: there were none. */
export function estimateOf(total: number, rate: number | undefined, earlier: number | undefined): Estimate {
  const pace = Math.min(rate ?? Number.POSITIVE_INFINITY, earlier ?? Number.POSITIVE_INFINITY);
  if (!Number.isFinite(pace)) return { seconds: total === 0 ? 0 : null, records_per_second: null, by: 'nothing' };
  const by = rate !== undefined && rate <= pace ? 'rate' : 'earlier_replays';
  return { seconds: Math.ceil(total / pace), records_per_second: pace, by };
}
