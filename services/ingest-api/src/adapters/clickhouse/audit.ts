import { messageIdOf } from '@volley/contract';
import type { AuditReader, CampaignFacts, Named } from '../../audit-ports.ts';
import { differingCounters } from '../../core/audit.ts';
import {
  type BucketFigure,
  bucketIdsSql,
  bucketsApartSql,
  DERIVED_SQL,
  DOUBLED_OFFSETS_SQL,
  FAILURES_SQL,
  IDS_SQL,
  KINDS_SQL,
  LAST_EVENTS_SQL,
  LISTED_SQL,
  MISSING_OFFSETS_SQL,
  MISSING_SQL,
  OFFSETS_AT_ONCE,
  PARTITIONS_SQL,
  PARTS_SQL,
  ROWS_SQL,
  STATES_APART_SQL,
  STATS_SQL,
  TOTALS_SQL,
} from './audit-queries.ts';
import { createReader, type Limits, type ReaderOptions } from './reader.ts';

/** A campaign of millions is read from end to end, some ten times; one question at a time, because nobody is in a hurry. */
const LIMITS: Limits = { seconds: 120, megabytes: 4_096 };
const TURNS = { places: 1, queue: 64, waitMs: 120_000 };
/** Ordinals looked through at once for ids. */
const ORDINALS_AT_ONCE = 500_000;

type Row = Record<string, string>;
const numbersOf = <K extends string>(row: Row | undefined, ...names: K[]) =>
  Object.fromEntries(names.map((name) => [name, Number(row?.[name] ?? 0)])) as Record<K, number>;
const byKind = (rows: readonly Row[]): Record<string, number> =>
  Object.fromEntries(rows.map((row) => [row.kind ?? '', Number(row.n)]));
const isoOf = (ms: string): string => new Date(Number(ms)).toISOString();

