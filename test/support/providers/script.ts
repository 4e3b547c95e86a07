/** What a provider of the tests does with one call. */
export type Answer =
  /** Taken. */
  | 'accept'
  /** Not now: 503, or 451. */
  | 'transient'
  /** Never: 400, or 550. */
  | 'refuse'
  /** Slow down: 429 with Retry-After (as seconds, or as a date), or 454 Throttling. */
  | 'throttle'
  | 'throttle-date'
  /** No answer, ever; the connection stays open. */
  | 'hang'
  /** A byte now and then, and never a whole answer. */
  | 'drip'
  /** Taken, and then the connection is reset before the answer. */
  | 'lost'
  /** The connection is reset before anything is taken. */
  | 'reset'
  /** Taken, with an answer of a megabyte. */
  | 'huge';

export interface Step {
  readonly answer: Answer;
  readonly afterMs: number;
}

const SCRIPT =
  /\+(refuse|always-transient|always-throttle|transient(\d+)|throttle-date|throttle|timeout|hang(\d*)|drip(\d*)|lost|reset(\d*)|slow(\d+)|huge)(?=@|$)/i;

/**
 * The words behind the plus of an address (or of the last part of a URL), as far as they go the simulated provider's own:
 * `+refuse`, `+transient2`, `+always-transient`, `+throttle` and `+throttle-date` (first call), `+always-throttle`,
 * `+timeout` or `+hang` (always; `+hang2`: the first two), `+drip`, `+lost` (first call), `+reset1`, `+slow500`, `+huge`.
 * `call` counts the calls for this message, from 1.
 */
export function stepOf(recipient: string, call: number): Step {
  const found = SCRIPT.exec(recipient);
  const step = (answer: Answer, afterMs = 0): Step => ({ answer, afterMs });
  if (found === null) return step('accept');
  const word = (found[1] as string).toLowerCase();
  const first = (n: string | undefined, otherwise: number) =>
    call <= (n === undefined || n === '' ? otherwise : Number(n));
  if (word === 'refuse') return step('refuse');
  if (word === 'always-transient') return step('transient');
  if (word === 'always-throttle') return step('throttle');
  if (word.startsWith('transient')) return step(first(found[2], 1) ? 'transient' : 'accept');
  if (word === 'throttle' || word === 'throttle-date') return step(call === 1 ? word : 'accept');
  if (word === 'timeout') return step('hang');
  if (word.startsWith('hang')) return step(first(found[3], Number.POSITIVE_INFINITY) ? 'hang' : 'accept');
  if (word.startsWith('drip')) return step(first(found[4], Number.POSITIVE_INFINITY) ? 'drip' : 'accept');
  if (word === 'lost') return step(call === 1 ? 'lost' : 'accept');
  if (word.startsWith('reset')) return step(first(found[5], 1) ? 'reset' : 'accept');
  if (word === 'huge') return step('huge');
  return step('accept', Number(found[6]));
}
