import { comparisonOf, type Digest, RAW_TABLE, type TableDigests } from '../core/replay/compare.ts';
import {
  type Column,
  comparedFrom,
  derivedDigests,
  type Key,
  keyOf,
  keysSince,
  notOnlySelected,
  olderCampaigns,
  rawDigests,
  type Scope,
} from '../core/replay/digest.ts';
import type { Selection } from '../core/replay/selection.ts';
import { suffixOf, tableSetOf } from '../core/replay/tables.ts';
import type { Comparing } from '../replay-ports.ts';
import type { ReplayClient } from './replay-tables-clickhouse.ts';

/** One thread: dashboards and sinks come first. What does not fit into memory goes over the disk. */
const ASIDE = { max_threads: 1, max_execution_time: 0, max_bytes_before_external_group_by: '268435456' };

interface Answer {
  readonly key: string;
  readonly row_count: string;
  readonly row_hash: string;
  readonly places?: string;
  readonly events_sum?: string;
  readonly state?: string;
  readonly percentiles?: (number | null)[];
}

const digestOf = ({ key, row_count, row_hash, places, events_sum, state, percentiles }: Answer): Digest => ({
  key,
  rows: Number(row_count),
  hash: row_hash,
  ...(places === undefined ? {} : { places: Number(places) }),
  ...(events_sum === undefined ? {} : { events: Number(events_sum) }),
  ...(state === undefined ? {} : { state }),
  ...(percentiles === undefined ? {} : { percentiles }),
});

/** Live tables against those of a replay, by digests that the engine makes: no row leaves it. */
export function createComparing(ch: ReplayClient, shortId: string, nowMs: () => number): Comparing {
  const suffix = suffixOf(shortId);
  const digests = async (query: string) => (await ch.rows<Answer>(query, ASIDE)).map(digestOf);
  const keys = async (query: string) => (await ch.rows<{ key: string }>(query, ASIDE)).map(({ key }) => key);

  async function columnsOf(): Promise<Map<string, Column[]>> {
    const all = await ch.rows<Column & { table: string }>(
      'SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, position',
    );
    return Map.groupBy(all, ({ table }) => table);
  }

  /** What may have changed since, in either set. */
  async function changed(by: Key, since: readonly number[]): Promise<string[]> {
    const both = [RAW_TABLE, `${RAW_TABLE}${suffix}`].map((table) => keys(keysSince(table, by, since)));
    return [...new Set((await Promise.all(both)).flat())];
  }

  return {
    async compare(selection: Selection, { since } = {}) {
      const live = tableSetOf(await ch.found(), '');
      const columns = await columnsOf();
      const scope: Scope = {
        selection,
        fromSeconds: comparedFrom(nowMs()),
        keys:
          since === undefined
            ? undefined
            : { hour: await changed('hour', since), campaign: await changed('campaign', since) },
      };
      const tables: TableDigests[] = [];
      const both = async (table: string, by: Key, query: (name: string) => string) => {
        const [ours, theirs] = [await digests(query(table)), await digests(query(`${table}${suffix}`))];
        tables.push({ table, by, live: ours, beside: theirs });
      };
      await both(RAW_TABLE, 'hour', (name) => rawDigests(name, columns.get(RAW_TABLE) ?? [], scope));
      for (const table of live?.derived ?? []) {
        const of = columns.get(table) ?? [];
        const by = keyOf(of);
        if (by !== undefined) await both(table, by, (name) => derivedDigests(name, of, by, scope));
      }
      // Asked for after everything else: what had got nothing else by now had nothing else then.
      const others = {
        hour: new Set(await keys(notOnlySelected(RAW_TABLE, 'hour', scope))),
        campaign: new Set([
          ...(await keys(notOnlySelected(RAW_TABLE, 'campaign', scope))),
          ...(await keys(olderCampaigns(scope))),
        ]),
      };
      return comparisonOf(tables, (by, key) => !others[by].has(key));
    },
  };
}
