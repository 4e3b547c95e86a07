import { isTerminal, ordinalIn } from '@volley/contract';
import type {
  Analytics,
  Known,
  KnownPercentiles,
  MessageState,
  SeriesRow,
  Span,
  StoredUntil,
} from '../../analytics-ports.ts';
import { bucketBelow } from '../../core/latency.ts';
import { StoreUnavailable } from '../../ports.ts';
import { createLatest } from './latest.ts';
import {
  directPlacesSql,
  directStateSql,
  directStatesSql,
  failuresSql,
  histogramSql,
  percentilesSql,
  queuedSql,
  seriesSql,
  spanSql,
  statesSql,
  timelineSql,
} from './queries.ts';
import { createReader, type ReaderOptions } from './reader.ts';

export interface AnalyticsOptions extends Pick<ReaderOptions, 'url' | 'database' | 'clientId' | 'metric'> {
  readonly storedUntil: StoredUntil;
  readonly monotonicMs: () => number;
  readonly directWindow?: number;
}

/** Of figures, which take milliseconds each, and of lists, which may take seconds: neither stands in the other's way. */
const FIGURE_TURNS = { places: 4, queue: 256, waitMs: 2_000 };
const LIST_TURNS = { places: 3, queue: 32, waitMs: 2_000 };
/**
 * Direct messages that one question looks through, where a filter may match few of them. It takes 80 to 110 ms among 2,000,000
 * in one part and 450 to 670 ms in five, where all of them took 230 to 300 and 1,700 to 2,100 ms (2026-11-22, 2 cores shared
 * with other work, engine 26.7.2).
 */
const DIRECT_WINDOW = 200_000;
/** Of one message: a webhook that calls back may write any number. */
const MOST_EVENTS = 1_000;

const iso = (ms: number): string => new Date(ms).toISOString();
const mapped = <A, B>({ value, asOfMs }: Known<A>, to: (value: A) => B): Known<B> => ({ value: to(value), asOfMs });

type StateRow = Omit<MessageState, 'status' | 'queued_at' | 'occurred_at'> & {
  readonly state: string;
  readonly queued_ms: number;
  readonly occurred_ms: number;
};
const stateOf = ({ state, queued_ms, occurred_ms, ...row }: StateRow): MessageState => ({
  ...row,
  // A redrive puts it into the lane again: nothing of the run that begins is known yet.
  ...(state === 'redriven' && { reason: '' }),
  status: isTerminal(state) ? state : state === 'redriven' ? 'queued' : 'retrying',
  queued_at: iso(queued_ms),
  occurred_at: iso(occurred_ms),
});

/** Seconds, of a step. */
const atOf = (row: { readonly at?: number }) => (row.at === undefined ? {} : { at: iso(row.at * 1_000) });

export function createAnalytics(o: AnalyticsOptions): Analytics & { close(): Promise<void> } {
  const figures = createReader({ ...o, turns: FIGURE_TURNS });
  const lists = createReader({ ...o, turns: LIST_TURNS });
  const latest = createLatest<KnownPercentiles>({ monotonicMs: o.monotonicMs });

  return {
    async percentiles(of) {
      const ask = async (): Promise<KnownPercentiles> => {
        type Row = { percentiles: (number | null)[] };
        const { value, asOfMs } = await figures.ask<Row>({ ...percentilesSql(of.campaign_id), of });
        const [p50_ms = null, p95_ms = null, p99_ms = null] = value[0]?.percentiles ?? [];
        return { p50_ms, p95_ms, p99_ms, asOfMs, stale: false };
      };
      const { value, stale } = await latest(of.campaign_id, ask).catch((error: unknown) => {
        throw error instanceof StoreUnavailable ? error : new StoreUnavailable('clickhouse', String(error));
      });
      return { ...value, stale };
    },

    async span(of, gone) {
      const found = await figures.ask<Span>({ ...spanSql(of.campaign_id), of }, gone);
      return mapped(found, ([span]) => span ?? null);
    },

    series: (of, steps, gone) => figures.ask<SeriesRow>({ ...seriesSql(of.campaign_id, steps), of }, gone),

    async histogram(of, range, step, gone) {
      type Row = { at?: number; bucket_ms: number; count: number };
      const found = await figures.ask<Row>({ ...histogramSql(of.campaign_id, range, step), of }, gone);
      return mapped(found, (rows) =>
        rows.map(({ at, bucket_ms, count }) => ({
          ...atOf({ ...(at !== undefined && { at }) }),
          from_ms: bucketBelow(bucket_ms),
          to_ms: bucket_ms,
          count,
        })),
      );
    },

    async failures(of, range, step, gone) {
      type Row = {
        at?: number;
        reason: string;
        count: number;
        firstMs: number;
        lastMs: number;
        sample_ids: string[];
      };
      const found = await lists.ask<Row>({ ...failuresSql(of.campaign_id, range, step), of }, gone);
      return mapped(found, (rows) =>
        rows.map(({ at, firstMs, lastMs, ...row }) => ({
          ...atOf({ ...(at !== undefined && { at }) }),
          ...row,
          first: iso(firstMs),
          last: iso(lastMs),
        })),
      );
    },

    async states(of, want, gone) {
      const found = await lists.ask<StateRow>({ ...statesSql(of.campaign_id, want), of }, gone);
      return mapped(found, (rows) => rows.map(stateOf));
    },

    async queued(of, want, gone) {
      const found = await lists.ask<{ ordinal: number }>({ ...queuedSql(of.campaign_id, want), of }, gone);
      return mapped(found, (rows) => rows.map(({ ordinal }) => ordinal));
    },

    async directState(of, messageId, gone) {
      const found = await lists.ask<StateRow>({ ...directStateSql(of.campaign_id, messageId), of }, gone);
      return mapped(found, ([row]) => row && stateOf(row));
    },

    directPlaces: (of, messageId, gone) => lists.ask({ ...directPlacesSql(of.campaign_id, messageId), of }, gone),

    async directStates(of, want, gone) {
      type Row = StateRow & { matches: number; last_id: string; looked: number };
      const { window, ...sql } = directStatesSql(of.campaign_id, want, o.directWindow ?? DIRECT_WINDOW);
      return mapped(await lists.ask<Row>({ ...sql, of }, gone), (rows) => {
        const matching = rows.filter((row) => Number(row.matches) === 1).slice(0, want.limit);
        const found = matching.map(({ matches: _m, last_id: _l, looked: _n, ...row }) => stateOf(row));
        const [first] = rows;
        return { found, ...(first && first.looked === window && found.length < want.limit && { on: first.last_id }) };
      });
    },

    async timeline(of, messageId, gone) {
      const ordinal = ordinalIn(messageId, of.campaign_id) ?? 0;
      type Row = Record<string, unknown> & { kind: string; at: number };
      const sql = timelineSql(of.campaign_id, messageId, ordinal, MOST_EVENTS + 1);
      const found = await lists.ask<Row>({ ...sql, of }, gone);
      return mapped(found, (rows) => ({
        timeline: rows
          .slice(0, MOST_EVENTS)
          .map((row) => ({ ...row, at: iso(row.at) }))
          .reverse(),
        truncated: rows.length > MOST_EVENTS,
      }));
    },

    close: async () => void (await Promise.all([figures.close(), lists.close()])),
  };
}
