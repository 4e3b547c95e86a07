/**
 * What becomes of a query on its way from a dashboard to ClickHouse: Grafana puts in the variables, the plugin's front end
 * $__conditionalAll, its back end the other macros. After github.com/grafana/clickhouse-datasource at 1d04063
 * (src/data/CHDatasource.ts, pkg/macros/macros.go); macros that no query here uses are left out, and are errors.
 */
export interface Viewed {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
  readonly variables: Readonly<Record<string, string | readonly string[]>>;
}

export const ALL = '$__all';

/** The arguments in the brackets that open at `at`, and where they close. */
function argumentsAt(sql: string, at: number): { args: string[]; end: number } {
  const args: string[] = [];
  let depth = 0;
  let start = at + 1;
  for (let i = at; i < sql.length; i++) {
    const c = sql[i];
    if (c === '(') depth++;
    else if (c === ')') depth--;
    if ((c === ',' && depth === 1) || depth === 0) {
      args.push(sql.slice(start, i));
      start = i + 1;
    }
    if (depth === 0) return { args, end: i + 1 };
  }
  throw new Error(`brackets do not close: ${sql.slice(at, at + 60)}`);
}

function withConditions(sql: string, variables: Viewed['variables']): string {
  const macro = '$__conditionalAll(';
  let out = sql;
  for (let at = out.lastIndexOf(macro); at !== -1; at = out.lastIndexOf(macro)) {
    const { args, end } = argumentsAt(out, at + macro.length - 1);
    const [condition, variable] = args;
    const name = /(?<=\$\{)\w+(?=\})|(?<=\$)\w+/.exec(variable ?? '')?.[0];
    if (args.length !== 2 || condition === undefined || name === undefined)
      throw new Error(`$__conditionalAll takes a condition and a plain variable: ${out.slice(at, end)}`);
    const value = String(variables[name] ?? '');
    out = out.slice(0, at) + (value === '' || value === ALL ? '1=1' : condition) + out.slice(end);
  }
  return out;
}

const quoted = (value: string) => `'${value.replaceAll("'", "\\'")}'`;

function withVariables(sql: string, variables: Viewed['variables']): string {
  return sql.replace(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (whole, braced, format, bare) => {
    const value = variables[braced ?? bare];
    if (value === undefined) return whole;
    const values = typeof value === 'string' ? [value] : value;
    if (values.includes(ALL)) throw new Error(`${whole} is put in although everything is chosen`);
    if (format === 'singlequote') return values.map(quoted).join(',');
    if (format !== undefined || values.length !== 1) throw new Error(`${whole} would be put in without quotes`);
    return values[0] as string;
  });
}

const dateTime = (ms: number) => `toDateTime(${Math.floor(ms / 1_000)})`;
const dateTime64 = (ms: number) => `fromUnixTimestamp64Milli(${ms})`;
const seconds = (v: Viewed) => Math.trunc(Math.max(v.intervalMs / 1_000, 1));
const inRange = (column: string, v: Viewed, time: (ms: number) => string) =>
  `${column} >= ${time(v.fromMs)} AND ${column} <= ${time(v.toMs)}`;

const MACROS: Readonly<Record<string, { readonly takes: number; readonly as: (v: Viewed, column: string) => string }>> =
  {
    fromTime: { takes: 0, as: (v) => dateTime(v.fromMs) },
    toTime: { takes: 0, as: (v) => dateTime(v.toMs) },
    fromTime_ms: { takes: 0, as: (v) => dateTime64(v.fromMs) },
    toTime_ms: { takes: 0, as: (v) => dateTime64(v.toMs) },
    interval_s: { takes: 0, as: (v) => String(seconds(v)) },
    timeFilter: { takes: 1, as: (v, column) => inRange(column, v, dateTime) },
    timeFilter_ms: { takes: 1, as: (v, column) => inRange(column, v, dateTime64) },
    timeInterval: {
      takes: 1,
      as: (v, column) => `toStartOfInterval(toDateTime(${column}), INTERVAL ${seconds(v)} second)`,
    },
  };

function withMacros(sql: string, v: Viewed): string {
  let out = '';
  let from = 0;
  for (const match of sql.matchAll(/\$__(\w+)/g)) {
    if (match.index < from) continue;
    const macro = MACROS[match[1] as string];
    out += sql.slice(from, match.index);
    from = match.index + match[0].length;
    if (macro === undefined) out += match[0];
    else if (macro.takes === 0) out += macro.as(v, '');
    else {
      if (sql[from] !== '(') throw new Error(`${match[0]} without arguments`);
      const { args, end } = argumentsAt(sql, from);
      if (args.length !== macro.takes) throw new Error(`${match[0]} takes ${macro.takes} argument`);
      out += macro.as(v, withMacros((args[0] as string).trim(), v));
      from = end;
    }
  }
  return out + sql.slice(from);
}

/** The SQL that ClickHouse gets. A `$` that is left over is an error: nothing would ever put anything in for it. */
export function expand(rawSql: string, viewed: Viewed): string {
  const { variables } = viewed;
  const sql = withMacros(withVariables(withConditions(rawSql, variables), variables), viewed);
  if (sql.includes('$')) throw new Error(`left over: ${/\$.{0,40}/.exec(sql)?.[0]}`);
  return sql;
}

/** An alert has a time range and nothing else. */
export const expandAlert = (rawSql: string, range: Omit<Viewed, 'variables'>): string =>
  expand(rawSql, { ...range, variables: {} });
