/** As much of a file as is in memory at once. */
const SLICE_BYTES = 4_194_304;
const MAX_LINE_BYTES = 65_536;
/** As the import: a quoted field that goes on for longer was never closed. */
const MAX_LINES_OF_A_RECORD = 100;
const NEWLINE = 10;
const QUOTE = 34;

export interface Wanted {
  readonly line: number;
  /** A CSV record may hold line breaks within quotes: with it come the lines that belong to it. */
  readonly wholeRecord: boolean;
}

/** The texts of some lines (from 1 on, ascending, each once) of a file of any size, read slice by slice, once. */
export async function linesOfFile(file: File, wanted: readonly Wanted[]): Promise<Map<number, string>> {
  const texts = new Map<number, string>();
  let at = 0;
  let line = 1;
  let kept: Uint8Array[] = [];
  let keptBytes = 0;
  let quotes = 0;
  let linesKept = 1;

  const keep = (bytes: Uint8Array) => {
    const room = MAX_LINE_BYTES - keptBytes;
    const part = bytes.length > room ? bytes.slice(0, Math.max(0, room)) : bytes.slice();
    if (part.length > 0) kept.push(part);
    keptBytes += part.length;
    for (let i = part.indexOf(QUOTE); i >= 0; i = part.indexOf(QUOTE, i + 1)) quotes += 1;
  };
  const finish = () => {
    const want = wanted[at];
    if (want) texts.set(want.line, new TextDecoder().decode(joined(kept, keptBytes)).replace(/\r?\n?$/, ''));
    at += 1;
    kept = [];
    keptBytes = 0;
    quotes = 0;
    linesKept = 1;
  };

  for (let offset = 0; offset < file.size && at < wanted.length; offset += SLICE_BYTES) {
    const bytes = new Uint8Array(await file.slice(offset, offset + SLICE_BYTES).arrayBuffer());
    for (let start = 0; start < bytes.length && at < wanted.length; ) {
      const want = wanted[at] as Wanted;
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline < 0 ? bytes.length : newline + 1;
      if (line >= want.line) keep(bytes.subarray(start, end));
      start = end;
      if (newline < 0) break;
      line += 1;
      if (line <= want.line) continue;
      const isOpen = want.wholeRecord && quotes % 2 === 1;
      if (isOpen && keptBytes < MAX_LINE_BYTES && linesKept < MAX_LINES_OF_A_RECORD) linesKept += 1;
      else finish();
    }
  }
  if (keptBytes > 0) finish();
  return texts;
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
