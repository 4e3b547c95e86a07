import { expand, type Viewed } from '../../test/dashboards/macros.ts';
import type { PanelJson, Target } from '../../test/dashboards/read.ts';

export interface Series {
  readonly name: string;
  /** Epoch ms, value. */
  readonly points: readonly (readonly [number, number])[];
}
export interface Grid {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}
/** What a panel has to draw: lines over time, or rows. */
export interface Frames {
  readonly series: readonly Series[];
  readonly grid: Grid | undefined;
}
export interface Region {
  readonly fromMs: number;
  readonly toMs: number;
  readonly text: string;
}

interface Sources {
  /** With the database in it. */
  readonly clickhouse: string;
  readonly prometheus: string;
}

const timeOf = (value: unknown) => Date.parse(`${String(value).replace(' ', 'T')}Z`);

async function askClickHouse(
  address: string,
  sql: string,
): Promise<{ meta: { name: string; type: string }[]; data: unknown[][] }> {
  const url = new URL(address);
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  url.searchParams.set('default_format', 'JSONCompact');
  url.searchParams.set('output_format_json_quote_64bit_integers', '0');
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
  const response = await fetch(url, { method: 'POST', body: sql, headers: { authorization } });
  const text = await response.text();
  if (!response.ok) throw new Error(`${text.slice(0, 400)}\n${sql}`);
  return JSON.parse(text);
}

/** As the plugin does it: a text column beside the time names the line, else the number's own name. */
async function clickhouseFrames(address: string, target: Target, viewed: Viewed): Promise<Frames> {
  const { meta, data } = await askClickHouse(address, expand(target.rawSql ?? '', viewed));
  if (target.format !== 0) return { series: [], grid: { columns: meta.map((c) => c.name), rows: data } };
  const time = meta.findIndex((c) => c.type.startsWith('DateTime'));
  const label = meta.findIndex((c) => /String/.test(c.type));
  const lines = new Map<string, [number, number][]>();
  for (const row of data) {
    meta.forEach(({ name }, i) => {
      if (i === time || i === label) return;
      const of = label < 0 ? name : String(row[label]);
      lines.set(of, [...(lines.get(of) ?? []), [timeOf(row[time]), Number(row[i])]]);
    });
  }
  return { series: [...lines].map(([name, points]) => ({ name, points })), grid: undefined };
}

async function prometheusFrames(address: string, target: Target, viewed: Viewed): Promise<Frames> {
  const url = new URL('/api/v1/query_range', address);
  const stepMs = Math.max(15_000, viewed.intervalMs);
  // As Grafana counts it: four scrapes at least.
  const query = (target.expr ?? '').replaceAll('$__rate_interval', `${Math.max(stepMs + 15_000, 60_000) / 1_000}s`);
  const asked = { query, start: viewed.fromMs / 1_000, end: viewed.toMs / 1_000, step: stepMs / 1_000 };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, String(value));
  const answer = (await (await fetch(url)).json()) as {
    error?: string;
    data?: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  if (answer.data === undefined) throw new Error(`${answer.error}\n${query}`);
  const series = answer.data.result.map(({ metric, values }) => ({
    name: (target.legendFormat ?? '').replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? ''),
    points: values.map(([s, v]): [number, number] => [s * 1_000, Number(v)]).filter(([, v]) => Number.isFinite(v)),
  }));
  return { series, grid: undefined };
}

export async function framesOf(panel: PanelJson, sources: Sources, viewed: Viewed): Promise<Frames> {
  const all = await Promise.all(
    (panel.targets ?? []).map((target) =>
      target.expr === undefined
        ? clickhouseFrames(sources.clickhouse, target, viewed)
        : prometheusFrames(sources.prometheus, target, viewed),
    ),
  );
  return { series: all.flatMap((f) => f.series), grid: all.find((f) => f.grid)?.grid };
}

export async function regionsOf(target: Target, address: string, viewed: Viewed): Promise<Region[]> {
  const { meta, data } = await askClickHouse(address, expand(target.rawSql ?? '', viewed));
  const at = (name: string) => meta.findIndex((c) => c.name === name);
  return data.map((row) => ({
    fromMs: timeOf(row[at('time')]),
    toMs: timeOf(row[at('timeEnd') < 0 ? at('time') : at('timeEnd')]),
    text: String(row[at('title')]),
  }));
}
