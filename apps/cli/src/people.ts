/**
 * A seeded generator of recipients: the same seed gives the same people on every machine. Addresses are under example.*,
 * which can never receive mail.
 */
const FIRST = [
  'Ana',
  'Björn',
  'Chloé',
  'Dmitri',
  'Esra',
  'Fatima',
  'Giulia',
  'Hòa',
  'Ines',
  'Jürgen',
  'Kwame',
  'Leïla',
  'Mateo',
  'Nkechi',
  'Oğuz',
  'Piotr',
  'Renée',
  'Søren',
  'Tomás',
  'Uma',
  'Wei',
  'Yuki',
  'Zoë',
  'שרה',
  'محمد',
  '美咲',
  '지우',
];
const LAST = [
  "O'Neill",
  'García',
  'Müller',
  'Nguyễn',
  'Kowalski',
  'Østergård',
  'Rossi',
  'Yılmaz',
  'Okafor',
  'Sato',
  'Smith-Jones',
  'Da Silva',
  'Ivanova',
  'Haddad',
  'Cohen',
  'Park',
  'van der Berg',
  'Lindqvist',
];
const CITIES = ['Lisbon', 'Kraków', 'São Paulo', 'Tainan', 'Lagos', 'Malmö', 'Zürich', 'Osaka', 'Québec', 'Haifa'];

/** mulberry32: small, fast, and good enough to spread people over names. */
function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface Person {
  readonly email: string;
  readonly name: string;
  readonly tags: readonly string[];
  readonly city: string;
}

/** `count` people, each with `tag`; about 40% are also tagged vip. */
export function* people(count: number, tag: string, seed = 1): Generator<Person> {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  for (let i = 1; i <= count; i++) {
    const tags = next() < 0.4 ? [tag, 'vip'] : [tag];
    yield { email: `person-${i}.${tag}@example.org`, name: `${pick(FIRST)} ${pick(LAST)}`, tags, city: pick(CITIES) };
  }
}

/** The same as NDJSON, in chunks of about 64 KiB. */
export async function* peopleNdjson(count: number, tag: string, seed = 1): AsyncGenerator<Uint8Array> {
  let chunk = '';
  for (const person of people(count, tag, seed)) {
    chunk += `${JSON.stringify(person)}\n`;
    if (chunk.length > 65_536) {
      yield Buffer.from(chunk);
      chunk = '';
    }
  }
  if (chunk) yield Buffer.from(chunk);
}
