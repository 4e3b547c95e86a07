import { mkdirSync, rmSync } from 'node:fs';
import { unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * The data of an INSERT goes to the engine in a file. As text behind the statement the engine takes an empty line in it
 * for its end, in every format but VALUES, and runs what follows as a statement: rows of CSV, or two bytes of RowBinary.
 * It also costs a fifth to a third less CPU (blocks of 500 to 50,000 rows, 2026-11-22, 2 cores): the add-on copies text twice.
 */
export interface InsertFiles {
  /** The file is there while `use` runs, and holds `data` from its first byte on. */
  with<T>(data: Uint8Array, use: (file: string) => Promise<T>): Promise<T>;
}

/** What a kill left in the folder goes. */
export function createInsertFiles(folder: string): InsertFiles {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let count = 0;
  return {
    async with(data, use) {
      const file = path.join(folder, `${++count}`);
      try {
        await writeFile(file, data, { mode: 0o600 });
        return await use(file);
      } catch (error) {
        // To a client it is the body of its request.
        if (error instanceof Error) error.message = error.message.replaceAll(file, 'body');
        throw error;
      } finally {
        await unlink(file).catch(() => {});
      }
    },
  };
}
