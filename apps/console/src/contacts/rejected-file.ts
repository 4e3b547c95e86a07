import type { ImportReport } from '../api/types.ts';
import type { FileType } from './inspect-file.ts';
import { linesOfFile } from './lines-of-file.ts';

/** A spreadsheet runs what begins so, and the lines are somebody else's: an apostrophe makes it text. */
const FORMULA = /^[=+\-@\t\r]/;
const cell = (text: string): string => `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

/** Of the rejected lines that the API has named, read again from the file. */
export function rejectedTexts(
  file: File,
  type: FileType,
  errors: ImportReport['errors'],
): Promise<ReadonlyMap<number, string>> {
  const numbers = new Map<number, boolean>();
  // What is malformed was rejected line by line; any other record was read to its end.
  for (const { line, code } of errors) numbers.set(line, type === 'text/csv' && code !== 'malformed_line');
  const wanted = [...numbers].map(([line, wholeRecord]) => ({ line, wholeRecord })).sort((a, b) => a.line - b.line);
  return linesOfFile(file, wanted);
}

/** CSV of the rejected lines that the API has named: number, code, why, and the line itself. */
export async function rejectedFile(file: File, type: FileType, errors: ImportReport['errors']): Promise<Blob> {
  const texts = await rejectedTexts(file, type, errors);
  const rows = errors.map(({ line, code, detail }) =>
    [String(line), code, detail, texts.get(line) ?? ''].map(cell).join(','),
  );
  // With a byte order mark, as spreadsheets take CSV for something else than UTF-8 without.
  return new Blob(['\ufeff', ['line,code,detail,text', ...rows].join('\r\n'), '\r\n'], {
    type: 'text/csv;charset=utf-8',
  });
}
