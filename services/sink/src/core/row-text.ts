const ROWS_A_CHUNK = 512;

/**
 * Rows as the bytes that an insert sends: JSON lines, each with its line end. A string of each until the insert would cost
 * the heap more than the text itself, so they become bytes 512 at a time.
 */
export class RowText {
  /** Rows. */
  count = 0;
  /** Of text, in characters. */
  size = 0;
  readonly #chunks: Buffer[] = [];
  #lines: string[] = [];

  static of(lines: readonly string[]): RowText {
    const text = new RowText();
    for (const line of lines) text.add(line);
    return text;
  }

  add(line: string): void {
    this.count += 1;
    this.size += line.length + 1;
    this.#lines.push(line);
    if (this.#lines.length === ROWS_A_CHUNK) this.#encode();
  }

  /** All of it, in order. */
  chunks(): readonly Buffer[] {
    this.#encode();
    return this.#chunks;
  }

  lines(): string[] {
    const text = Buffer.concat(this.chunks()).toString();
    return text.split('\n').slice(0, -1);
  }

  #encode(): void {
    if (this.#lines.length === 0) return;
    this.#chunks.push(Buffer.from(`${this.#lines.join('\n')}\n`));
    this.#lines = [];
  }
}
