import { isTerminal } from '@volley/contract';
import type { CommitSnapshot } from '../history.ts';
import { type Check, type Facts, findings, placeOf, runOf } from './facts.ts';

/**
 * I8: one value per place for every reader; a committed offset is never above the lowest unfinished record, and is the log
 * end when all is drained (held waits, and is read in passes: it may lag).
 */
export const offsetsHold: Check = (facts) => {
  const { history } = facts;
  const differing: string[] = [];
  const logged = new Map(history.events.map((event) => [placeOf(event), event]));
  for (const row of history.rows) {
    const event = logged.get(placeOf(row));
    if (event !== undefined && (event.messageId !== row.messageId || event.kind !== row.kind))
      differing.push(row.messageId);
  }
  const found = findings({
    'rows that differ from their event': differing,
    'committed past the end of the log': (history.positions ?? [])
      .filter((p) => p.committed > p.end)
      .map((p) => `${p.topic} ${p.partition}: ${p.committed} of ${p.end}`),
    'not committed to the end of the log': (history.positions ?? [])
      .filter((p) => p.end > p.start && p.committed < p.end && !p.topic.endsWith('.held'))
      .map((p) => `${p.topic} ${p.partition}: ${p.committed} of ${p.end}`),
    'committed past a record that was not finished': (history.snapshots ?? []).flatMap((s) => unfinished(facts, s)),
  });
  return found.length === 0 && (history.positions ?? []).length === 0 ? 'unknown' : found;
};

/** Records below a commit of which the deliveries, read after it, did not yet say that they ended or moved on. */
function unfinished({ history }: Facts, snapshot: CommitSnapshot): string[] {
  const committed = new Map(snapshot.commits.map((c) => [`${c.topic} ${c.partition}`, c.committed]));
  const ended = new Set<string>();
  const movedBeyond = new Map<string, number>();
  for (const event of history.events) {
    if (event.offset >= (snapshot.deliveriesEnds[event.partition] ?? 0)) continue;
    const key = runOf(event);
    if (isTerminal(event.kind)) ended.add(key);
    else if (event.kind === 'deferred' && event.tier !== 'memory')
      movedBeyond.set(key, Math.max(event.deferrals, movedBeyond.get(key) ?? -1));
  }
  const open: string[] = [];
  const look = (record: (typeof history.messages)[number], deferrals: number) => {
    const key = runOf(record);
    if (record.offset >= (committed.get(`${record.topic} ${record.partition}`) ?? -1)) return;
    if (!ended.has(key) && (movedBeyond.get(key) ?? -1) < deferrals)
      open.push(`${record.messageId} (${snapshot.when})`);
  };
  for (const record of history.messages) look(record, 0);
  for (const record of history.moved) if (record.tier !== 'held') look(record, record.deferrals);
  return open;
}
