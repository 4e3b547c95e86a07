import { PROBLEMS, type ProblemCode } from '@volley/contract/http';
import { StreamUnavailable } from '@volley/stream';
import { type Failure, type FailureDetail, StoreUnavailable } from '../../ports.ts';

/** Thrown by handlers and readers; the one middleware of server.ts turns it into the answer. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: ProblemCode;
  readonly errors: readonly FailureDetail[] | undefined;
  readonly extra: Readonly<Record<string, string | number>>;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    code: ProblemCode,
    detail: string,
    more: {
      errors?: readonly FailureDetail[] | undefined;
      extra?: Readonly<Record<string, string | number>> | undefined;
      headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(detail);
    this.code = code;
    this.errors = more.errors;
    this.extra = more.extra ?? {};
    this.headers = more.headers ?? {};
  }
}

const RETRY_AFTER_SECONDS: Partial<Record<ProblemCode, string>> = { busy: '5', unavailable: '2' };

export const failed = (failure: Failure): HttpProblem =>
  new HttpProblem(failure.code, failure.detail, { errors: failure.errors, extra: failure.extra });

/** What a client may hear of any error: never a stack, never a sentence of a store. */
export function problemOf(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof StoreUnavailable) {
    const what = error.store === 'postgres' ? 'the control store' : 'the analytics store';
    return new HttpProblem(
      'unavailable',
      `${what} does not answer: try again, with the same Idempotency-Key if there was one`,
    );
  }
  if (error instanceof StreamUnavailable) return new HttpProblem('unavailable', 'the log does not answer: try again');
  return new HttpProblem('internal', 'an error of Volley itself; the request_id finds it in the log');
}

export function problemAnswer(problem: HttpProblem, requestId: string) {
  const { status, title } = PROBLEMS[problem.code];
  const retryAfter = RETRY_AFTER_SECONDS[problem.code];
  return {
    status,
    headers: { ...(retryAfter ? { 'Retry-After': retryAfter } : {}), ...problem.headers },
    body: {
      type: `urn:volley:problem:${problem.code}`,
      title,
      status,
      code: problem.code,
      detail: problem.message,
      request_id: requestId,
      ...(problem.errors ? { errors: problem.errors } : {}),
      ...problem.extra,
    },
  };
}
