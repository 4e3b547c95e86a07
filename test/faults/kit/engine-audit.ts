import type { Fact, RangeFacts } from './delivery-ranges.ts';
import type { Tables } from './engine-under-load.ts';

/** What was found, in sentences; none: everything is stored once, and every table says what it should. */
export interface EngineAudit {
  readonly problems: readonly string[];
  readonly events: number;
  readonly lost: number;
  readonly doubledRows: number;
  readonly states: Readonly<Record<string, number>>;
  /** Tables that were compared with those of the reference. */
  readonly tables: readonly string[];
}

type Counts = ReadonlyMap<string, number>;

const TERMINAL = ['sent', 'failed', 'dead', 'expired', 'suppressed', 'cancelled'];
const KINDS = [...TERMINAL, 'deferred'];
const MOST_SHOWN = 5;

function tally<T>(items: Iterable<T>, keyOf: (item: T) => string, by: (item: T) => number = () => 1): Counts {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + by(item));
  return counts;
}

function differing(name: string, expected: Counts, found: Counts): string[] {
  const keys = [...new Set([...expected.keys(), ...found.keys()])];
  const wrong = keys.filter((key) => (expected.get(key) ?? 0) !== (found.get(key) ?? 0));
  const shown = wrong
    .slice(0, MOST_SHOWN)
    .map((key) => `${key}: ${found.get(key) ?? 0}, not ${expected.get(key) ?? 0}`);
  return wrong.length === 0 ? [] : [`${name}: ${wrong.length} of ${keys.length} differ (${shown.join('; ')})`];
}

/** Raw rows range by range: how many, which places, and a sum over what they hold. */
async function rawDifferences(tables: Tables, ranges: readonly RangeFacts[]) {
  const problems: string[] = [];
  let [lost, doubledRows] = [0, 0];
  for (const partition of new Set(ranges.map((range) => range.partition))) {
    const own = ranges.filter((range) => range.partition === partition);
    const starts = own.map(({ from }) => from).sort((a, b) => a - b);
    const rows = await tables.query<Record<'start' | 'rows' | 'places' | 'offsets' | 'e2e' | 'repeats', number>>(
      `SELECT roundDown(source_offset, [${starts.join(',')}]) AS start, count() AS rows, uniqExact(source_offset) AS places,
         sum(source_offset) AS offsets, sum(e2e_ms) AS e2e, countIf(is_repeat) AS repeats
       FROM delivery_raw WHERE source_partition = ${partition} GROUP BY start`,
    );
    const sum = (range: RangeFacts, of: (fact: Fact) => number) =>
      range.facts.reduce((total, fact) => total + of(fact), 0);
    const nameOf = (start: number) => `p${partition}@${start}`;
    for (const [what, found, expected] of [
      ['rows', (row) => row.rows, (range) => range.facts.length],
      ['places', (row) => row.places, (range) => range.facts.length],
      ['offsets', (row) => row.offsets, (range) => sum(range, (fact) => fact.offset)],
      ['e2e_ms', (row) => row.e2e, (range) => sum(range, (fact) => fact.e2eMs)],
      ['repeats', (row) => row.repeats, (range) => sum(range, (fact) => Number(fact.isRepeat))],
    ] as readonly (readonly [string, (row: (typeof rows)[number]) => number, (range: RangeFacts) => number])[]) {
      const inTable = tally(rows, ({ start }) => nameOf(start), found);
      problems.push(
        ...differing(
          `${what} of delivery_raw`,
          tally(own, ({ from }) => nameOf(from), expected),
          inTable,
        ),
      );
    }
    const places = rows.reduce((total, row) => total + row.places, 0);
    lost += own.reduce((total, range) => total + range.facts.length, 0) - places;
    doubledRows += rows.reduce((total, row) => total + row.rows, 0) - places;
  }
  return { problems, lost, doubledRows };
}

/** The one state of each message: its first terminal event, or that it waits. */
function statesOf(facts: readonly Fact[]): ReadonlyMap<string, { campaignId: string; state: string }> {
  const states = new Map<string, { campaignId: string; state: string }>();
  for (const { campaignId, ordinal, kind } of facts) {
    const key = `${campaignId}/${ordinal}`;
    if (!TERMINAL.includes(states.get(key)?.state ?? '')) states.set(key, { campaignId, state: kind });
  }
  return states;
}

