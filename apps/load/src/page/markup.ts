/** Text into HTML or SVG: what comes from outside (names, errors, commands) never becomes markup. */
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c] as string);

type Attributes = Readonly<Record<string, string | number | undefined>>;
const SELF_CLOSING = new Set(['path', 'line', 'rect', 'circle', 'polyline', 'meta', 'br']);

/** An element; attributes are escaped, `inner` is markup already. */
export function el(name: string, attributes: Attributes = {}, ...inner: readonly string[]): string {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(typeof value === 'number' ? short(value) : String(value))}"`)
    .join('');
  return SELF_CLOSING.has(name) ? `<${name}${list}/>` : `<${name}${list}>${inner.join('')}</${name}>`;
}

const short = (n: number): string => String(Math.round(n * 100) / 100);

/** JSON inside a script element: nothing in it can end the element. */
export const embedded = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

export const table = (head: readonly string[], rows: readonly (readonly string[])[], numbersFrom = 1): string =>
  el(
    'div',
    { class: 'scroll' },
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el('tr', {}, ...head.map((h, i) => el('th', i >= numbersFrom ? { class: 'n' } : {}, escaped(h)))),
      ),
      el(
        'tbody',
        {},
        ...rows.map((row) =>
          el('tr', {}, ...row.map((cell, i) => el('td', i >= numbersFrom ? { class: 'n' } : {}, cell))),
        ),
      ),
    ),
  );
