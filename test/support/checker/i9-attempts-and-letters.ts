import { type Check, type Facts, findings, groupBy, mayRepeat, placeOf, runOf, surplusOf } from './facts.ts';

/** Clocks are read in whole milliseconds, at the outcome and not at the start of a call. */
const ROUNDING_MS = 2;
const kept = (kind: string | undefined) => kind === 'failed' || kind === 'dead';

/**
 * I9: no attempt before its not-before; no more attempts than allowed; what was moved keeps its bytes and says where it came
 * from; the dead letters are those that failed or died, byte for byte, at the place that their event names.
 */
export const attemptsAndLetters: Check = (facts, limit) => {
  const { history, runEnds } = facts;
  if (history.events.length === 0) return 'unknown';
  const letters = new Map(history.deadLetters.map((letter) => [placeOf(letter), letter]));
  const buried = groupBy(history.deadLetters, runOf);
  const surplus = surplusOf(buried);
  const moves = groupBy(
    history.moved.filter((record) => record.tier !== 'held'),
    (record) => `${runOf(record)} move ${record.deferrals}`,
  );
  const doubledMoves = surplusOf(moves);
  const ended = [...runEnds].filter(([, end]) => kept(end.kind));
  const most = history.maxAttempts;
  return findings({
    'tried before their time': tooEarly(facts),
    'tried more often than allowed':
      most === undefined ? [] : history.events.filter((event) => event.attempt > most).map((event) => event.messageId),
    'failed or dead without the dead letter that its event names': ended
      .filter(([key, end]) => {
        const letter = letters.get(`${end.dlqPartition}/${end.dlqOffset}`);
        return letter === undefined || runOf(letter) !== key;
      })
      .map(([key]) => key),
    // A death between dead letter and event may leave a letter of a message that is taken when it is tried again.
    'dead letters of messages that did not fail': mayRepeat(limit)
      ? []
      : [...buried.keys()].filter((key) => !kept(runEnds.get(key)?.kind)),
    'dead letters with another reason than their event': ended
      .filter(([, end]) => letters.get(`${end.dlqPartition}/${end.dlqOffset}`)?.reason !== end.reason)
      .map(([key]) => key),
    'dead letters that are not their source byte for byte': changed(
      facts,
      history.deadLetters.filter((letter) => !letter.truncated),
    ),
    'moved records that are not their source byte for byte': changed(facts, history.moved),
    'moved by an event, but not in that tier': withoutRecord(facts),
    [`doubledDeadLetters: ${surplus}, at most ${limit.doubledDeadLetters} can be explained`]:
      surplus > limit.doubledDeadLetters ? [...buried].filter(([, g]) => g.length > 1).map(([key]) => key) : [],
    [`doubledMoves: ${doubledMoves}, at most ${limit.doubledMoves} can be explained`]:
      doubledMoves > limit.doubledMoves ? [...moves].filter(([, g]) => g.length > 1).map(([key]) => key) : [],
  });
};

/**
 * The attempt after a move begins at `occurredAtMs - providerMs` of its event, or when the provider says that it came. Of
 * two records of one move, which a death may leave, the first that is due may run.
 */
function tooEarly({ history, moved, events }: Facts): string[] {
  const early: string[] = [];
  const receipts = groupBy(history.receipts, (receipt) => receipt.messageId);
  for (const [key, records] of moved)
    for (const record of records) {
      const next = (events.get(key) ?? []).find(
        (event) => event.attempt === record.attempts + 1 && event.deferrals >= record.deferrals,
      );
      const begunMs = next === undefined ? Number.POSITIVE_INFINITY : next.occurredAtMs - next.providerMs;
      // A call that was throttled has the number of the one that follows it: it came before the move.
      const move = (events.get(key) ?? []).find(
        (event) => event.kind === 'deferred' && event.deferrals === record.deferrals - 1,
      );
      const came = (receipts.get(record.messageId) ?? []).filter(
        ({ attempt, atMs }) =>
          record.run === 0 && attempt > record.attempts && atMs !== undefined && atMs > (move?.occurredAtMs ?? 0),
      );
      const same = records.filter((other) => other.attempts === record.attempts);
      const dueMs = Math.min(...same.map((other) => other.notBeforeMs));
      if (Math.min(begunMs, ...came.map((receipt) => receipt.atMs as number)) < dueMs - ROUNDING_MS)
        early.push(`${record.messageId} (${record.tier})`);
    }
  return early;
}

/** Those whose origin is not a record of a lane with the same bytes. */
function changed(
  { history }: Facts,
  records: readonly { messageId: string; origin: string; digest: string }[],
): string[] {
  const sources = new Map(history.messages.map((m) => [`${m.topic}/${m.partition}/${m.offset}`, m.digest]));
  return records
    .filter(({ origin, digest }) => sources.get(origin.split('/').slice(0, 3).join('/')) !== digest)
    .map((record) => record.messageId);
}

/** A `deferred` that names a tier or held promises a record there that says so. */
function withoutRecord({ history, moved, events }: Facts): string[] {
  if (!history.events.some((event) => event.kind === 'deferred' && event.tier !== 'memory')) return [];
  return [...events].flatMap(([key, group]) =>
    group
      .filter((event) => event.kind === 'deferred' && event.tier !== 'memory')
      .filter(
        ({ tier, deferrals }) =>
          !(moved.get(key) ?? []).some((record) => record.tier === tier && record.deferrals === deferrals + 1),
      )
      .map((event) => `${key} (${event.tier})`),
  );
}
