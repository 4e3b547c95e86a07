import type { FailuresView, HistogramView, SeriesView } from '@volley/contract/http';
import type { Campaign } from './core/campaign.ts';
import type { Result } from './core/result.ts';
import type { Range, SeriesRow, Span, Step, Steps } from './core/series.ts';
import type { KnownPercentiles } from './core/stats.ts';

/*
 * What is asked of the analytics store, and what the HTTP side asks about messages and over time.
 */
export type { Range, SeriesRow, Span, Step, Steps } from './core/series.ts';
export type { KnownPercentiles } from './core/stats.ts';

/** Which campaign, and over how many partitions its events may be spread. */
export interface CampaignKey {
  readonly campaign_id: string;
  readonly spread: number;
  /** 0: none of its messages was written yet. */
  readonly partitions: number;
}

/** Epoch milliseconds: every event of this campaign that the log had then is stored. null: not known. Never rejects. */
export type StoredUntil = (campaign?: CampaignKey) => Promise<number | null>;

export interface Known<T> {
  readonly value: T;
  /** From before the question was asked: what was in the log then is in the answer. */
  readonly asOfMs: number | null;
}

export interface MessageState {
  /** 0: a direct message. */
  readonly ordinal: number;
  readonly message_id: string;
  readonly recipient: string;
  readonly status: string;
  readonly attempts: number;
  readonly reason: string;
  readonly queued_at: string;
  readonly occurred_at: string;
}

export interface StateFilter {
  /** `queued`: those that were put into their lanes again. A message without an event is not among them. */
  readonly status?: string;
  readonly reason?: string;
}

/** Ordinals above `after`, up to and with `last`. */
export interface Ordinals {
  readonly after: number;
  readonly last: number;
}

/*
 * Every method rejects with StoreUnavailable when ClickHouse does not answer within a bound, or too many ask already.
 * Identical questions that are asked at the same time are one; it ends when all that asked have gone (`gone`).
 */

/** Figures of a campaign, from rollups: a question reads as many rows as there are minutes or hours, not events. */
export interface CampaignFigures {
  /** Within a fraction of a second: the last ones that are known, when the question takes longer. */
  percentiles(campaign: CampaignKey): Promise<KnownPercentiles>;
  /** null: nothing happened. */
  span(campaign: CampaignKey, gone?: AbortSignal): Promise<Known<Span | null>>;
  /** Steps in which something happened, in order. */
  series(campaign: CampaignKey, steps: Steps, gone?: AbortSignal): Promise<Known<SeriesRow[]>>;
  histogram(
    campaign: CampaignKey,
    range: Range,
    step?: Step,
    gone?: AbortSignal,
  ): Promise<Known<HistogramView['data']>>;
  failures(campaign: CampaignKey, range: Range, step?: Step, gone?: AbortSignal): Promise<Known<FailuresView['data']>>;
}

export interface DirectWant extends StateFilter {
  readonly after: string;
  readonly limit: number;
  /** Without case. */
  readonly recipient?: string;
}
/** Lane and partition are those of its events. */
export interface MessagePlace {
  readonly lane: string;
  readonly partition: number;
  readonly queuedAtMs: number;
}
export interface DirectStates {
  readonly found: readonly MessageState[];
  /** The id up to which it looked, found less than `limit`, and there may be more; undefined: to the end. */
  readonly on?: string;
}

export interface Timeline {
  readonly timeline: readonly (Record<string, unknown> & { kind: string; at: string })[];
  /** There are more, and these are the newest. */
  readonly truncated: boolean;
}

/** Where messages stand. */
export interface MessageIndex {
  /** The first `limit` of these that match. An event of a message that has not the place it claims says nothing. */
  states(
    campaign: CampaignKey,
    want: Ordinals & StateFilter & { readonly limit: number },
    gone?: AbortSignal,
  ): Promise<Known<MessageState[]>>;
  /** The first `limit` of these of which nothing is known of their latest run: ordinals. */
  queued(
    campaign: CampaignKey,
    want: Ordinals & { readonly limit: number },
    gone?: AbortSignal,
  ): Promise<Known<number[]>>;
  /** Of a direct message; undefined: nothing is known of it. */
  directState(campaign: CampaignKey, messageId: string, gone?: AbortSignal): Promise<Known<MessageState | undefined>>;
  /** Where a direct message has events, and when the latest run of these was queued; none: nothing is known of it. */
  directPlaces(campaign: CampaignKey, messageId: string, gone?: AbortSignal): Promise<Known<MessagePlace[]>>;
  /** Of direct messages, by their ids: the first `limit` that match. It looks through a bounded number of them. */
  directStates(campaign: CampaignKey, want: DirectWant, gone?: AbortSignal): Promise<Known<DirectStates>>;
  /** Events of one message in the order of the log, repeats marked. */
  timeline(campaign: CampaignKey, messageId: string, gone?: AbortSignal): Promise<Known<Timeline>>;
}

export type Analytics = CampaignFigures & MessageIndex;

// ---- what the HTTP side uses --------------------------------------------------------------------------------------

export interface ReportQuery {
  /** RFC 3339. */
  readonly from?: string;
  readonly to?: string;
  readonly step?: Step;
}

export interface CampaignReports {
  series(campaignId: string, query: ReportQuery, gone?: AbortSignal): Promise<Result<SeriesView>>;
  histogram(campaignId: string, query: ReportQuery, gone?: AbortSignal): Promise<Result<HistogramView>>;
  failures(campaignId: string, query: ReportQuery, gone?: AbortSignal): Promise<Result<FailuresView>>;
}

export interface MessageFilter {
  readonly status?: string;
  /** Without case. */
  readonly recipient?: string;
  readonly reason?: string;
}

export interface MessageView {
  readonly message_id: string;
  readonly recipient: string;
  readonly tags: readonly string[];
  readonly status: string;
  readonly attempts: number;
  readonly reason: string | null;
  readonly queued_at: string | null;
  readonly occurred_at: string | null;
}

export interface Completeness {
  readonly as_of: string | null;
  readonly lag_ms: number | null;
}

export interface MessagePage extends Completeness {
  readonly data: readonly MessageView[];
  /** Where to go on; undefined: there are no more. A page may have fewer than were wanted, even none, and go on. */
  readonly next?: string;
}

export interface MessageDetail extends MessageView, Completeness, Timeline {
  readonly campaign_id: string;
  readonly accepted_at: string;
}

export interface MessageReads {
  /** Of a campaign without an audience by message id, of others by ordinal. `after` is a `next`, absent: from the first. */
  page(
    campaign: CampaignKey & Pick<Campaign, 'expected' | 'sent_at'>,
    want: MessageFilter & { readonly limit: number; readonly after?: string },
    gone?: AbortSignal,
  ): Promise<MessagePage>;
  /** Everything about one message; undefined: there is none. */
  one(messageId: string, gone?: AbortSignal): Promise<MessageDetail | undefined>;
}
