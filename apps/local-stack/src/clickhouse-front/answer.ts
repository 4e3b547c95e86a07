import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { type EngineError, httpStatus, toEngineError } from './errors.ts';
import { contentType } from './formats.ts';

export interface Summary {
  readRows?: number;
  readBytes?: number;
  writtenRows?: number;
  writtenBytes?: number;
  elapsedMs?: number;
}

export interface AnswerHead {
  queryId: string;
  format: string;
  /** Undefined: as it is. */
  encoding: 'gzip' | 'deflate' | 'br' | 'zstd' | undefined;
  /** The client has asked for progress in headers. */
  progress: boolean;
}

/** Counts are text in this header: they may exceed what JSON numbers can hold. */
function summaryHeader(summary: Summary): string {
  const text = (value: number | undefined) => String(Math.round(value ?? 0));
  return JSON.stringify({
    read_rows: text(summary.readRows),
    read_bytes: text(summary.readBytes),
    written_rows: text(summary.writtenRows),
    written_bytes: text(summary.writtenBytes),
    total_rows_to_read: '0',
    // Of an answer with rows the engine does not say them here.
    result_rows: text(summary.writtenRows),
    result_bytes: text(summary.writtenBytes),
    elapsed_ns: text((summary.elapsedMs ?? 0) * 1e6),
  });
}

function setHead(response: ServerResponse, head: AnswerHead, summary: Summary): void {
  response.setHeader('X-ClickHouse-Query-Id', head.queryId);
  response.setHeader('X-ClickHouse-Format', head.format);
  response.setHeader('X-ClickHouse-Summary', summaryHeader(summary));
  // The server sends one of these every 100 ms. Here there is one, and what it says is final.
  if (head.progress) response.setHeader('X-ClickHouse-Progress', summaryHeader(summary));
  response.setHeader('Content-Type', contentType(head.format));
  if (head.encoding !== undefined) response.setHeader('Content-Encoding', head.encoding);
}

/** The server's `http_send_timeout`. */
const sendTimeoutMs = 30_000;

/** Speed before size: this compresses for the loopback interface, because a client asked for it. */
const encoders = {
  gzip: { whole: promisify(zlib.gzip), stream: () => zlib.createGzip({ level: 1 }), options: { level: 1 } },
  deflate: { whole: promisify(zlib.deflate), stream: () => zlib.createDeflate({ level: 1 }), options: { level: 1 } },
  br: {
    whole: promisify(zlib.brotliCompress),
    stream: () => zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }),
    options: { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } },
  },
  zstd: { whole: promisify(zlib.zstdCompress), stream: () => zlib.createZstdCompress(), options: {} },
};

export async function answerWhole(
  response: ServerResponse,
  head: AnswerHead,
  summary: Summary,
  bytes: Uint8Array,
  untakenMs = sendTimeoutMs,
): Promise<void> {
  setHead(response, head, summary);
  const body =
    head.encoding === undefined
      ? bytes
      : await encoders[head.encoding].whole(bytes, encoders[head.encoding].options as object);
  response.setHeader('Content-Length', body.length);
  response.end(body);
  endUntaken(response, untakenMs);
}

/** After the last byte is written: a client that takes nothing of it would keep it in memory, and its connection. */
function endUntaken(response: ServerResponse, untakenMs: number): void {
  // Of the socket: it begins anew with each part that the client takes, also of one large write.
  response.setTimeout(untakenMs, () => response.destroy());
}

/**
 * The first chunk is asked for before anything is sent, so most errors still get their status. After that an error
 * ends the body with the server's exception block, and the tag in the header tells a reader that it is one. Resolves with
 * what ends the body.
 */
export async function answerStream(
  response: ServerResponse,
  head: AnswerHead,
  chunks: AsyncIterable<Uint8Array>,
): Promise<() => Promise<void>> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    const tag = randomBytes(8).toString('hex');
    setHead(response, head, {});
    response.setHeader('X-ClickHouse-Exception-Tag', tag);
    const encoder = head.encoding === undefined ? undefined : encoders[head.encoding].stream();
    encoder?.pipe(response);
    const out = encoder ?? response;
    const write = async (bytes: Uint8Array) => {
      if (!response.destroyed && !out.write(bytes)) await drained(out, response);
    };
    let next = first;
    try {
      while (!next.done && !response.destroyed) {
        await write(next.value);
        next = await iterator.next();
      }
    } catch (error) {
      await write(exceptionBlock(toEngineError(error), tag));
    }
    return async () => {
      out.end();
      endUntaken(response, sendTimeoutMs);
    };
  } finally {
    await iterator.return?.();
  }
}

/** Until there is room again or the client is gone. One that takes nothing for `sendTimeoutMs` has its place taken away. */
async function drained(out: Writable, response: ServerResponse): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  const timer = setTimeout(() => response.destroy(), sendTimeoutMs);
  try {
    await Promise.race([once(out, 'drain', { signal }), once(response, 'close', { signal })]);
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

function exceptionBlock(error: EngineError, tag: string): Buffer {
  const message = `${error.text}\n`;
  return Buffer.from(
    `\r\n__exception__\r\n${tag}\r\n${message}${Buffer.byteLength(message)} ${tag}\r\n__exception__\r\n`,
  );
}

/** `until`: the answer goes out whole at once, and the connection stays open for so long. */
export function answerError(
  response: ServerResponse,
  queryId: string | undefined,
  error: unknown,
  until?: Promise<void>,
): void {
  if (response.destroyed || response.writableEnded) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const engineError = toEngineError(error);
  for (const name of response.getHeaderNames())
    if (/^content-|^x-clickhouse-(format|summary|progress|exception-tag)/.test(name)) response.removeHeader(name);
  response.statusCode = httpStatus(error);
  if (response.statusCode === 401) response.setHeader('WWW-Authenticate', 'Basic realm="ClickHouse"');
  if (queryId !== undefined) response.setHeader('X-ClickHouse-Query-Id', queryId);
  response.setHeader('X-ClickHouse-Exception-Code', String(engineError.code));
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  const body = Buffer.from(`${engineError.text}\n`);
  response.setHeader('Content-Length', body.length);
  if (until === undefined) return void response.end(body);
  response.write(body);
  void until.then(() => response.end());
}

export function acceptedEncoding(acceptEncoding: string | undefined): AnswerHead['encoding'] {
  const accepted = (acceptEncoding ?? '').toLowerCase();
  for (const name of ['gzip', 'zstd', 'br', 'deflate'] as const) {
    if (new RegExp(`(?:^|,)\\s*${name}\\s*(?:;\\s*q=(?!0(?:\\.0*)?\\s*(?:,|$))|,|$)`).test(accepted)) return name;
  }
  return undefined;
}
