import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of an insert on its way to ClickHouse. */
export type InsertFault =
  /** Taken, and never answered. */
  | { readonly kind: 'blackhole' }
  /** So much of its body arrives, then both connections are reset. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** It is done, and the connection is reset in place of the answer. */
  | { readonly kind: 'lose' }
  /** It is answered with this exception: in its place, or after it was done. */
  | { readonly kind: 'say'; readonly code: number; readonly name: string; readonly done: boolean }
  /** With these settings of the engine, which then fails by itself. */
  | { readonly kind: 'set'; readonly settings: Readonly<Record<string, string>> };

/** An insert that has been read to its end and has not reached ClickHouse. */
export interface HeldInsert {
  readonly token: string;
  /** Lets it go; answers the status that ClickHouse gave. */
  release(): Promise<number>;
}

export interface ClickHouseFront {
  /** The address of a ClickHouse through this front. */
  through(address: string): string;
  /** Inserts meet this from now on, the next `times` of them or all; undefined: they pass. */
  set(fault: InsertFault | undefined, times?: number): void;
  /** Resolves with the next insert into one of these partitions of the log, which is not passed on before its release. */
  hold(partitions: readonly number[]): Promise<HeldInsert>;
  /** Inserts that met a fault. */
  faults(): number;
  /** Inserts that came again under a token that was there before. */
  repeats(): number;
  /** Every fault ends; what was held is cut. */
  heal(): void;
  close(): Promise<void>;
}

interface Held {
  readonly partitions: readonly number[];
  taken(insert: HeldInsert): void;
}

const tokenIn = (url: URL) => url.searchParams.get('insert_deduplication_token') ?? '';
/** cluster:topic:partition:from:to:layout */
const partitionIn = (token: string) => Number(token.split(':').at(-4) ?? Number.NaN);

async function bodyOf(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** An HTTP server in front of ClickHouse that passes everything, until inserts are to meet something. */
export async function startClickHouseFront(): Promise<ClickHouseFront> {
  let target = new URL('http://127.0.0.1:1');
  let fault: InsertFault | undefined;
  let left = 0;
  let faults = 0;
  let repeats = 0;
  let waiting: Held | undefined;
  const tokens = new Set<string>();

  const server = http.createServer((request, response) => {
    response.on('error', () => {});
    request.on('error', () => {});
    answer(request, response).catch(() => request.socket.resetAndDestroy());
  });
  server.requestTimeout = 0;

  function takeFault(): InsertFault | undefined {
    if (fault === undefined || left === 0) return undefined;
    left -= 1;
    faults += 1;
    return fault;
  }

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', target);
    const token = tokenIn(url);
    if (token === '') return void (await forward(request, url, request, response));
    if (tokens.has(token)) repeats += 1;
    tokens.add(token);
    if (waiting?.partitions.includes(partitionIn(token))) return hold(request, url, token, response);
    const met = takeFault();
    if (met === undefined) return void (await forward(request, url, request, response));
    if (met.kind === 'blackhole') return void request.resume();
    if (met.kind === 'cut') return cut(request, url, met.afterBytes);
    const body = await bodyOf(request);
    if (met.kind === 'set') {
      for (const [name, value] of Object.entries(met.settings)) url.searchParams.set(name, value);
      return void (await forward(request, url, body, response));
    }
    if (met.kind === 'say' && !met.done) return say(response, met);
    await forward(request, url, body);
    if (met.kind === 'say') say(response, met);
    else request.socket.resetAndDestroy();
  }

  /** Resolves with the status when the answer was passed on or, without anybody to pass it to, read. */
  function forward(
    { method, headers }: http.IncomingMessage,
    url: URL,
    body: http.IncomingMessage | Buffer,
    response?: http.ServerResponse,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const length = Buffer.isBuffer(body) ? { 'content-length': body.length } : lengthOf(headers);
      const upstream = http.request(url, {
        method: method ?? 'GET',
        headers: { ...withoutHops(headers), ...length },
        agent: false,
      });
      upstream.on('error', reject);
      upstream.on('response', (answered) => {
        answered.on('error', reject);
        answered.on('end', () => resolve(answered.statusCode ?? 0));
        if (response === undefined) answered.resume();
        else {
          response.writeHead(answered.statusCode ?? 500, withoutHops(answered.headers));
          answered.pipe(response);
        }
      });
      if (Buffer.isBuffer(body)) upstream.end(body);
      else {
        body.on('error', () => upstream.destroy());
        body.on('close', () => void (body.complete || upstream.destroy()));
        body.pipe(upstream);
      }
      response?.on('close', () => void (response.writableFinished || upstream.destroy()));
    });
  }

  async function cut(request: http.IncomingMessage, url: URL, afterBytes: number): Promise<void> {
    const body = await bodyOf(request);
    const upstream = http.request(url, {
      method: request.method ?? 'POST',
      headers: { authorization: request.headers.authorization, 'content-length': body.length },
      agent: false,
    });
    upstream.on('error', () => {});
    // One that is shorter than that loses its last byte: nobody may take it for whole.
    const part = body.subarray(0, Math.min(afterBytes, body.length - 1));
    await new Promise<void>((resolve) => upstream.write(part, () => resolve()));
    upstream.destroy();
    request.socket.resetAndDestroy();
  }

  async function hold(request: http.IncomingMessage, url: URL, token: string, response: http.ServerResponse) {
    const { taken } = waiting as Held;
    waiting = undefined;
    const body = await bodyOf(request);
    await new Promise<void>((resolve) =>
      taken({
        token,
        async release() {
          const status = await forward(request, url, body, response);
          resolve();
          return status;
        },
      }),
    );
  }

  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  return {
    through(address) {
      const url = new URL(address);
      target = new URL(url.origin);
      url.port = String((server.address() as AddressInfo).port);
      return url.toString().replace(/\/$/, '');
    },
    set(next, times = Number.POSITIVE_INFINITY) {
      fault = next;
      left = times;
    },
    hold: (partitions) =>
      new Promise((taken) => {
        waiting = { partitions, taken };
      }),
    faults: () => faults,
    repeats: () => repeats,
    heal() {
      const was = fault;
      fault = undefined;
      waiting = undefined;
      // Whoever waits for an answer that was lost is told at once.
      if (was?.kind === 'blackhole') server.closeAllConnections();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function say(response: http.ServerResponse, { code, name }: { readonly code: number; readonly name: string }): void {
  response
    .writeHead(500, { 'x-clickhouse-exception-code': String(code), 'content-type': 'text/plain' })
    .end(`Code: ${code}. DB::Exception: Said by a test. (${name}) (version 26.7.2)\n`);
}

/** Of one connection, not of what goes over it. */
const withoutHops = ({
  connection: _,
  'keep-alive': __,
  'transfer-encoding': ___,
  ...rest
}: http.IncomingHttpHeaders) => Object.fromEntries(Object.entries(rest).filter(([name]) => name !== 'content-length'));

const lengthOf = (headers: http.IncomingHttpHeaders) =>
  headers['content-length'] === undefined ? {} : { 'content-length': headers['content-length'] };