/** The public views against counts that were made while the ranges were. What a schema does not have is not asked. */
async function viewDifferences(tables: Tables, facts: readonly Fact[]): Promise<string[]> {
  const counted = facts.filter(({ isRepeat }) => !isRepeat);
  const names = await tables.query<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = currentDatabase()`,
  );
  const exists = (view: string) => names.some(({ name }) => name === view);
  const ask = async (sql: string) =>
    tally(
      await tables.query<{ k: string; n: number }>(sql),
      ({ k }) => k,
      ({ n }) => n,
    );
  const problems: string[] = [];
  const compare = async (view: string, expected: Counts, sql: string) => {
    if (exists(view)) problems.push(...differing(view, expected, await ask(sql)));
  };

  for (const [view, unit, stepMs] of [
    ['throughput_per_minute', 'minute', 60_000],
    ['throughput_per_hour', 'hour', 3_600_000],
  ] as const) {
    const keyOf = (f: Fact) => `${f.campaignId} ${Math.floor(f.minuteMs / stepMs) * stepMs} ${f.kind}`;
    await compare(
      view,
      tally(counted, keyOf),
      `SELECT concat(campaign_id, ' ', toString(toUnixTimestamp(${unit}) * 1000), ' ', pair.1) AS k, sum(pair.2) AS n FROM ${view}
       ARRAY JOIN [${KINDS.map((kind) => `('${kind}', ${kind})`).join(', ')}] AS pair GROUP BY k HAVING n > 0`,
    );
  }
  const states = [...statesOf(counted).values()];
  const stated = tally(states, ({ campaignId, state }) => `${campaignId} ${state}`);
  const statsKinds = KINDS.map((kind) => `('${kind}', ${kind === 'deferred' ? 'retrying' : kind})`).join(', ');
  await compare(
    'campaign_stats',
    stated,
    `SELECT concat(campaign_id, ' ', pair.1) AS k, sum(pair.2) AS n FROM campaign_stats ARRAY JOIN [${statsKinds}] AS pair
     GROUP BY k HAVING n > 0`,
  );
  await compare(
    'message_list',
    stated,
    "SELECT concat(campaign_id, ' ', state) AS k, count() AS n FROM message_list GROUP BY k",
  );
  const refused = counted.filter(({ kind }) => kind === 'failed' || kind === 'dead');
  await compare(
    'failure_reasons_per_minute',
    tally(refused, (f) => `${f.campaignId} ${f.minuteMs} ${f.kind}`),
    `SELECT concat(campaign_id, ' ', toString(toUnixTimestamp(minute) * 1000), ' ', kind) AS k, sum(events) AS n
     FROM failure_reasons_per_minute WHERE kind IN ('failed', 'dead') GROUP BY k`,
  );
  if (exists('latency_histogram_per_minute')) problems.push(...(await histogramDifferences(ask, counted)));
  return problems;
}

/** The bounds are the schema's own: under each of them there must be as many as took no longer. */
async function histogramDifferences(
  ask: (sql: string) => Promise<Counts>,
  counted: readonly Fact[],
): Promise<string[]> {
  const found = await ask(
    'SELECT toString(bucket_ms) AS k, sum(sent) AS n FROM latency_histogram_per_minute GROUP BY k',
  );
  const bounds = [...found.keys()].map(Number).sort((a, b) => a - b);
  const sent = counted.filter(({ kind }) => kind === 'sent');
  const expected = tally(sent, ({ e2eMs }) => String(bounds.find((bound) => e2eMs <= bound) ?? 'above all'));
  return differing('latency_histogram_per_minute', expected, found);
}

interface Table {
  readonly name: string;
  readonly engine: string;
  readonly sorting_key: string;
  readonly states: number;
}

/** Every table that received something, by its content when it is merged: states of percentiles bit by bit. */
async function digests({ query, digest }: Tables): Promise<ReadonlyMap<string, string>> {
  const tables = await query<Table>(
    `SELECT t.name AS name, engine, sorting_key, countIf(startsWith(c.type, 'AggregateFunction')) AS states
     FROM system.tables AS t INNER JOIN system.columns AS c ON c.database = t.database AND c.table = t.name
     WHERE t.database = currentDatabase() AND endsWith(engine, 'MergeTree') AND t.name != 'schema_migrations'
     GROUP BY name, engine, sorting_key ORDER BY name`,
  );
  const found = new Map<string, string>();
  for (const { name, engine, sorting_key, states } of tables) {
    const source = engine === 'MergeTree' ? name : `${name} FINAL`;
    const [row] = await query<{ rows: number }>(`SELECT count() AS rows FROM ${source}`);
    // A state is no argument of a hash function, but it has bytes. Sorting every raw row for that would take long.
    const content =
      states > 0
        ? `SELECT * FROM ${source} ORDER BY ${sorting_key}`
        : `SELECT sum(cityHash64(*)), groupBitXor(cityHash64(*)) FROM ${source}`;
    found.set(name, `${row?.rows} rows ${await digest(content)}`);
  }
  return found;
}

export async function auditEngine(
  tables: Tables,
  reference: Tables,
  ranges: readonly RangeFacts[],
): Promise<EngineAudit> {
  const facts = ranges.flatMap((range) => range.facts);
  const { problems, lost, doubledRows } = await rawDifferences(tables, ranges);
  problems.push(...(await viewDifferences(tables, facts)));
  const [found, expected] = [await digests(tables), await digests(reference)];
  for (const [table, digest] of expected)
    if (found.get(table) !== digest)
      problems.push(`${table}: ${found.get(table)}, not ${digest} as when inserted once`);
  const states: Record<string, number> = {};
  for (const { state } of statesOf(facts.filter(({ isRepeat }) => !isRepeat)).values())
    states[state] = (states[state] ?? 0) + 1;
  return { problems, events: facts.length, lost, doubledRows, states, tables: [...expected.keys()] };
}
