import { type CampaignStatus, isEnded, type Lane } from '@volley/contract';
import { type Failure, type FailureDetail, fail, ok, type Result } from './result.ts';

/** What a user may write and, while it is a draft, change. */
export interface CampaignContent {
  readonly name: string;
  readonly template: string;
  readonly subject: string;
  readonly from: string;
  readonly reply_to: string;
  readonly content_type: string;
  readonly channel: string;
  readonly provider: string;
  readonly segment_rule: string;
  readonly lane: Lane;
  /** Somebody asked for this lane; else direct messages take the one of their kind. */
  readonly lane_given?: boolean;
  readonly rate_per_second: number | null;
  readonly max_attempts: number | null;
  /** Epoch milliseconds. */
  readonly expires_at: number | null;
}

/** The fold of a campaign's events. Times are epoch milliseconds. */
export interface Campaign extends CampaignContent {
  readonly campaign_id: string;
  readonly tenant_id: string;
  readonly version: number;
  readonly status: CampaignStatus;
  readonly deleted: boolean;
  /** Size of the frozen audience; 0 before send. */
  readonly expected: number;
  /** Direct messages taken, counted before the log has them. No event tells of them: a fold has 0, the store the count. */
  readonly accepted: number;
  /** Takes direct messages, so it completes only after it was closed or cancelled. */
  readonly open: boolean;
  readonly spread: number;
  /** P at launch: a topic that grows later does not move this campaign's messages. */
  readonly partitions: number;
  /** Version of `sent` or `opened`: the lowest one with which its messages may be handled. */
  readonly sent_version: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly sent_at: number | null;
  readonly ended_at: number | null;
}

export type CampaignFact =
  | { readonly type: 'created'; readonly tenant_id: string; readonly content: CampaignContent }
  | { readonly type: 'changed'; readonly changes: Partial<CampaignContent> }
  | { readonly type: 'deleted' }
  | { readonly type: 'sent'; readonly expected: number; readonly spread: number; readonly partitions: number }
  /** By its first direct message. */
  | { readonly type: 'opened'; readonly spread: number; readonly partitions: number }
  | { readonly type: 'closed' }
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' }
  | { readonly type: 'cancel_requested' }
  | { readonly type: 'cancelled' }
  | { readonly type: 'completed'; readonly with_failures: boolean }
  | { readonly type: 'reopened'; readonly redrive_id: string };

export interface StoredFact {
  readonly event_id: string;
  readonly campaign_id: string;
  readonly version: number;
  readonly occurred_at: number;
  readonly fact: CampaignFact;
}

export type CampaignCommand =
  | { readonly type: 'create'; readonly tenant_id: string; readonly content: CampaignContent }
  | { readonly type: 'change'; readonly changes: Partial<CampaignContent> }
  | { readonly type: 'delete' }
  /** The audience was frozen in the same transaction: `expected` rows. */
  | { readonly type: 'send'; readonly expected: number; readonly spread: number; readonly partitions: number }
  | { readonly type: 'open'; readonly spread: number; readonly partitions: number }
  /** No more direct messages: it completes when those that it has have ended. */
  | { readonly type: 'close' }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  | { readonly type: 'cancel' }
  /** Every message has ended; `failures`: some of them failed, died or expired. */
  | { readonly type: 'complete'; readonly failures: boolean }
  /** Messages of it are about to be redriven. An event also where nothing changes: a `complete` under way must lose. */
  | { readonly type: 'reopen'; readonly redrive_id: string };

const STATUS_AFTER: Readonly<Partial<Record<CampaignFact['type'], CampaignStatus>>> = {
  created: 'draft',
  sent: 'running',
  opened: 'running',
  paused: 'paused',
  resumed: 'running',
  cancel_requested: 'cancelling',
  cancelled: 'cancelled',
};

