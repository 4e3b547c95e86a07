import { type ProviderScript, wordOf } from './provider-script.ts';

/** Recipients of a run: numbered, under a domain that never receives mail. */
const NAMES = ['Ana', 'Björn', 'Chloé', 'Dmitri', 'Esra', 'Fatima', 'Hòa', 'Jürgen', 'Leïla', 'Søren', 'Wei', '美咲'];
const CITIES = ['Lisbon', 'Kraków', 'São Paulo', 'Tainan', 'Lagos', 'Malmö', 'Zürich', 'Osaka', 'Québec', 'Haifa'];
const pick = (list: readonly string[], n: number): string => list[n % list.length] as string;

export const TEMPLATE = 'Hi {{name}}, the weather in {{city}} is fine.';

/** `p17.k3f9+slow40@load.example`: the number stands first, so that a query finds the time a message was meant for. */
export const addressOf = (run: string, n: number, word = ''): string => `p${n}.${run}${word}@load.example`;

export const varsOf = (n: number): { name: string; city: string } => ({ name: pick(NAMES, n), city: pick(CITIES, n) });

/** The beginning and end of every direct message, once; what differs is put between. */
const VARS = Array.from({ length: NAMES.length * CITIES.length }, (_, n) => `","vars":${JSON.stringify(varsOf(n))}}`);

/** A direct message as JSON. */
export function messageText(run: string, n: number, script: ProviderScript | undefined, atMs: number, ids: boolean) {
  const to = addressOf(run, n, wordOf(script, n, atMs));
  return `{${ids ? `"id":"${run}-${n}",` : ''}"to":"${to}${VARS[n % VARS.length]}`;
}

/** Contacts `from` up to, without, `to` as NDJSON in chunks of about 64 KiB. Addresses of every run are the same ones. */
export async function* contactLines(o: {
  readonly from: number;
  readonly to: number;
  readonly tag: string;
  readonly word: (n: number) => string;
}): AsyncGenerator<Uint8Array> {
  let chunk = '';
  for (let n = o.from; n < o.to; n++) {
    const { name, city } = varsOf(n);
    chunk += `${JSON.stringify({ email: addressOf('audience', n, o.word(n)), name, city, tags: [o.tag] })}\n`;
    if (chunk.length > 65_536) {
      yield Buffer.from(chunk);
      chunk = '';
    }
  }
  if (chunk !== '') yield Buffer.from(chunk);
}
