import { LoadError } from './load-error.ts';
import { durationMs } from './units.ts';

/**
 * What the simulated provider does with the recipients of a run, written into their addresses (docs/channels.md, "Simulated"):
 * so it needs no setting of the stack, and the same recipient meets the same on every machine.
 */
export interface ProviderScript {
  readonly text: string;
  /** Log-normal latency in place of the provider's own. */
  readonly latency?: { readonly medianMs: number; readonly sigma: number };
  /** Shares of all recipients. */
  readonly transient: number;
  readonly refuse: number;
  readonly throttle: number;
  /** Taken, and the answer never comes: the dispatcher tries again when its own deadline is over. */
  readonly lost: number;
  /** A part of them takes this long. */
  readonly tail?: { readonly share: number; readonly ms: number };
  /** Recipients whose time falls into it fail as often as the provider may be asked in memory, then are taken. */
  readonly outage?: { readonly fromMs: number; readonly lastsMs: number };
}

const NONE = { transient: 0, refuse: 0, throttle: 0, lost: 0 };

export const NAMED: Readonly<Record<string, string>> = {
  steady: 'latency=10ms/0.3',
  slow: 'latency=80ms/0.5',
  tail: 'latency=10ms/0.3,tail=1%/1s',
  flaky: 'transient=20%,lost=0.05%',
  refusing: 'refuse=2%',
  outage: 'outage=10s+5s',
};

const GRAMMAR =
  `--simulate is one of ${Object.keys(NAMED).join(', ')}, or a list such as latency=80ms/0.5,tail=1%/1s,transient=5%,` +
  'refuse=1%,throttle=0.1%,lost=0.1%,outage=10s+5s';

export function parseProviderScript(text: string): ProviderScript {
  const wrong = (part: string) => new LoadError(`"${part}" is not understood: ${GRAMMAR}`, 2);
  let script: ProviderScript = { text, ...NONE };
  for (const part of (NAMED[text] ?? text).split(',')) {
    const [name = '', value = ''] = part.trim().split('=');
    const share = /^(\d+(?:\.\d+)?)%$/.exec(value);
    if (name in NONE) {
      if (share === null || Number(share[1]) > 100) throw wrong(part);
      script = { ...script, [name]: Number(share[1]) / 100 };
    } else if (name === 'latency') {
      const [median = '', sigma = '0.5'] = value.split('/');
      const medianMs = durationMs(median);
      if (medianMs === undefined || !(Number(sigma) >= 0 && Number(sigma) <= 3)) throw wrong(part);
      script = { ...script, latency: { medianMs, sigma: Number(sigma) } };
    } else if (name === 'tail') {
      const match = /^(\d+(?:\.\d+)?)%\/(\w+)$/.exec(value);
      const ms = durationMs(match?.[2] ?? '');
      if (match === null || ms === undefined) throw wrong(part);
      script = { ...script, tail: { share: Number(match[1]) / 100, ms } };
    } else if (name === 'outage') {
      const [from, lasts] = value.split('+').map(durationMs);
      if (from === undefined || lasts === undefined) throw wrong(part);
      script = { ...script, outage: { fromMs: from, lastsMs: lasts } };
    } else throw wrong(part);
  }
  const { transient, refuse, throttle, lost } = script;
  if (transient + refuse + throttle + lost > 1) throw new LoadError('--simulate: shares above 100%', 2);
  return script;
}

/** Two independent numbers below 1 from a message's number: splitmix32. */
function chance(n: number, salt: number): number {
  let x = (Math.imul(n + 1, 0x9e3779b9) ^ Math.imul(salt, 0x85ebca6b)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

/** Standard normal, by Box and Muller. */
const normal = (n: number): number => Math.sqrt(-2 * Math.log(1 - chance(n, 3))) * Math.cos(2 * Math.PI * chance(n, 4));

/** Longest that a scripted recipient may take. */
const LONGEST_MS = 60_000;

/** The word after the plus of the n-th recipient's address, with the plus; empty: the provider's own settings. */
export function wordOf(script: ProviderScript | undefined, n: number, atMs: number): string {
  if (script === undefined) return '';
  const { outage, latency, tail } = script;
  if (outage !== undefined && atMs >= outage.fromMs && atMs < outage.fromMs + outage.lastsMs) return '+transient3';
  let at = chance(n, 1);
  for (const [share, word] of [
    [script.refuse, '+refuse'],
    [script.transient, '+transient1'],
    [script.throttle, '+throttle'],
    [script.lost, '+lost'],
  ] as const) {
    if (at < share) return word;
    at -= share;
  }
  if (tail !== undefined && chance(n, 2) < tail.share) return `+slow${Math.round(tail.ms)}`;
  if (latency === undefined) return '';
  return `+slow${Math.min(LONGEST_MS, Math.max(1, Math.round(latency.medianMs * Math.exp(latency.sigma * normal(n)))))}`;
}

/** True: some recipients are meant to end otherwise than sent. */
export const refusesSome = (script: ProviderScript | undefined): boolean => script !== undefined && script.refuse > 0;
