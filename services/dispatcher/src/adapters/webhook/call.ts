import type { Dispatcher } from 'undici';
import { retryAfterMs } from '../../core/retry-after.ts';
import type { Failure, SendOutcome } from '../../ports.ts';

/** More than this of an answer is not read; its connection is closed instead. */
const MAX_ANSWER_BYTES = 65_536;
/** What a detail of 256 characters can be made of. */
const DETAIL_BYTES = 1_024;
/** Of the deadline: what got its connection later than this is not sent, which is known, instead of cut off, which is not. */
const LATEST_START = 0.9;

const GIVEN_UP = new Error('given up');
const first = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

export interface CallOptions {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly done: (outcome: SendOutcome) => void;
}

/**
 * One request, from undici's callbacks to an outcome; `done` is called exactly once, at the deadline at the latest.
 * The status decides as soon as it is there: an answer whose text is too long, drips, or breaks off was an answer.
 */
export function createCall(o: CallOptions): Dispatcher.DispatchHandler {
  let controller: Dispatcher.DispatchController | undefined;
  let over = false;
  let status = 0;
  let waitMs: number | undefined;
  let bytes = 0;
  let text = '';

  const askedMs = performance.now();
  const timer = setTimeout(giveUp, o.deadlineMs);
  o.signal.addEventListener('abort', giveUp, { once: true });

  function finish(outcome: SendOutcome): void {
    over = true;
    clearTimeout(timer);
    o.signal.removeEventListener('abort', giveUp);
    o.done(outcome);
  }

  function answered(): SendOutcome {
    const detail = text === '' ? String(status) : `${status} ${text}`;
    if (status >= 200 && status <= 299) return { ok: true, detail };
    const failure: Failure = { protocol: 'http', status, detail };
    return { ok: false, failure: waitMs === undefined ? failure : { ...failure, retryAfterMs: waitMs } };
  }

  /** From the start of the request on, its bytes may have arrived. */
  const unanswered = (code: string | undefined, detail: string): SendOutcome => ({
    ok: false,
    failure: {
      protocol: 'http',
      stage: controller === undefined ? 'connect' : 'content',
      detail,
      ...(code === undefined ? {} : { code }),
    },
  });

  function giveUp(): void {
    if (over) return;
    finish(status === 0 ? unanswered('ETIMEDOUT', `no answer within ${o.deadlineMs} ms`) : answered());
    controller?.abort(GIVEN_UP);
  }

  return {
    onRequestStart(started) {
      // Given up while it waited for a connection: not a byte of it is sent.
      if (performance.now() - askedMs > o.deadlineMs * LATEST_START) giveUp();
      controller = started;
      if (over) started.abort(GIVEN_UP);
    },
    onResponseStart(_controller, statusCode, headers) {
      // 1xx announces the answer.
      if (over || statusCode < 200) return;
      status = statusCode;
      const asked = first(headers['retry-after']);
      if (asked !== undefined) waitMs = retryAfterMs(asked, first(headers.date), o.now());
    },
    onResponseData(ours, chunk) {
      if (over) return;
      if (bytes < DETAIL_BYTES) text += chunk.toString('utf8', 0, DETAIL_BYTES - bytes);
      bytes += chunk.length;
      if (bytes <= MAX_ANSWER_BYTES) return;
      finish(answered());
      ours.abort(GIVEN_UP);
    },
    onResponseEnd() {
      if (!over) finish(answered());
    },
    onResponseError(_controller, error) {
      if (over) return;
      if (status !== 0) return finish(answered());
      const { code, message } = rootOf(error);
      finish(unanswered(code, message));
    },
  };
}

/** Of several addresses that all failed (happy eyeballs) the first tells. */
function rootOf(error: Error): { code?: string; message: string } {
  const { code, message } = error as NodeJS.ErrnoException;
  const inner = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException | undefined) : undefined;
  const found = inner?.code ?? code;
  return { message: inner?.message || message || error.name, ...(found === undefined ? {} : { code: found }) };
}
