import type { History, RollupCell } from '../history.ts';
import { marked } from '../repeats.ts';
import { type Finding, findings, placeOf } from './facts.ts';

const UNIT_MS = { minute: 60_000, hour: 3_600_000 } as const;
const keyOf = ({ unit, atMs, kind }: Omit<RollupCell, 'events'>) =>
  `${kind} in the ${unit} of ${new Date(atMs).toISOString()}`;

/** Of I6: each row says whether its event is a repeat, and minutes and hours count each event that is none once. */
export function rollupsAgree({ events, rows, rollups }: History): Finding[] {
  const known = marked(events);
  const repeats = new Map(known.map(({ event, isRepeat }) => [placeOf(event), isRepeat]));
  const wronglyMarked = rows.filter(
    (row) => row.isRepeat !== undefined && row.isRepeat !== (repeats.get(placeOf(row)) ?? row.isRepeat),
  );
  const found = findings({ 'rows with a wrong mark of a repeat': wronglyMarked.map(({ messageId }) => messageId) });
  if (rollups === undefined) return found;
  const must = new Map<string, number>();
  for (const unit of ['minute', 'hour'] as const)
    for (const { event, isRepeat } of known) {
      if (isRepeat) continue;
      const atMs = Math.floor(event.occurredAtMs / UNIT_MS[unit]) * UNIT_MS[unit];
      const key = keyOf({ unit, atMs, kind: event.kind });
      must.set(key, (must.get(key) ?? 0) + 1);
    }
  const is = new Map<string, number>();
  for (const cell of rollups) is.set(keyOf(cell), (is.get(keyOf(cell)) ?? 0) + cell.events);
  const differing = [...new Set([...must.keys(), ...is.keys()])].flatMap((key) =>
    (is.get(key) ?? 0) === (must.get(key) ?? 0)
      ? []
      : [`${is.get(key) ?? 0} ${key}, the log has ${must.get(key) ?? 0}`],
  );
  return [...found, ...findings({ 'rollups that differ from the log': differing })];
}
