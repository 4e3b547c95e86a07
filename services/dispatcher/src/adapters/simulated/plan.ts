import { hash32 } from '@volley/contract';

/** How the simulated provider behaves: the query of its URL. */
export interface SimulatedSettings {
  readonly minMs: number;
  readonly maxMs: number;
  /** Probability that an attempt fails for now; at most three in a row. */
  readonly transient: number;
  /** Probability that a message is refused for good. */
  readonly permanent: number;
  /** Probability that an attempt is told to slow down, and for how long. */
  readonly throttle: number;
  readonly retryAfterMs: number;
  /** Probability that an attempt is never answered. */
  readonly timeout: number;
  /** Probability that an attempt is taken and its connection breaks before the answer. */
  readonly reset: number;
  /** Probability that an attempt takes `tailMs` instead of `minMs` to `maxMs`. */
  readonly tail: number;
  readonly tailMs: number;
  readonly seed: string;
}

const DEFAULTS: SimulatedSettings = {
  minMs: 5,
  maxMs: 15,
  transient: 0.1,
  permanent: 0,
  throttle: 0,
  retryAfterMs: 1_000,
  timeout: 0,
  reset: 0,
  tail: 0,
  tailMs: 1_000,
  seed: 'volley',
};

const NAMES: Readonly<Record<string, keyof SimulatedSettings>> = {
  min_ms: 'minMs',
  max_ms: 'maxMs',
  transient: 'transient',
  permanent: 'permanent',
  throttle: 'throttle',
  retry_after_ms: 'retryAfterMs',
  timeout: 'timeout',
  reset: 'reset',
  tail: 'tail',
  tail_ms: 'tailMs',
  seed: 'seed',
};
const PROBABILITIES: ReadonlySet<string> = new Set(['transient', 'permanent', 'throttle', 'timeout', 'reset', 'tail']);

/** `simulated:?min_ms=5&max_ms=15&transient=0.1`. Throws a sentence for what it does not know: a typo must not pass for a default. */
export function parseSimulatedUrl(url: string): SimulatedSettings {
  const parsed = new URL(url);
  if (parsed.protocol !== 'simulated:') throw new Error('the URL of a simulated provider begins with simulated:');
  const settings: Record<string, number | string> = { ...DEFAULTS };
  for (const [name, text] of parsed.searchParams) {
    const key = NAMES[name];
    if (key === undefined) throw new Error(`simulated: there is no setting ${name}`);
    if (key === 'seed') settings.seed = text;
    else {
      const value = Number(text);
      const max = PROBABILITIES.has(key) ? 1 : 600_000;
      if (text === '' || !(value >= 0 && value <= max)) throw new Error(`simulated: ${name} is not from 0 to ${max}`);
      settings[key] = value;
    }
  }
  const result = settings as unknown as SimulatedSettings;
  if (result.maxMs < result.minMs) throw new Error('simulated: max_ms is below min_ms');
  return result;
}

/** `none` was not taken, `lost`, `drip` and `reset` were: what differs is what the caller sees. */
export type Answer = 'accept' | 'transient' | 'permanent' | 'throttle' | 'none' | 'lost' | 'drip' | 'reset';

export interface Plan {
  readonly answer: Answer;
  readonly latencyMs: number;
  /** With `throttle`, when the script says how long. */
  readonly retryAfterMs?: number;
}

/** A second, independent number of the same hash (murmur3's finish with another multiplier). */
const remix = (h: number) => {
  let x = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return (x ^ (x >>> 15)) >>> 0;
};
const share = (h: number) => h / 2 ** 32;
const MOST_IN_A_ROW = 3;

/** Whether this attempt fails for now: by hash(seed, message id, attempt), never more than three times in a row. */
export function failsForNow(s: SimulatedSettings, messageId: string, attempt: number): boolean {
  if (s.transient === 0) return false;
  let inARow = 0;
  let fails = false;
  for (let n = 1; n <= attempt; n++) {
    fails = inARow < MOST_IN_A_ROW && share(hash32(`${s.seed}:${messageId}:${n}`)) < s.transient;
    inARow = fails ? inARow + 1 : 0;
  }
  return fails;
}

const SCRIPT = /\+(refuse|always-transient|transient(\d+)|timeout|lost|drip|reset|throttle(\d+)?|slow(\d+))(?:@|$)/;
const LONGEST_SCRIPTED_MS = 60_000;

/** What a recipient whose local part ends in a script meets, whatever the settings say (docs/channels.md). */
function scripted(script: RegExpExecArray, latencyMs: number, attempt: number, calls: number): Plan {
  const [, name, failures, retryAfter, slow] = script;
  const plan = (answer: Answer): Plan => ({ answer, latencyMs });
  if (failures !== undefined) return plan(attempt <= Number(failures) ? 'transient' : 'accept');
  if (slow !== undefined) return { answer: 'accept', latencyMs: Math.min(Number(slow), LONGEST_SCRIPTED_MS) };
  if (retryAfter !== undefined && calls === 1) return { ...plan('throttle'), retryAfterMs: Number(retryAfter) };
  switch (name) {
    case 'refuse':
      return plan('permanent');
    case 'always-transient':
      return plan('transient');
    case 'timeout':
      return plan('none');
    case 'drip':
      return plan('drip');
    case 'lost':
    case 'reset':
      return plan(attempt === 1 ? name : 'accept');
    default:
      return plan(name === 'throttle' && calls === 1 ? 'throttle' : 'accept');
  }
}

/** No setting asks for chance: every ordinary recipient is accepted after the same time, without a hash. */
export const isPlain = (s: SimulatedSettings): boolean =>
  s.minMs === s.maxMs && s.transient + s.permanent + s.throttle + s.timeout + s.reset + s.tail === 0;

/** Undefined: no script, the settings decide. Most recipients have no plus: one scan instead of a match. */
export const scriptOf = (recipient: string): RegExpExecArray | null =>
  recipient.includes('+') ? SCRIPT.exec(recipient) : null;

/**
 * What an attempt meets; `calls` counts the calls of this message so far, throttled ones included, which `attempt` does
 * not.
 */
export function planOf(
  s: SimulatedSettings,
  messageId: string,
  recipient: string,
  attempt: number,
  calls: number,
): Plan {
  const h = hash32(`${s.seed}:${messageId}:${attempt}`);
  const inTail = s.tail > 0 && share(remix(h ^ 0x5bd1e995)) < s.tail;
  const latencyMs = inTail ? s.tailMs : s.minMs + (s.maxMs - s.minMs) * share(remix(h));
  const script = scriptOf(recipient);
  if (script !== null) return scripted(script, latencyMs, attempt, calls);
  if (s.permanent > 0 && share(remix(hash32(`${s.seed}:${messageId}`))) < s.permanent)
    return { answer: 'permanent', latencyMs };
  const unusual = s.throttle + s.timeout + s.reset;
  const chance = unusual > 0 ? share(hash32(`${s.seed}:${messageId}:${attempt}:${calls}`)) : 1;
  if (chance < s.throttle) return { answer: 'throttle', latencyMs };
  if (chance < s.throttle + s.timeout) return { answer: 'none', latencyMs };
  if (chance < unusual) return { answer: 'reset', latencyMs };
  return { answer: failsForNow(s, messageId, attempt) ? 'transient' : 'accept', latencyMs };
}
