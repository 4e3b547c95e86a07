const LONGEST = 120;
/** Overrides and isolates turn around whatever stands after them, here the name of the product. */
const BIDI = /[\u202A-\u202E\u2066-\u2069]/g;

/** Of the browser's tab, which knows no markup: text of others as one short line that turns nothing around. */
export function tabTitle(text: string): string {
  const line = text
    .replace(BIDI, '')
    .replace(/\p{Cc}/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const signs = [...line.slice(0, 2 * LONGEST + 2)];
  return signs.length > LONGEST ? `${signs.slice(0, LONGEST - 1).join('')}…` : line;
}
