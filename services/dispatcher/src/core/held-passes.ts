import type { Tracked } from './job.ts';

/**
 * `held` keeps the records of paused campaigns. It is not worked on as it comes but in passes, each up to the end as it was
 * when the pass was called for: on assignment, when a campaign stops being paused, and every hour. Between passes what
 * has been read is kept back, and by that nothing more is fetched. A pass looks at each record once: who may run runs, the
 * others are appended again behind it.
 * A former owner may still append what it had under way, after we have passed: what is read and `isFree` waits for no pass.
 */
export interface HeldPasses {
  /** A partition of held is ours; a pass over what is in its log is due. */
  assigned(partition: number, logEnd: number): void;
  /** Records of one partition in offset order, and the end of its log: those that may be looked at now, in order. */
  offer(records: readonly Tracked[], logEnd: number): readonly Tracked[];
  /** A record was appended at `offset`. */
  appended(partition: number, offset: number): void;
  /** A pass over everything there is, of one partition or of all: what of it is here, in order. */
  call(partition?: number): readonly Tracked[];
  clear(): void;
  /** Kept back. */
  size(): number;
}

interface Partition {
  kept: Tracked[];
  /** Next offset of the log, as far as it is known here. */
  end: number;
  /** Records below this are taken. */
  passEnd: number;
}

export function createHeldPasses(isFree: (tracked: Tracked) => boolean = () => false): HeldPasses {
  let partitions = new Map<number, Partition>();

  const of = (partition: number): Partition => {
    let p = partitions.get(partition);
    if (p === undefined) {
      p = { kept: [], end: 0, passEnd: 0 };
      partitions.set(partition, p);
    }
    return p;
  };

  const take = (p: Partition): Tracked[] => {
    const at = p.kept.findIndex(({ record }) => record.offset >= p.passEnd);
    return p.kept.splice(0, at < 0 ? p.kept.length : at);
  };

  const call = (p: Partition) => {
    p.passEnd = p.end;
    return take(p);
  };

  return {
    assigned(partition, logEnd) {
      partitions.set(partition, { kept: [], end: logEnd, passEnd: logEnd });
    },
    offer(records, logEnd) {
      const first = records[0];
      if (first === undefined) return records;
      const p = of(first.record.partition);
      p.end = Math.max(p.end, logEnd);
      p.kept = p.kept.concat(records);
      const taken = take(p);
      const free = p.kept.filter(isFree);
      if (free.length === 0) return taken;
      p.kept = p.kept.filter((tracked) => !isFree(tracked));
      return taken.concat(free);
    },
    appended(partition, offset) {
      const p = of(partition);
      p.end = Math.max(p.end, offset + 1);
    },
    call: (partition) => (partition === undefined ? [...partitions.values()].flatMap(call) : call(of(partition))),
    clear() {
      partitions = new Map();
    },
    size: () => [...partitions.values()].reduce((sum, p) => sum + p.kept.length, 0),
  };
}
