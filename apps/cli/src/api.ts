import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { text } from 'node:stream/consumers';
import { CliError } from './output.ts';

/** The public HTTP API, as the command line uses it: no other way in. */
export interface Api {
  readonly base: string;
  request<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** A GET whose answer may take as long as it takes. */
  patiently<T>(path: string): Promise<T>;
  /** Streams a body of any length. */
  upload<T>(path: string, contentType: string, body: AsyncIterable<Uint8Array>): Promise<T>;
}

interface Problem {
  title?: string;
  detail?: string;
  code?: string;
  errors?: { pointer?: string; detail?: string }[];
}

async function answerOf<T>(response: Response, what: string): Promise<T> {
  const text = await response.text();
  let json: unknown;
  try {
    json = text ? JSON.parse(text) : {};
  } catch {
    json = {};
  }
  if (response.ok) return json as T;
  const problem = json as Problem;
  const details = (problem.errors ?? []).map((e) => `\n  ${e.pointer ?? ''} ${e.detail ?? ''}`).join('');
  throw new CliError(
    `${what}: ${response.status} ${problem.code ?? ''} ${problem.detail ?? problem.title ?? ''}${details}`,
    1,
    response.status,
  );
}

/** `fetch` gives up when the head of an answer is not there within 300 s, and nothing of it can be told otherwise. */
const getPatiently = (url: URL, authorization: string): Promise<Response> =>
  new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? httpsGet : httpGet;
    // A connection of its own: one that was idle may end just now.
    get(url, { headers: { authorization }, agent: false }, (response) => {
      const status = response.statusCode ?? 0;
      text(response).then((body) => resolve(new Response(body, { status })), reject);
    }).on('error', reject);
  });

export function createApi(base: string, key: string): Api {
  const authorization = `Bearer ${key}`;
  const answered = async (asked: Promise<Response>): Promise<Response> => {
    try {
      return await asked;
    } catch (error) {
      const cause = (error as { cause?: Error }).cause;
      throw new CliError(
        `the API at ${base} does not answer (${cause?.message ?? (error as Error).message}): is \`npm start\` running?`,
      );
    }
  };
  const call = (method: string, path: string, init: RequestInit) =>
    answered(fetch(`${base}${path}`, { method, ...init }));
  return {
    base,
    async patiently<T>(path: string) {
      return answerOf<T>(await answered(getPatiently(new URL(`${base}${path}`), authorization)), `GET ${path}`);
    },
    async request<T>(method: string, path: string, body?: unknown) {
      const init: RequestInit = { headers: { authorization } };
      if (body !== undefined) {
        init.headers = { authorization, 'content-type': 'application/json' };
        init.body = JSON.stringify(body);
      }
      return answerOf<T>(await call(method, path, init), `${method} ${path}`);
    },
    async upload<T>(path: string, contentType: string, body: AsyncIterable<Uint8Array>) {
      const init = {
        headers: { authorization, 'content-type': contentType },
        body: ReadableStream.from(body),
        duplex: 'half',
      };
      return answerOf<T>(await call('POST', path, init as RequestInit), `POST ${path}`);
    },
  };
}

export interface CampaignView {
  readonly campaign_id: string;
  readonly status: string;
  readonly name: string;
}

/** GET /v1/campaigns/{id}/stats */
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
  readonly throughput_per_s: number | null;
  readonly as_of: string;
  readonly lag_ms: number | null;
}

export interface ImportView {
  readonly imported: number;
  readonly updated: number;
  readonly rejected: number;
  readonly errors: readonly { line: number; code: string; detail: string }[];
}

export const endedOf = (s: StatsView): number => s.sent + s.failed + s.dead + s.suppressed + s.cancelled + s.expired;
