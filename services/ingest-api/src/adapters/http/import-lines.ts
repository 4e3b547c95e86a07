import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { MAX_IMPORT_LINE_BYTES, MAX_JSON_DEPTH } from '@volley/contract/http';
import type { ImportLine } from '../../ports.ts';
import { parseCsvRecord } from './csv-record.ts';
import { parseJsonText } from './json-text.ts';
import { HttpProblem } from './problem.ts';

/** A physical line, without its end. `bytes` undefined: longer than a line may be, and not kept. */
interface Line {
  readonly line: number;
  readonly bytes: Buffer | undefined;
}

const NEWLINE = 10;
const RETURN = 13;
/** A quoted CSV field may hold line breaks; beyond this many a quote was simply never closed. */
const MAX_LINES_OF_A_RECORD = 100;

const trimmed = (bytes: Buffer): Buffer => (bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes);

/** Lines as they arrive, never more than one chunk and one unfinished line in memory. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line[]> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let line = 1;
  const finish = (tail: Buffer): Line => {
    const bytes = restBytes + tail.length > MAX_IMPORT_LINE_BYTES ? undefined : Buffer.concat([...rest, tail]);
    rest = [];
    restBytes = 0;
    return { line: line++, bytes: bytes && trimmed(bytes) };
  };
  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      lines.push(finish(chunk.subarray(start, end)));
      start = end + 1;
    }
    const tail = chunk.subarray(start);
    restBytes += tail.length;
    // What is too long is counted on, not kept.
    if (restBytes <= MAX_IMPORT_LINE_BYTES) rest.push(Buffer.from(tail));
    else rest = [];
    if (lines.length > 0) yield lines;
  }
  if (restBytes > 0) yield [finish(Buffer.alloc(0))];
}

const reject = (
  line: number,
  code: 'malformed_line' | 'line_too_long' | 'invalid_encoding',
  detail: string,
): ImportLine => ({
  line,
  code,
  detail,
});
const tooLong = (line: number) =>
  reject(line, 'line_too_long', `the line has more than ${MAX_IMPORT_LINE_BYTES} bytes`);
const notUtf8 = (line: number) => reject(line, 'invalid_encoding', 'the line is not valid UTF-8');
const withoutMark = (line: Line): Line =>
  line.line === 1 && line.bytes?.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]))
    ? { line: 1, bytes: line.bytes.subarray(3) }
    : line;

/** NDJSON: each line stands alone. Empty lines are passed over. */
export async function* ndjsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<ImportLine[]> {
  for await (const lines of linesOf(chunks)) {
    const out: ImportLine[] = [];
    for (const each of lines) {
      const { line, bytes } = withoutMark(each);
      if (!bytes) out.push(tooLong(line));
      else if (!isUtf8(bytes)) out.push(notUtf8(line));
      else {
        const text = bytes.toString('utf8');
        if (text.trim() === '') continue;
        const parsed = parseJsonText(text, MAX_JSON_DEPTH);
        if (!parsed.ok)
          out.push(reject(line, 'malformed_line', `position ${parsed.fault.position}: ${parsed.fault.detail}`));
        else if (typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value))
          out.push(reject(line, 'malformed_line', 'the line is not a JSON object'));
        else out.push({ line, fields: parsed.value as Record<string, unknown> });
      }
    }
    yield out;
  }
}

function headerOf(text: string): string[] {
  const parsed = parseCsvRecord(text);
  const wrong = (detail: string) =>
    new HttpProblem('validation_failed', 'the first line does not name the columns', {
      errors: [{ pointer: '', detail, line: 1 }],
      headers: { Connection: 'close' },
    });
  if (!('fields' in parsed)) throw wrong('the first line is not CSV');
  const columns = parsed.fields.map((name) => name.trim());
  const lower = columns.map((name) => (/^(email|to|name|tags)$/i.test(name) ? name.toLowerCase() : name));
  if (!lower.includes('email') && !lower.includes('to')) throw wrong('a column email or to is missing');
  if (new Set(lower).size !== lower.length) throw wrong('a column stands twice');
  if (lower.includes('')) throw wrong('a column has no name');
  if (lower.some((name) => ['__proto__', 'constructor', 'prototype'].includes(name)))
    throw wrong('a column name is not allowed');
  if (lower.length > 200) throw wrong('more than 200 columns');
  return lower;
}

