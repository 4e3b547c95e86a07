import { isEnded } from '@volley/contract';
import { until } from './until.ts';

/** What every answer has; `body` is the parsed JSON, or the text where it is none. */
export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface CampaignView {
  readonly campaign_id: string;
  readonly status: string;
  readonly name: string;
}

export interface StatsView {
  readonly total: number;
  readonly queued: number;
  readonly sent: number;
  readonly failed: number;
  readonly dead: number;
  readonly suppressed: number;
  readonly cancelled: number;
  readonly expired: number;
  readonly retrying: number;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
  readonly as_of: string;
  readonly lag_ms: number | null;
}

export interface ImportView {
  readonly imported: number;
  readonly updated: number;
  readonly rejected: number;
  readonly errors: readonly unknown[];
}

export interface Contact {
  readonly email: string;
  readonly name?: string;
  readonly tags?: readonly string[];
  readonly [attribute: string]: unknown;
}

export const endedOf = (s: StatsView): number => s.sent + s.failed + s.dead + s.suppressed + s.cancelled + s.expired;
export const sumOf = (s: StatsView): number => endedOf(s) + s.queued + s.retrying;

/** An answer that the caller did not expect. */
class UnexpectedAnswer extends Error {
  override readonly name = 'UnexpectedAnswer';
}

export interface CallOptions {
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export type ApiClient = ReturnType<typeof createApiClient>;

/** The public HTTP API and nothing else: what the tests about the whole may use. `origin` is asked at each call. */
export function createApiClient(origin: () => string, key: () => string) {
  async function call<T = unknown>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
    const headers: Record<string, string> = { authorization: `Bearer ${key()}`, ...options.headers };
    const init: RequestInit = { method, headers, signal: AbortSignal.timeout(options.timeoutMs ?? 30_000) };
    if (options.json !== undefined) {
      headers['content-type'] ??= 'application/json';
      init.body = JSON.stringify(options.json);
    } else if (options.body !== undefined) init.body = options.body as NonNullable<RequestInit['body']>;
    const response = await fetch(`${origin()}${path}`, init);
    const text = await response.text();
    let body: unknown = text;
    try {
      body = text === '' ? {} : JSON.parse(text);
    } catch {
      // An error page or a stream: the text says more.
    }
    return { status: response.status, headers: response.headers, body: body as T };
  }

  /** The body of a 2xx answer. */
  async function ok<T = unknown>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const answer = await call<T>(method, path, options);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    throw new UnexpectedAnswer(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  const campaign = (id: string) => ok<CampaignView>('GET', `/v1/campaigns/${id}`);
  const stats = (id: string) => ok<StatsView>('GET', `/v1/campaigns/${id}/stats`);

  return {
    call,
    ok,
    campaign,
    stats,
    /** One import of a tenant at a time: whoever comes second is told to wait, and does. */
    importContacts(contacts: Iterable<Contact>): Promise<ImportView> {
      const body = [...contacts].map((c) => `${JSON.stringify(c)}\n`).join('');
      const headers = { 'content-type': 'application/x-ndjson' };
      return until('the contacts are imported', async () => {
        const answer = await call<ImportView>('POST', '/v1/contacts/import', { headers, body });
        if (answer.status === 200) return answer.body;
        if (answer.status === 429) return undefined;
        throw new UnexpectedAnswer(`import: ${answer.status} ${JSON.stringify(answer.body)}`);
      });
    },
    async create(body: Readonly<Record<string, unknown>>): Promise<string> {
      const defaults = { name: 'Test', template: 'Hi {{name}}', channel: 'simulated' };
      return (await ok<CampaignView>('POST', '/v1/campaigns', { json: { ...defaults, ...body } })).campaign_id;
    },
    send: (id: string, idempotencyKey?: string) =>
      ok<{ queued: number }>('POST', `/v1/campaigns/${id}/send`, {
        ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }),
      }),
    command: (id: string, name: 'send' | 'pause' | 'resume' | 'cancel') =>
      call<{ code?: string; status?: string | number }>('POST', `/v1/campaigns/${id}/${name}`),
    /** Waits for a status, through restarts of the API. */
    untilStatus(id: string, wanted: (status: string) => boolean, timeoutMs = 60_000): Promise<CampaignView> {
      let last: unknown;
      return until(
        `campaign ${id} has the wanted status`,
        async () => {
          const view = await campaign(id);
          last = { status: view.status, stats: await stats(id) };
          return wanted(view.status) ? view : undefined;
        },
        { timeoutMs, seen: () => last, everyMs: 50 },
      );
    },
    untilEnded(id: string, timeoutMs = 60_000): Promise<CampaignView> {
      return this.untilStatus(id, isEnded, timeoutMs);
    },
    /** Waits until at least `count` messages have ended: "in mid-campaign". */
    untilSomeEnded(id: string, count: number, timeoutMs = 30_000): Promise<StatsView> {
      let last: StatsView | undefined;
      return until(
        `${count} messages of campaign ${id} have ended`,
        async () => {
          last = await stats(id);
          return endedOf(last) >= count ? last : undefined;
        },
        { timeoutMs, seen: () => last },
      );
    },
  };
}
