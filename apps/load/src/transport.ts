import { type Dispatcher, Pool } from 'undici';

/** What came back. `begun`: its bytes may have arrived, so nobody knows what became of it. */
export type Reply =
  | { readonly ok: true; readonly status: number; readonly text: string }
  | { readonly ok: false; readonly error: string; readonly begun: boolean };

export interface Transport {
  /** Never rejects; answered at the timeout at the latest. */
  request(method: 'GET' | 'POST', path: string, contentType?: string, body?: string): Promise<Reply>;
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly origin: string;
  readonly key: string;
  /** Connections at most; what comes when all of them wait for an answer waits here. */
  readonly connections: number;
  readonly timeoutMs: number;
}

interface Call {
  readonly untilMs: number;
  over: boolean;
  begun: boolean;
  controller: Dispatcher.DispatchController | undefined;
  finish(reply: Reply): void;
}

const GIVEN_UP = new Error('given up');
/** More of an answer is not kept: counts and codes stand at its beginning. */
const MAX_TEXT = 16_384;
const SWEEP_MS = 50;

/**
 * Requests by undici's callbacks on connections that stay open: half of what `request()` costs. One timer for all deadlines:
 * the timeout is the same for each, so the oldest call is always the next to be given up.
 */
export function createTransport(o: TransportOptions): Transport {
  const pool = new Pool(o.origin, {
    connections: o.connections,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const authorization = `Bearer ${o.key}`;
  const calls: Call[] = [];
  let oldest = 0;
  const sweep = setInterval(() => {
    const nowMs = performance.now();
    while (oldest < calls.length && ((calls[oldest] as Call).over || (calls[oldest] as Call).untilMs <= nowMs)) {
      const call = calls[oldest++] as Call;
      if (call.over) continue;
      call.finish({ ok: false, error: 'timeout', begun: call.begun });
      call.controller?.abort(GIVEN_UP);
    }
    if (oldest > 10_000) {
      calls.splice(0, oldest);
      oldest = 0;
    }
  }, SWEEP_MS);

  function handlerOf(call: Call): Dispatcher.DispatchHandler {
    let status = 0;
    let text = '';
    return {
      onRequestStart(controller) {
        call.controller = controller;
        // Between two sweeps a connection may become free for one whose time is up: it must not go out any more.
        if (!call.over && call.untilMs <= performance.now())
          call.finish({ ok: false, error: 'timeout', begun: call.begun });
        if (call.over) controller.abort(GIVEN_UP);
        else call.begun = true;
      },
      onResponseStart(_, statusCode) {
        if (statusCode >= 200) status = statusCode;
      },
      onResponseData(_, chunk) {
        if (text.length < MAX_TEXT) text += chunk.toString('utf8');
      },
      onResponseEnd() {
        if (!call.over) call.finish({ ok: true, status, text });
      },
      onResponseError(_, error) {
        const code = (error as NodeJS.ErrnoException).code ?? error.name;
        if (!call.over) call.finish({ ok: false, error: code, begun: call.begun });
      },
    };
  }

  return {
    request: (method, path, contentType, body) =>
      new Promise((resolve) => {
        const call: Call = {
          untilMs: performance.now() + o.timeoutMs,
          over: false,
          begun: false,
          controller: undefined,
          finish(reply) {
            call.over = true;
            resolve(reply);
          },
        };
        calls.push(call);
        const headers: Record<string, string> =
          contentType === undefined ? { authorization } : { authorization, 'content-type': contentType };
        pool.dispatch({ method, path, headers, body: body ?? null }, handlerOf(call));
      }),
    async close() {
      clearInterval(sweep);
      await pool.destroy();
    },
  };
}