/** The auditor's reading of ClickHouse: the public views, and two of its own (campaign_audit, partition_audit). */
export function createAuditReader(
  o: Omit<ReaderOptions, 'turns' | 'storedUntil'>,
): AuditReader & { close(): Promise<void> } {
  const { url, database, metric } = o;
  const reader = createReader({
    ...{ url, database, clientId: `${o.clientId}-audit`, turns: TURNS },
    ...(metric ? { metric } : {}),
  });
  let asked = 0;

  /** Never shared with another audit: what is asked after something else must not have been read before it. */
  const asking = (gone: AbortSignal | undefined) => async (sql: string, params: Record<string, unknown>) => {
    asked += 1;
    return (await reader.ask<Row>({ sql, params: { ...params, asked }, limits: LIMITS }, gone)).value;
  };
  type Ask = ReturnType<typeof asking>;

  const paramsOf = (facts: CampaignFacts) => ({
    tenant: facts.tenant_id,
    campaign: facts.campaign_id,
    expected: facts.expected,
    cut: facts.cut,
  });

  /** The places of the audience in parts, direct messages (place 0) first, until enough is found. */
  async function throughOrdinals(
    facts: CampaignFacts,
    first: 0 | 1,
    limit: number,
    part: (from: number, to: number, limit: number) => Promise<Named[]>,
  ): Promise<Named[]> {
    const found: Named[] = [];
    for (let from = first; from <= facts.expected && found.length < limit; from += ORDINALS_AT_ONCE) {
      const to = Math.min(from + ORDINALS_AT_ONCE, facts.expected + 1);
      found.push(...(await part(from, to, limit - found.length)));
    }
    return found;
  }

  async function missing(ask: Ask, facts: CampaignFacts, limit: number): Promise<Named[]> {
    const params = paramsOf(facts);
    const found = await throughOrdinals(facts, 1, limit, async (from, to, left) => {
      const rows = await ask(MISSING_SQL, { ...params, from, to, count: to - from, limit: left });
      const ids = rows.map((row) => messageIdOf(facts.campaign_id, Number(row.ordinal)));
      const last = ids.length > 0 ? await ask(LAST_EVENTS_SQL, { ...params, ids }) : [];
      const kinds = new Map(last.map((row) => [row.id, row.kind]));
      return rows.map((row, i) => {
        const id = ids[i] as string;
        const kind = kinds.get(id);
        return { id, detail: `ordinal ${row.ordinal}: ${kind === undefined ? 'no event' : `last event ${kind}`}` };
      });
    });
    return found;
  }

  async function states(ask: Ask, facts: CampaignFacts): Promise<Named[]> {
    const rows = await ask(KINDS_SQL, paramsOf(facts));
    return differingCounters(facts, { kinds: rows.map(kindOf) }).map(({ name, expected, found }) => ({
      id: name,
      detail: `counted ${expected}, stored ${found}`,
    }));
  }

  const kindOf = (row: Row) => ({
    kind: row.kind ?? '',
    previous: row.previous ?? '',
    counted: Number(row.counted),
    firstBelow: Number(row.first_below),
    laterBelow: Number(row.later_below),
  });

  return {
    async campaign(facts, committed, gone) {
      const ask = asking(gone);
      const params = { ...paramsOf(facts), committed: committed.map((offset) => Math.max(0, offset)) };
      const [totals] = await ask(TOTALS_SQL, params);
      const kinds = (await ask(KINDS_SQL, params)).map(kindOf);
      const [derived] = await ask(DERIVED_SQL, params);
      const apart = async (figure: BucketFigure) => Number((await ask(bucketsApartSql(figure), params))[0]?.n ?? 0);
      const minutesApart = await apart('minute_rollup');
      const hoursApart = await apart('hour_rollup');
      const [stats] = await ask(STATS_SQL, params);
      const listed = byKind(await ask(LISTED_SQL, params));
      const failures = byKind(await ask(FAILURES_SQL, params));
      const [after] = await ask(ROWS_SQL, params);
      const n = numbersOf(
        totals,
        ...(['raw_rows', 'log_records', 'marked_repeats', 'beyond', 'messages', 'terminal_events'] as const),
        ...(['ended_runs', 'redriven_events', 'redriven_runs', 'ended_ordinals', 'ended_direct'] as const),
        ...(['direct_messages', 'alien_messages'] as const),
      );
      const d = numbersOf(
        derived,
        'minute_rollup',
        'hour_rollup',
        'campaign_rollup',
        'histogram',
        'listable',
        'listed',
      );
      return {
        kinds,
        rawRows: n.raw_rows,
        logRecords: n.log_records,
        markedRepeats: n.marked_repeats,
        messages: n.messages,
        terminalEvents: n.terminal_events,
        endedRuns: n.ended_runs,
        redrivenEvents: n.redriven_events,
        redrivenRuns: n.redriven_runs,
        endedOrdinals: n.ended_ordinals,
        endedDirect: n.ended_direct,
        directMessages: n.direct_messages,
        alienMessages: n.alien_messages,
        quiet: n.beyond === 0 && Number(after?.raw_rows ?? 0) === n.raw_rows,
        rollups: {
          minute_rollup: { events: d.minute_rollup, inBuckets: minutesApart },
          hour_rollup: { events: d.hour_rollup, inBuckets: hoursApart },
          campaign_rollup: { events: d.campaign_rollup, inBuckets: 0 },
        },
        histogramEvents: d.histogram,
        listableMessages: d.listable,
        listedMessages: d.listed,
        stats: Object.fromEntries(Object.entries(stats ?? {}).map(([kind, value]) => [kind, Number(value)])),
        listed,
        failures,
      };
    },

    async ids(figure, facts, limit, gone) {
      const ask = asking(gone);
      const params = { ...paramsOf(facts), limit };
      if (figure === 'missing') return missing(ask, facts, limit);
      if (figure === 'states') return states(ask, facts);
      if (figure === 'minute_rollup' || figure === 'hour_rollup') {
        const rows = await ask(bucketIdsSql(figure), params);
        return rows.map((row) => ({
          id: `${isoOf(row.at ?? '0')} ${row.kind}`,
          detail: `${row.raw} rows, ${row.rollup} in the rollup`,
        }));
      }
      if (figure === 'listed' || figure === 'failures')
        return throughOrdinals(facts, 0, limit, async (from, to, left) => {
          const rows = await ask(STATES_APART_SQL[figure], { ...params, from, to, limit: left });
          return rows.map((row) => ({
            id: row.id ?? '',
            detail: `events: ${row.events || 'none'}, list: ${row.listed || 'none'}`,
          }));
        });
      if (figure === 'alien' || figure === 'doubled' || figure === 'unmarked_repeats')
        return (await ask(IDS_SQL[figure], params)) as unknown as Named[];
      return [];
    },

    async repeats(facts, limit, gone) {
      return (await asking(gone)(IDS_SQL.repeats, { ...paramsOf(facts), limit })) as unknown as Named[];
    },

    async partitions(gone) {
      const rows = await asking(gone)(PARTITIONS_SQL, {});
      return rows.map((row) => ({
        partition: Number(row.partition),
        firstOffset: Number(row.first_offset),
        lastOffset: Number(row.last_offset),
        rawRows: Number(row.raw_rows),
        logRecords: Number(row.log_records),
      }));
    },

    async missingOffsets(partition, from, to, limit, gone) {
      const ask = asking(gone);
      const full = new Map((await ask(PARTS_SQL, { partition })).map((row) => [Number(row.part), Number(row.n)]));
      const missing: number[] = [];
      for (let at = from; at < to && missing.length < limit; ) {
        const part = Math.floor(at / OFFSETS_AT_ONCE);
        const end = Math.min(to, (part + 1) * OFFSETS_AT_ONCE);
        if (full.get(part) !== OFFSETS_AT_ONCE) {
          const range = { partition, from: at, to: end, count: end - at, limit: limit - missing.length };
          for (const row of await ask(MISSING_OFFSETS_SQL, range)) missing.push(Number(row.at));
        }
        at = end;
      }
      return missing;
    },

    async doubledOffsets(partition, limit, gone) {
      const ask = asking(gone);
      const found: number[] = [];
      for (const row of await ask(PARTS_SQL, { partition })) {
        if (found.length >= limit) break;
        const from = Number(row.part) * OFFSETS_AT_ONCE;
        const range = { partition, from, to: from + OFFSETS_AT_ONCE, limit: limit - found.length };
        for (const { at } of await ask(DOUBLED_OFFSETS_SQL, range)) found.push(Number(at));
      }
      return found;
    },

    close: () => reader.close(),
  };
}
