import { refusals } from './errors.ts';

/**
 * multipart/form-data as a client sends long queries and parameters: every part is a field. A part with a file name
 * would be an external table, which the engine does not take this way.
 */
export function readMultipart(body: Buffer, contentType: string): Map<string, string> {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  if (boundary === null) throw refusals.badArguments('multipart/form-data without a boundary.');
  const delimiter = Buffer.from(`--${boundary[1] ?? boundary[2]}`);
  const fields = new Map<string, string>();
  let at = body.indexOf(delimiter);
  while (at >= 0) {
    const start = at + delimiter.length;
    if (body.toString('latin1', start, start + 2) === '--') return fields;
    const next = body.indexOf(Buffer.concat([Buffer.from('\r\n'), delimiter]), start);
    const headEnd = body.indexOf('\r\n\r\n', start);
    if (next < 0 || headEnd < 0 || headEnd > next) break;
    const head = body.toString('utf8', start, headEnd);
    const name = /\bname="((?:[^"\\]|\\.)*)"/i.exec(head)?.[1];
    if (name === undefined) throw refusals.badArguments('A part of the form has no name.');
    if (/\bfilename=/i.test(head)) throw refusals.notImplemented('External tables are not supported here.');
    fields.set(name, body.toString('utf8', headEnd + 4, next));
    at = next + 2;
  }
  throw refusals.badArguments('The form ends before its last boundary.');
}