/** A fact that happened is never refused: whatever is stored folds. */
export function fold(state: Campaign | undefined, stored: StoredFact): Campaign {
  const { fact, occurred_at: at } = stored;
  if (fact.type === 'created') {
    return {
      ...fact.content,
      campaign_id: stored.campaign_id,
      tenant_id: fact.tenant_id,
      version: stored.version,
      status: 'draft',
      deleted: false,
      expected: 0,
      accepted: 0,
      open: false,
      spread: 1,
      partitions: 0,
      sent_version: 0,
      created_at: at,
      updated_at: at,
      sent_at: null,
      ended_at: null,
    };
  }
  if (!state) throw new Error(`campaign ${stored.campaign_id} begins with ${fact.type}`);
  const next = {
    ...state,
    version: stored.version,
    updated_at: at,
    status: STATUS_AFTER[fact.type] ?? state.status,
  };
  if (fact.type === 'changed') return { ...next, ...fact.changes };
  if (fact.type === 'deleted') return { ...next, deleted: true };
  if (fact.type === 'cancelled') return { ...next, ended_at: at };
  if (fact.type === 'completed')
    return { ...next, status: fact.with_failures ? 'completed_with_failures' : 'completed', ended_at: at };
  if (fact.type === 'reopened') return isEnded(state.status) ? { ...next, status: 'running', ended_at: null } : next;
  if (fact.type === 'closed' || fact.type === 'cancel_requested') return { ...next, open: false };
  if (fact.type === 'opened') {
    const { spread, partitions } = fact;
    return { ...next, open: true, spread, partitions, sent_version: stored.version, sent_at: at };
  }
  if (fact.type === 'sent') {
    const { expected, spread, partitions } = fact;
    return { ...next, expected, spread, partitions, sent_version: stored.version, sent_at: at };
  }
  return next;
}

export const foldAll = (facts: readonly StoredFact[]): Campaign | undefined =>
  facts.reduce<Campaign | undefined>(fold, undefined);

/** From which status a command is allowed. Whatever is not in here is 409 `illegal_transition`. */
const ALLOWED: Readonly<Record<Exclude<CampaignCommand['type'], 'create'>, readonly CampaignStatus[]>> = {
  change: ['draft'],
  delete: ['draft'],
  send: ['draft'],
  open: ['draft'],
  close: ['running', 'paused'],
  pause: ['running'],
  resume: ['paused'],
  cancel: ['running', 'paused'],
  complete: ['running', 'paused', 'cancelling'],
  reopen: ['running', 'paused', 'completed', 'completed_with_failures'],
};

export const allows = (state: Campaign, command: Exclude<CampaignCommand['type'], 'create'>): boolean =>
  !state.deleted && ALLOWED[command].includes(state.status);

/** Pure: what happens if this command meets this state. */
export function decide(state: Campaign | undefined, command: CampaignCommand): Result<CampaignFact> {
  if (command.type === 'create') {
    if (state) return fail({ code: 'conflict', detail: 'there is a campaign with this id' });
    return ok({ type: 'created', tenant_id: command.tenant_id, content: command.content });
  }
  if (!state || state.deleted) return fail({ code: 'not_found', detail: 'there is no such campaign' });
  if (!allows(state, command.type)) {
    return fail({
      code: 'illegal_transition',
      detail: `${command.type} is not possible: the campaign is ${state.status}`,
      extra: { current_status: state.status },
    });
  }
  switch (command.type) {
    case 'change':
      return ok({ type: 'changed', changes: command.changes });
    case 'delete':
      return ok({ type: 'deleted' });
    case 'send': {
      if (command.expected === 0) return fail(emptyAudience());
      const { expected, spread, partitions } = command;
      return ok({ type: 'sent', expected, spread, partitions });
    }
    case 'open':
      return ok({ type: 'opened', spread: command.spread, partitions: command.partitions });
    case 'close':
      return state.open ? ok({ type: 'closed' }) : fail(takesNone(state, 'close is not possible'));
    case 'pause':
      return ok({ type: 'paused' });
    case 'resume':
      return ok({ type: 'resumed' });
    case 'cancel':
      return ok({ type: 'cancel_requested' });
    case 'complete':
      if (state.status === 'cancelling') return ok({ type: 'cancelled' });
      return ok({ type: 'completed', with_failures: command.failures });
    case 'reopen':
      return ok({ type: 'reopened', redrive_id: command.redrive_id });
  }
}

/** Why a campaign that was started takes no direct messages. */
export const takesNone = (state: Campaign, what: string): Failure => ({
  code: 'illegal_transition',
  detail:
    state.expected > 0
      ? `${what}: the campaign was sent to an audience and takes no direct messages`
      : `${what}: the campaign is closed`,
  extra: { current_status: state.status },
});

/** It was started by a direct message, and all of its messages are of that kind. */
export const hasNoAudience = (campaign: Pick<Campaign, 'expected' | 'sent_at'>): boolean =>
  campaign.expected === 0 && campaign.sent_at !== null;

const emptyAudience = () => {
  const errors: FailureDetail[] = [{ pointer: '/segment_rule', detail: 'no contact matches' }];
  return { code: 'empty_audience' as const, detail: 'the audience is empty: nothing was queued', errors };
};
