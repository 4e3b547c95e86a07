import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { MAX_JSON_BODY_BYTES, MAX_JSON_DEPTH } from '@volley/contract/http';
import { parseJsonText } from './json-text.ts';
import { HttpProblem } from './problem.ts';

const BODY_DEADLINE_MS = 30_000;
/** What is left of the body is not read: the connection ends with the answer. */
const CLOSE = { headers: { Connection: 'close' } };

export const NDJSON: readonly string[] = ['application/x-ndjson', 'application/ndjson', 'application/jsonl'];

/** The media type without parameters. A charset, if there is one, is UTF-8; an encoded body is refused, not inflated. */
export function mediaTypeOf(req: IncomingMessage): string {
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new HttpProblem('unsupported_media_type', 'an encoded body is not accepted', CLOSE);
  const [type = '', ...parameters] = (req.headers['content-type'] ?? '').split(';').map((p) => p.trim().toLowerCase());
  for (const parameter of parameters) {
    const charset = /^charset="?([^"]*)"?$/.exec(parameter)?.[1];
    if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8')
      throw new HttpProblem('unsupported_media_type', 'the body is not UTF-8', CLOSE);
  }
  return type;
}

/** Reads at most `maxBytes`, whatever Content-Length says, and for at most half a minute. */
export async function readBody(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new HttpProblem('body_too_large', `the body has more than ${maxBytes} bytes`, CLOSE);
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    req.destroy();
  }, BODY_DEADLINE_MS);
  try {
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw new HttpProblem('malformed_body', late ? 'the body did not arrive in time' : 'the body was cut off', CLOSE);
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks, bytes);
}

const malformed = (detail: string) => new HttpProblem('malformed_body', detail);

export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) throw malformed('the body is empty');
  if (!isUtf8(body)) throw malformed('the body is not valid UTF-8');
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) throw malformed('position 0: a byte order mark');
  const text = body.toString('utf8');
  const parsed = parseJsonText(text, MAX_JSON_DEPTH);
  if (!parsed.ok) throw malformed(`position ${parsed.fault.position}: ${parsed.fault.detail}`);
  return parsed.value;
}

export async function readJson(req: IncomingMessage): Promise<{ raw: Buffer; value: unknown }> {
  if (mediaTypeOf(req) !== 'application/json')
    throw new HttpProblem('unsupported_media_type', 'the body is not application/json', CLOSE);
  const raw = await readBody(req, MAX_JSON_BODY_BYTES);
  return { raw, value: parseJsonBody(raw) };
}

/** For commands: nothing, or an empty object, which some clients cannot help sending. */
export async function readNothing(req: IncomingMessage): Promise<Buffer> {
  const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
  if (!hasBody) return Buffer.alloc(0);
  const { raw, value } = await readJson(req);
  const empty = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
  if (!empty) throw new HttpProblem('validation_failed', 'this command takes no body');
  return raw;
}
