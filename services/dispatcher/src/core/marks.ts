/**
 * What is to be feared of a topic partition's next records, committed beside its offset (hints.ts). A record that kills
 * whoever handles it would else kill each next owner: nothing of a death is written by the one that dies.
 */
export interface Mark {
  /** So many owners in a row died after they had begun at this watermark, before they got anything of it done. */
  readonly starts: number;
  /** The record that was being tried alone, -1 if none; and so many owners died at that. */
  readonly suspect: number;
  readonly tries: number;
}

export const NO_MARK: Mark = { starts: 0, suspect: -1, tries: 0 };

/** The mark of one topic partition that is ours. */
export interface MarkKeeper {
  readonly inherited: Mark;
  /** Its first record is about to be handled. What the next owner must know has to be committed before that. */
  begin(): void;
  /** This record is about to be tried alone; answers how many owners have died at that. */
  try(offset: number): number;
  /** What was tried alone is over. */
  passed(): void;
  /** Something of it was done, or nothing has happened for long: whoever dies now does not die of how it began. */
  progressed(): void;
  /** To be committed beside `watermark`. `isLast`: the assignment ends in order, so nobody has died. */
  at(watermark: number, isLast: boolean): Mark;
}

export function createMark(inherited: Mark, from: number): MarkKeeper {
  let { starts, suspect, tries } = inherited;
  return {
    inherited,
    begin() {
      starts = inherited.starts + 1;
    },
    try(offset) {
      const before = offset === inherited.suspect ? inherited.tries : 0;
      suspect = offset;
      tries = before + 1;
      return before;
    },
    passed() {
      suspect = -1;
      tries = 0;
    },
    progressed() {
      starts = 0;
    },
    at(watermark, isLast) {
      const isSuspect = suspect >= watermark;
      const before = suspect === inherited.suspect ? inherited.tries : 0;
      return {
        starts: watermark > from ? 0 : isLast ? Math.min(starts, inherited.starts) : starts,
        suspect: isSuspect && !(isLast && before === 0) ? suspect : -1,
        tries: isSuspect ? (isLast ? before : tries) : 0,
      };
    },
  };
}
