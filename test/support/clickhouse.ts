export type ClickHouse = ReturnType<typeof createClickHouse>;

/** SQL over HTTP as a dashboard would: a POST body, `{name:Type}` parameters bound, rows as JSON objects. */
export function createClickHouse(address: string, database = 'default') {
  return {
    async query<T>(sql: string, params: Readonly<Record<string, string>> = {}): Promise<T[]> {
      const url = new URL(address);
      const { username, password } = url;
      url.username = '';
      url.password = '';
      url.searchParams.set('database', database);
      url.searchParams.set('default_format', 'JSONEachRow');
      url.searchParams.set('output_format_json_quote_64bit_integers', '0');
      for (const [name, value] of Object.entries(params)) url.searchParams.set(`param_${name}`, value);
      const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
      const response = await fetch(url, {
        method: 'POST',
        body: sql,
        headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
        signal: AbortSignal.timeout(30_000),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`ClickHouse: ${text.slice(0, 500)}`);
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as T);
    },
  };
}
