import { refusals } from './errors.ts';

/** What one body or answer takes. */
export interface ByteShare {
  /** So many bytes more. Throws when there are not as many left. */
  grow(bytes: number): void;
  /** Idempotent. */
  giveBack(): void;
}

export interface ByteBudget {
  open(): ByteShare;
}

/** A statement, or a row, is shorter: it is never refused because of large ones, and it is not counted. */
const freeBytes = 64 * 1024;

/**
 * Bodies are read before their turn at the gate and answers are taken after it, so the sum of each needs a limit of its
 * own. Bodies are counted as they arrive: what comes in chunks or is compressed says no length before, and most of it is
 * a line of SQL. One alone always passes.
 */
export function createByteBudget(limit: number, what: string): ByteBudget {
  let held = 0;
  return {
    open() {
      let size = 0;
      let counted = 0;
      return {
        grow(bytes) {
          size += bytes;
          const more = Math.max(0, size - freeBytes) - counted;
          if (more > 0 && held > counted && held + more > limit) {
            throw refusals.tooManyQueries(`Too many simultaneous ${what}: ${held} bytes of them wait already.`);
          }
          held += more;
          counted += more;
        },
        giveBack() {
          held -= counted;
          counted = 0;
          size = 0;
        },
      };
    },
  };
}
