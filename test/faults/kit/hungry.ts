/**
 * Preloaded into a process (`NODE_OPTIONS=--import=…`): who parses JSON with this word in it needs more memory than there
 * is. It dies as from a real record that is too much for it, of "heap out of memory", with whatever it had in its hands.
 */
const HUNGRY = 'takes-all-memory';

const parse = JSON.parse;
JSON.parse = (text: string, reviver?: Parameters<typeof parse>[1]) => {
  if (typeof text === 'string' && text.includes(HUNGRY)) {
    const eaten: number[][] = [];
    for (;;) eaten.push(new Array<number>(100_000).fill(eaten.length + 0.5));
  }
  return parse(text, reviver);
};
