import { CliError } from './output.ts';

/** One SELECT over the public views; `{name:Type}` parameters are bound, never pasted. */
export async function query<T>(address: string, sql: string, params: Record<string, string> = {}): Promise<T[]> {
  const url = new URL(address);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  url.searchParams.set('default_format', 'JSONEachRow');
  for (const [name, value] of Object.entries(params)) url.searchParams.set(`param_${name}`, value);
  const authorization = `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
  let response: Response;
  try {
    response = await fetch(url, { method: 'POST', body: sql, headers: { authorization } });
  } catch (error) {
    throw new CliError(`ClickHouse at ${url.host} does not answer: ${(error as Error).message}`);
  }
  const text = await response.text();
  if (!response.ok) throw new CliError(`ClickHouse: ${text.slice(0, 300)}`);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}

export const databaseName = (): string => process.env.VOLLEY_CLICKHOUSE_DATABASE ?? 'volley';

export interface StoredCounts {
  /** Terminal events, and distinct messages among them. */
  readonly events: number;
  readonly messages: number;
  readonly all_events: number;
}

/** What ClickHouse holds of a campaign: equal numbers mean that each message is there exactly once. */
export async function storedCounts(address: string, campaignId: string): Promise<StoredCounts> {
  const sql = `SELECT countIf(kind IN ('sent','failed','dead','suppressed','cancelled','expired')) AS events,
      uniqExactIf(message_id, kind IN ('sent','failed','dead','suppressed','cancelled','expired')) AS messages, count() AS all_events
    FROM ${databaseName()}.delivery_events WHERE campaign_id = {id:String}`;
  const [row] = await query<{ events: string; messages: string; all_events: string }>(address, sql, { id: campaignId });
  return {
    events: Number(row?.events ?? 0),
    messages: Number(row?.messages ?? 0),
    all_events: Number(row?.all_events ?? 0),
  };
}

/** Exact end-to-end latency percentiles and a histogram over `sent`, each message once. */
export async function latency(
  address: string,
  campaignId: string,
): Promise<{ p50: number; p95: number; p99: number; histogram: { upTo: number; count: number }[] }> {
  const sent = `SELECT min(e2e_ms) AS ms FROM ${databaseName()}.delivery_events WHERE campaign_id = {id:String} AND kind = 'sent' GROUP BY message_id`;
  const params = { id: campaignId };
  const [p] = await query<{ p: number[] }>(
    address,
    `SELECT quantilesExact(0.5, 0.95, 0.99)(ms) AS p FROM (${sent})`,
    params,
  );
  // Ten steps between the smallest and the largest, each a constant factor: a linear scale would show one bar and a tail.
  const buckets = await query<{ bucket: number; count: string }>(
    address,
    `SELECT floor(log2(greatest(ms, 1)) * 2) AS bucket, count() AS count FROM (${sent}) GROUP BY bucket ORDER BY bucket`,
    params,
  );
  const [p50 = 0, p95 = 0, p99 = 0] = (p?.p ?? []).map(Number);
  return {
    p50,
    p95,
    p99,
    histogram: buckets.map((b) => ({ upTo: Math.round(2 ** ((Number(b.bucket) + 1) / 2)), count: Number(b.count) })),
  };
}
