/** Who may write to the tables, as the log and the store know it. */
export interface Writers {
  /** Client ids in the group of the sinks. An idle one has nothing planned, and writes when the next event comes. */
  readonly members: readonly string[];
  /** Partitions with a range that was planned and not committed. */
  readonly planned: readonly number[];
  /** Query ids of inserts under way in the database; one that fills a table goes on after its client has died. */
  readonly inserts: readonly string[];
}

/** Query ids of inserts under way in the database of the connection. */
export const INSERTS = `SELECT query_id FROM system.processes
  WHERE current_database = currentDatabase() AND query_kind = 'Insert' ORDER BY query_id`;

/** A sink that was killed is in its group for its session (10 s), and it may have been killed just now. */
const PATIENCE_MS = 15_000;
const EVERY_MS = 500;

export interface Waiting {
  readonly monotonicMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** It is about to wait, over this; told once. */
  readonly onWait: (why: string) => void;
}

/** What speaks against changing tables; `passes`: it may be over by itself. */
function obstacle({ members, planned, inserts }: Writers): { why: string; passes: boolean } | undefined {
  if (members.length > 0)
    return { why: `somebody is in the group of the sinks (${members.join(', ')}): stop every sink`, passes: true };
  if (inserts.length > 0) {
    const why = `inserts into this database are under way (query ids ${inserts.join(', ')}): wait for them, or end them with KILL QUERY`;
    return { why, passes: true };
  }
  if (planned.length > 0) {
    const why = `inserts are planned for partitions ${planned.join(', ')}: start the sink of the version before, stop it with SIGTERM when it has caught up`;
    return { why, passes: false };
  }
  return undefined;
}

/** Waits until nobody writes. Why tables must not be changed; undefined: nobody writes. */
export async function whyNoStandstill(
  ask: () => Promise<Writers>,
  { monotonicMs, sleep, onWait }: Waiting,
): Promise<string | undefined> {
  const untilMs = monotonicMs() + PATIENCE_MS;
  for (let asked = 1; ; asked++) {
    const found = obstacle(await ask());
    if (found === undefined) return undefined;
    if (!found.passes || monotonicMs() >= untilMs) return found.why;
    if (asked === 1) onWait(found.why);
    await sleep(EVERY_MS);
  }
}
