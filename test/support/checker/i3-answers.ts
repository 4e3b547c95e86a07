import { type Check, findings } from './facts.ts';

/**
 * I3: what was refused left no trace; what was acknowledged is there; a call without an answer left its messages once or
 * not at all, and repeating its key names the same ids.
 */
export const answersHold: Check = ({ history, lane, ends }) => {
  if (history.calls === undefined || history.calls.length === 0) return 'unknown';
  const inLog = new Set([...lane.keys()].map((key) => key.split(' ')[0] as string));
  const traces = new Set([...inLog, ...ends.keys(), ...history.receipts.map((receipt) => receipt.messageId)]);
  const known = new Set(history.calls.filter((call) => call.outcome === 'ok').flatMap((call) => call.ids));
  const refused = history.calls.filter((call) => call.outcome === 'refused').flatMap((call) => call.ids);
  const changed: string[] = [];
  const byKey = new Map<string, string>();
  for (const { outcome, key, ids } of history.calls) {
    if (outcome !== 'ok') continue;
    const answer = ids.join(' ');
    if ((byKey.get(key) ?? answer) !== answer) changed.push(key);
    byKey.set(key, answer);
  }
  return findings({
    'refused, but there': refused.filter((id) => traces.has(id) && !known.has(id)),
    'acknowledged, but not in the log': [...known].filter((id) => !inLog.has(id)),
    'keys that got two different answers': changed,
  });
};
