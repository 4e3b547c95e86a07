import { comparisonOf, type Digest } from '../../src/core/replay/compare.ts';
import { commentOf, type Stamp } from '../../src/core/replay/register.ts';
import type { Selection } from '../../src/core/replay/selection.ts';
import {
  type FoundTable,
  generationOf,
  suffixOf,
  type TableSet,
  tableSetOf,
  ticketTable,
} from '../../src/core/replay/tables.ts';
import { COLUMNS } from '../../src/core/to-row.ts';
import { FIRST_GENERATION } from '../../src/core/token.ts';
import type { RowRange, RowStore } from '../../src/ports.ts';
import type { Comparing, Pair, ReplayTables } from '../../src/replay-ports.ts';

interface Table {
  stamp: Stamp | undefined;
  /** Raw: ranges by token. Derived: rows that a range counted, by token and by the view that brought it. */
  readonly ranges: Map<string, RowRange>;
  readonly counted: Map<string, number>;
  readonly ends: Map<number, number>;
}

const OFFSET = COLUMNS.indexOf('source_offset');
const RAW = 'delivery_raw';
const ROLLUP = 'rollup';
const newTable = (stamp?: Stamp): Table => ({ stamp, ranges: new Map(), counted: new Map(), ends: new Map() });

/** Tables as the engine keeps them, as far as an exchange can go wrong with them: what was seen of it stands in ADR 14. */
export interface World {
  store(suffix: string): RowStore;
  tables(shortId: string): ReplayTables;
  comparing(shortId: string): Comparing;
  /** What readers see: offsets of the rows of a partition, and what the rollup counts. */
  offsets(partition: number): number[];
  counted(): number;
  generation(): ReturnType<typeof generationOf>;
  names(): string[];
}

