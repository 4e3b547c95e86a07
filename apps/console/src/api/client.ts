import type { ProblemView } from '@volley/contract/http';
import { apiKey, apiKeyGiven, refuseApiKey } from './key.ts';
import { lookForApi } from './look.ts';
import { tellReached } from './reach.ts';

/** An answer of the API that says why not: `application/problem+json`. */
export class ApiProblem extends Error {
  readonly problem: ProblemView;
  /** Seconds; where the answer names them. */
  readonly retryAfter: number | undefined;
  constructor(problem: ProblemView, retryAfter?: number) {
    super(problem.detail || problem.title);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
  get code() {
    return this.problem.code;
  }
  get status() {
    return this.problem.status;
  }
}

/** Nobody answered: the API is away, or the network is. */
export class Unreachable extends Error {}

/** An API that is well answers within two seconds, or says that it cannot. */
const LIMIT_MS = 15_000;
/** Counting the books of a campaign of millions takes its time. */
const AUDIT_LIMIT_MS = 90_000;
const limitOf = (path: string): number => (path.endsWith('/audit') ? AUDIT_LIMIT_MS : LIMIT_MS);

export type Query = Readonly<Record<string, string | number | boolean | undefined | null>>;

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export function addressOf(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return search ? `${path}?${search}` : path;
}

export const authorization = (): Record<string, string> => {
  const key = apiKey();
  return key === null ? {} : { Authorization: `Bearer ${key}` };
};

/** What a response says went wrong, also when something between us and the API wrote it. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const { status } = response;
  const text = await response.text().catch(() => '');
  const retryAfter = Number(response.headers.get('retry-after')) || undefined;
  try {
    const problem = JSON.parse(text) as ProblemView;
    if (typeof problem.code === 'string') return new ApiProblem(problem, retryAfter);
  } catch {
    // Not from the API.
  }
  const detail = `${status} ${response.statusText}`;
  const code = status === 401 ? 'unauthorized' : status >= 500 ? 'unavailable' : 'internal';
  return new ApiProblem({ type: 'about:blank', title: detail, status, code, detail, request_id: '' }, retryAfter);
}

async function sendOnce(path: string, call: Call, key: string): Promise<Response> {
  const { method = 'GET', query, body, headers, signal } = call;
  const limit = AbortSignal.timeout(limitOf(path));
  let response: Response;
  try {
    response = await fetch(addressOf(path, query), {
      method,
      headers: {
        Accept: 'application/json',
        Authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      cache: 'no-store',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unanswered(limit.aborted);
  }
  tellReached(true);
  return response;
}

/** One answer that is slow is not the API being away: that is asked. */
function unanswered(isLate: boolean): Unreachable {
  if (isLate) void lookForApi();
  else tellReached(false);
  return new Unreachable('The API does not answer');
}

/**
 * One request, answered or thrown as `ApiProblem` or `Unreachable`. Where the key is not accepted nothing was done: the
 * request waits for another one, and with it whatever was under way in the page.
 */
export async function send(path: string, call: Call = {}): Promise<Response> {
  for (;;) {
    const key = apiKey() ?? (await apiKeyGiven(call.signal));
    const response = await sendOnce(path, call, key);
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.code !== 'unauthorized') throw problem;
    refuseApiKey(key);
  }
}

/** The limit of a request is also that of reading its answer. */
async function bodyOf<T>(response: Response, signal: AbortSignal | undefined): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw error instanceof SyntaxError
      ? new Unreachable('What answers is not the API')
      : unanswered((error as Error).name === 'TimeoutError');
  }
}

export async function ask<T>(path: string, call: Call = {}): Promise<T> {
  const response = await send(path, call);
  return response.status === 204 ? (undefined as T) : bodyOf<T>(response, call.signal);
}

/** With the ETag, for changes that must not overwrite somebody else's. */
export async function askTagged<T>(path: string, call: Call = {}): Promise<{ value: T; etag: string | null }> {
  const response = await send(path, call);
  return { value: await bodyOf<T>(response, call.signal), etag: response.headers.get('etag') };
}