/**
 * CSV: a header line, then records. A record that cannot be read is rejected alone, and reading goes on with the line
 * after its first one: a general parser, fed a quote that is never closed, loses the good lines that follow as well.
 */
export async function* csvLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<ImportLine[]> {
  let columns: string[] | undefined;
  /** Lines that may belong to one record, the first of them open inside a quoted field. */
  let pending: Line[] = [];
  const textOf = (lines: readonly Line[]) => lines.map((l) => (l.bytes as Buffer).toString('utf8')).join('\n');

  /** Takes one record off `pending`; undefined when it may go on with the next line. */
  function take(atEnd: boolean): ImportLine | 'nothing' | undefined {
    const first = pending[0] as Line;
    const drop = (n: number) => {
      pending = pending.slice(n);
    };
    if (!first.bytes || !isUtf8(first.bytes)) {
      drop(1);
      return first.bytes ? notUtf8(first.line) : tooLong(first.line);
    }
    let bytes = 0;
    for (let n = 1; n <= pending.length; n++) {
      const last = pending[n - 1] as Line;
      bytes += last.bytes?.length ?? Number.POSITIVE_INFINITY;
      if (n > MAX_LINES_OF_A_RECORD || bytes > MAX_IMPORT_LINE_BYTES || !isUtf8(last.bytes as Buffer)) break;
      const parsed = parseCsvRecord(textOf(pending.slice(0, n)));
      if ('open' in parsed) {
        if (n === pending.length && !atEnd) return undefined;
        continue;
      }
      if ('wrong' in parsed) {
        drop(1);
        return reject(first.line, 'malformed_line', parsed.wrong);
      }
      drop(n);
      if (parsed.fields.length === 1 && parsed.fields[0]?.trim() === '') return 'nothing';
      return recordOf(first.line, parsed.fields);
    }
    drop(1);
    return reject(first.line, 'malformed_line', 'a quoted field is never closed');
  }

  function recordOf(line: number, values: readonly string[]): ImportLine {
    const names = columns as string[];
    if (values.length !== names.length)
      return reject(line, 'malformed_line', `${values.length} fields, where the first line names ${names.length}`);
    const fields: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) {
      const value = values[i] as string;
      if (value.includes('\u0000')) return reject(line, 'malformed_line', 'a field holds the character NUL');
      // An empty cell cannot say that it was meant: it counts as not given.
      if (value !== '') fields[names[i] as string] = value;
    }
    return { line, fields };
  }

  const drain = (atEnd: boolean): ImportLine[] => {
    const out: ImportLine[] = [];
    while (pending.length > 0) {
      const taken = take(atEnd);
      if (taken === undefined) break;
      if (taken !== 'nothing') out.push(taken);
    }
    return out;
  };
  for await (const lines of linesOf(chunks)) {
    const out: ImportLine[] = [];
    for (const each of lines) {
      const line = withoutMark(each);
      if (!columns) {
        if (!line.bytes || !isUtf8(line.bytes))
          throw new HttpProblem('validation_failed', 'the first line cannot be read');
        columns = headerOf(line.bytes.toString('utf8'));
        continue;
      }
      pending.push(line);
      out.push(...drain(false));
    }
    yield out;
  }
  if (!columns)
    throw new HttpProblem('validation_failed', 'the body is empty: the first line names the columns', {
      errors: [{ pointer: '', detail: 'a column email or to is missing', line: 1 }],
    });
  yield drain(true);
}

const IDLE_MS = 30_000;

/** The bytes of an upload. One that stalls or breaks throws, and with it goes everything that was imported from it. */
export async function* uploadOf(
  req: IncomingMessage,
  lost = 'the upload was cut off: nothing was imported',
): AsyncGenerator<Buffer> {
  req.setTimeout(IDLE_MS, () => req.destroy(new Error('the upload stalled')));
  try {
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) yield chunk;
  } catch {
    throw new HttpProblem('malformed_body', lost, {
      headers: { Connection: 'close' },
    });
  }
}
