export type FileType = 'text/csv' | 'application/x-ndjson';

/** What the first bytes of a file say about it. `wrong`: it cannot be imported, and why. */
export interface Inspected {
  readonly type: FileType;
  /** Of CSV; empty where they cannot be told. */
  readonly columns: readonly string[];
  readonly wrong: string | undefined;
}

const FIRST_BYTES = 65_536;

/** Reads no more than the beginning, whatever the size. */
export async function inspectFile(file: File): Promise<Inspected> {
  const bytes = new Uint8Array(await file.slice(0, FIRST_BYTES).arrayBuffer());
  const csv = (wrong: string | undefined, columns: readonly string[] = []): Inspected => ({
    type: 'text/csv',
    columns,
    wrong,
  });
  if (bytes.length === 0) return csv('The file is empty.');
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return csv('The file is in UTF-16. Save it as CSV in UTF-8.');
  if (bytes[0] === 0x50 && bytes[1] === 0x4b)
    return csv('This is a spreadsheet or an archive. Save it as CSV in UTF-8.');
  const text = new TextDecoder().decode(bytes).trimStart();
  if (text.startsWith('[')) return csv('This is one JSON array. NDJSON has one object in each line.');
  if (text.startsWith('{')) return { type: 'application/x-ndjson', columns: [], wrong: undefined };
  const header = text.split(/\r?\n/, 1)[0] ?? '';
  const columns = header.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
  if (columns.some((name) => /^(email|to)$/i.test(name))) return csv(undefined, columns);
  return csv(
    /;|\t/.test(header)
      ? 'The columns seem to be separated by something else than commas. The first line has to name them, with commas between.'
      : 'The first line has to name the columns, and one of them is email or to.',
    columns,
  );
}
