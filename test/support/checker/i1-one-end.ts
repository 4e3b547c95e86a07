import { type Check, findings, runOf } from './facts.ts';

/**
 * I1: each accepted message is in exactly one terminal state: that of its latest run. Each earlier run ended as failed or
 * dead and was left by a `redriven` event that says so.
 */
export const oneEnd: Check = ({ history, accepted, ends, runEnds, events, latestRun, repeats }, limit) => {
  if (history.events.length === 0 || accepted.size === 0) return 'unknown';
  const without = [...accepted].filter((id) => !ends.has(id));
  const halfSent = [...latestRun.keys()].filter((id) => !accepted.has(id) && !ends.has(id));
  const lostRuns: string[] = [];
  const neverRedriven: string[] = [];
  for (const [messageId, latest] of latestRun)
    for (let run = 0; run < latest; run++) {
      const end = runEnds.get(runOf({ messageId, run }));
      if (end === undefined || (end.kind !== 'failed' && end.kind !== 'dead')) lostRuns.push(runOf({ messageId, run }));
      const next = events.get(runOf({ messageId, run: run + 1 })) ?? [];
      const redriven = next.find((event) => event.kind === 'redriven');
      if (redriven === undefined || redriven.previousKind !== end?.kind)
        neverRedriven.push(runOf({ messageId, run: run + 1 }));
    }
  const again = repeats.filter((event) => event.kind !== 'deferred' && event.kind !== 'redriven');
  return findings({
    'messages without an end': without,
    'messages without an end, and nobody knows of them': halfSent,
    'runs that did not fail, and were run again': lostRuns,
    'runs without the event that began them': neverRedriven,
    [`doubledEvents: ${again.length}, at most ${limit.doubledEvents} can be explained`]:
      again.length > limit.doubledEvents ? again.map(runOf) : [],
  });
};
