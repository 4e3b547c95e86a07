import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { comparedFrom, firstOffsets } from '../core/replay/digest.ts';
import { definitionBeside, registerStatement, selectBeside, stampStatement } from '../core/replay/register.ts';
import { type FoundTable, suffixOf, type TableSet, tableSetOf, ticketTable, viewOf } from '../core/replay/tables.ts';
import type { ReplayTables } from '../replay-ports.ts';

/** Renaming and dropping wait for what reads at the moment. */
const STATEMENT_TIMEOUT_MS = 120_000;
const FOUND = 'SELECT name, engine, comment FROM system.tables WHERE database = currentDatabase()';

export interface ReplayClient {
  readonly client: ClickHouseClient;
  rows<T>(query: string, settings?: Record<string, string | number>): Promise<T[]>;
  run(statement: string): Promise<void>;
  found(): Promise<FoundTable[]>;
  close(): Promise<void>;
}

export function openReplayClient(options: { readonly url: string; readonly database: string }): ReplayClient {
  const client = createClient({
    ...options,
    application: 'volley-sink-replay',
    request_timeout: STATEMENT_TIMEOUT_MS,
    log: { level: ClickHouseLogLevel.OFF },
  });
  const rows = async <T>(query: string, settings: Record<string, string | number> = {}) =>
    (await client.query({ query, format: 'JSONEachRow', clickhouse_settings: settings })).json<T>();
  return {
    client,
    rows,
    run: async (query) => void (await client.command({ query })),
    found: () => rows<FoundTable>(FOUND),
    close: () => client.close(),
  };
}

/** The tables of the replay with this short id. */
export function createReplayTables(ch: ReplayClient, shortId: string, nowMs: () => number): ReplayTables {
  const suffix = suffixOf(shortId);

  async function sets(): Promise<{ live: TableSet; beside: TableSet | undefined; found: FoundTable[] }> {
    const found = await ch.found();
    const live = tableSetOf(found, '');
    if (live === undefined) throw new Error('there is no table delivery_raw: the schema has to be migrated first');
    return { live, beside: tableSetOf(found, suffix), found };
  }

  async function makeTables(live: TableSet, stampOf: (name: string) => Parameters<typeof definitionBeside>[3]) {
    const names = [...live.derived, live.raw];
    const defined = await ch.rows<{ name: string; definition: string }>(
      `SELECT name, create_table_query AS definition FROM system.tables
       WHERE database = currentDatabase() AND name IN (${names.map((name) => `'${name}'`).join(', ')})`,
    );
    const definitions = new Map(defined.map(({ name, definition }) => [name, definition]));
    for (const name of names) {
      const statement = definitionBeside(definitions.get(name) ?? '', name, `${name}${suffix}`, stampOf(name));
      if (statement === undefined) throw new Error(`the definition of ${name} is none that can be repeated`);
      await ch.run(statement);
    }
  }

  async function makeViews(live: TableSet) {
    const views = await ch.rows<{ name: string; selects: string }>(
      `SELECT name, as_select AS selects FROM system.tables
       WHERE database = currentDatabase() AND engine = 'MaterializedView'`,
    );
    for (const table of live.derived) {
      const select = views.find(({ name }) => name === viewOf(table))?.selects ?? '';
      const beside = selectBeside(select, live.raw, `${live.raw}${suffix}`);
      if (beside === undefined) throw new Error(`the view of ${table} is none that can be repeated`);
      const to = `${table}${suffix}`;
      await ch.run(`CREATE MATERIALIZED VIEW IF NOT EXISTS ${viewOf(to)} TO ${to} AS ${beside}`);
    }
  }

  return {
    async look() {
      const { live, beside } = await sets();
      return { live, beside };
    },
    async make(stamp) {
      const { live } = await sets();
      const { generation } = stamp;
      await makeTables(live, (name) => (name === live.raw ? stamp : { generation }));
      await makeViews(live);
    },
    register: (table, from, to) => ch.run(registerStatement(table, from, to)),
    stamp: (table, generation) => ch.run(stampStatement(table, generation)),
    async insertsInto(table) {
      const [found] = await ch.rows<{ n: string }>(
        `SELECT count() AS n FROM system.processes
         WHERE match(query, '^\\\\s*INSERT\\\\s+INTO\\\\s+(TABLE\\\\s+)?(\\\\S+[.])?\`?${table}\`?[\\\\s(]')`,
      );
      return Number(found?.n);
    },
    async firstOffsets() {
      const found = await ch.rows<{ p: number; first: string }>(firstOffsets(comparedFrom(nowMs())));
      return new Map(found.map(({ p, first }) => [p, Number(first)]));
    },
    async bringEnds(offsets) {
      const ends = `SELECT * REPLACE (least(next, [${offsets.join(', ')}][source_partition + 1]) AS next) FROM delivery_ends`;
      await ch.run(`INSERT INTO delivery_ends${suffix} ${ends} SETTINGS insert_deduplicate = 0`);
    },
    async differentShape() {
      const { live, beside } = await sets();
      const columns = await ch.rows<{ table: string; columns: string }>(
        `SELECT table, toString(groupArray((name, type))) AS columns FROM
           (SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, position)
         GROUP BY table`,
      );
      const of = new Map(columns.map(({ table, columns: text }) => [table, text]));
      const missing = beside?.derived.find((name) => !live.derived.includes(name.slice(0, -suffix.length)));
      const different = [live.raw, ...live.derived].find((name) => of.get(name) !== of.get(`${name}${suffix}`));
      const what = different ?? missing;
      return what === undefined ? undefined : `${what} was changed since the tables of this replay were made`;
    },
    async makeTicket(ticket) {
      for (const name of [ticketTable(ticket), `${ticketTable(ticket)}_used`])
        await ch.run(`CREATE TABLE ${name} (at DateTime) ENGINE = Memory`);
    },
    async dropTickets() {
      const found = await ch.found();
      // The name that an exchange cannot do without goes first, and goes when no exchange of it runs any more.
      const mine = found.filter(({ name }) => name.startsWith(ticketTable(`${shortId}_`))).map(({ name }) => name);
      for (const name of mine.sort()) await ch.run(`DROP TABLE IF EXISTS ${name} SYNC`);
    },
    async exchange(ticket, pairs) {
      const name = ticketTable(ticket);
      const all = [{ live: name, beside: `${name}_used` }, ...pairs];
      await ch.run(`EXCHANGE TABLES ${all.map(({ live, beside }) => `${live} AND ${beside}`).join(', ')}`);
    },
    async drop(ticket) {
      const { found } = await sets();
      const mine = found
        .map(({ name }) => name)
        .filter((name) => name.endsWith(suffix) || name.endsWith(`${suffix}_mv`));
      const order = (name: string) => (name.endsWith('_mv') ? 0 : name.startsWith('delivery_raw') ? 2 : 1);
      const names = [ticketTable(ticket), ...mine.sort((a, b) => order(a) - order(b))];
      await ch.run(`DROP TABLE ${names.join(', ')} SYNC`);
    },
  };
}