export function createWorld(): World {
  const names = new Map<string, Table>([
    [RAW, newTable()],
    [ROLLUP, newTable()],
  ]);
  const tickets = new Set<string>();
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  const found = (): FoundTable[] =>
    [...names].flatMap(([name, { stamp }]) => [
      { name, engine: 'MergeTree', comment: stamp === undefined ? '' : commentOf(stamp) },
      ...(name.startsWith(ROLLUP) ? [{ name: `${name}_mv`, engine: 'MaterializedView', comment: '' }] : []),
    ]);
  const table = (name: string): Table => {
    const of = names.get(name);
    if (of === undefined) throw new Error(`there is no table ${name}`);
    return of;
  };
  const rowsOf = (of: Table, partition?: number): number[] =>
    [...of.ranges.values()]
      .filter((range) => partition === undefined || range.partition === partition)
      .flatMap(({ rows }) => rows.lines().map((line) => (JSON.parse(line) as number[])[OFFSET] as number))
      .sort((a, b) => a - b);
  const sum = (of: Table) => [...of.counted.values()].reduce((all, n) => all + n, 0);

  /** The constraint: the last part of the token, against the generation. */
  function refuses(of: Table, token: string): boolean {
    const { stamp } = of;
    if (stamp?.register === undefined) return false;
    if (stamp.register.state !== 'open') return true;
    const end = stamp.generation === FIRST_GENERATION ? /:\d+$/ : new RegExp(`:\\d+[.]${stamp.generation}$`);
    return !end.test(token);
  }

  const store = (suffix: string): RowStore => ({
    async insert(range) {
      await turn();
      const raw = names.get(`${RAW}${suffix}`);
      if (raw === undefined) return { ok: false, error: 'there is no raw table' };
      if (refuses(raw, range.token)) return { ok: false, error: 'VIOLATED_CONSTRAINT' };
      if (!raw.ranges.has(range.token)) raw.ranges.set(range.token, range);
      raw.ends.set(range.partition, Math.max(raw.ends.get(range.partition) ?? 0, range.to));
      // The token that a rollup remembers names the view as well, and views stay with their names.
      const rollup = table(`${ROLLUP}${suffix}`);
      if (!rollup.counted.has(`${suffix} ${range.token}`))
        rollup.counted.set(`${suffix} ${range.token}`, range.rows.count);
      await turn();
      return { ok: true };
    },
    async endOf(partition) {
      await turn();
      return { ok: true, end: names.get(`${RAW}${suffix}`)?.ends.get(partition) ?? 0 };
    },
    async count({ partition, from, to }) {
      await turn();
      const within = rowsOf(table(`${RAW}${suffix}`), partition).filter((offset) => offset >= from && offset < to);
      return { ok: true, rows: within.length };
    },
    async generation() {
      await turn();
      return generationOf(tableSetOf(found(), suffix));
    },
    ping: async () => ({ ok: true }),
    close: async () => {},
  });

  const tables = (shortId: string): ReplayTables => {
    const suffix = suffixOf(shortId);
    const use = (ticket: string) => {
      if (!tickets.has(ticket)) throw new Error(`there is no ticket ${ticket}`);
    };
    return {
      async look() {
        await turn();
        return { live: tableSetOf(found(), '') as TableSet, beside: tableSetOf(found(), suffix) };
      },
      async make(stamp) {
        await turn();
        if (!names.has(`${ROLLUP}${suffix}`))
          names.set(`${ROLLUP}${suffix}`, newTable({ generation: stamp.generation }));
        await turn();
        if (!names.has(`${RAW}${suffix}`)) names.set(`${RAW}${suffix}`, newTable(stamp));
      },
      async register(name, from, to) {
        await turn();
        const of = table(name);
        if (of.stamp?.register?.nonce !== from?.register?.nonce) throw new Error('Cannot find constraint');
        of.stamp = to;
        await turn();
      },
      async stamp(name, generation) {
        await turn();
        const of = table(name);
        if (of.stamp !== undefined) throw new Error('constraint with this name already exists');
        of.stamp = { generation };
      },
      insertsInto: async () => 0,
      async firstOffsets() {
        await turn();
        return new Map([...table(RAW).ends.keys()].map((p) => [p, Math.min(...rowsOf(table(RAW), p))]));
      },
      async bringEnds(offsets) {
        await turn();
        const to = table(`${RAW}${suffix}`).ends;
        for (const [p, end] of table(RAW).ends) to.set(p, Math.max(to.get(p) ?? 0, Math.min(end, offsets[p] ?? 0)));
      },
      differentShape: async () => undefined,
      async makeTicket(ticket) {
        await turn();
        tickets.add(ticket);
      },
      async dropTickets() {
        await turn();
        for (const ticket of [...tickets]) if (ticket.startsWith(`${shortId}_`)) tickets.delete(ticket);
      },
      async exchange(ticket: string, pairs: readonly Pair[]) {
        await turn();
        use(ticket);
        tickets.delete(ticket);
        for (const { live, beside } of pairs) {
          const [a, b] = [table(live), table(beside)];
          names.set(live, b);
          names.set(beside, a);
        }
        await turn();
      },
      async drop(ticket) {
        await turn();
        use(ticket);
        tickets.delete(ticket);
        for (const name of [...names.keys()]) if (name.endsWith(suffix)) names.delete(name);
      },
    };
  };

  return {
    store,
    tables,
    comparing: (shortId) => ({
      async compare(selection: Selection, { since } = {}) {
        await turn();
        const raw = (of: Table): Digest[] => {
          const rows = selection.ranges.flatMap(({ partition, from, to }) =>
            rowsOf(of, partition)
              .filter((offset) => offset >= from && offset < to)
              .map((offset) => `${partition}:${offset}`),
          );
          return [{ key: '0', rows: rows.length, hash: rows.join() }];
        };
        const [live, beside] = [table(RAW), table(`${RAW}${suffixOf(shortId)}`)];
        const rollup = (name: string): Digest[] => [{ key: '0', rows: 1, hash: String(sum(table(name))) }];
        return comparisonOf(
          [
            { table: RAW, by: 'hour', live: raw(live), beside: raw(beside) },
            { table: ROLLUP, by: 'hour', live: rollup(ROLLUP), beside: rollup(`${ROLLUP}${suffixOf(shortId)}`) },
          ],
          () => since !== undefined,
        );
      },
    }),
    offsets: (partition) => rowsOf(table(RAW), partition),
    counted: () => sum(table(ROLLUP)),
    generation: () => generationOf(tableSetOf(found(), '')),
    names: () => [...names.keys(), ...[...tickets].map(ticketTable)],
  };
}
