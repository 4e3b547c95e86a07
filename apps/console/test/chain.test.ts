import test from 'ava';
import { type Chain, cursorAt, EMPTY_CHAIN, pageOfRow, rowsOf, withPage } from '../src/messages/chain.ts';

const read = (counts: readonly number[]): Chain =>
  counts.reduce<Chain>(
    (chain, count, at) =>
      withPage(chain, {
        at,
        cursor: at === 0 ? undefined : `c${at}`,
        count,
        next: at === counts.length - 1 ? null : `c${at + 1}`,
      }),
    EMPTY_CHAIN,
  );

test('pages are laid end to end, and each row is found on its page', (t) => {
  const chain = read([100, 0, 37, 100]);
  t.is(rowsOf(chain), 237);
  t.is(chain.next, null);
  for (const [row, page] of [
    [0, 0],
    [99, 0],
    [100, 2],
    [136, 2],
    [137, 3],
    [236, 3],
  ] as const)
    t.is(pageOfRow(chain, row), page, String(row));
});

test('pages without a row at the end are counted: a filter that few messages match', (t) => {
  t.is(read([3, 0, 0]).emptyRun, 2);
  t.is(read([0, 0, 1]).emptyRun, 0);
});

test('the same page read again changes nothing, not even the object', (t) => {
  const chain = read([100, 100]);
  t.is(withPage(chain, { at: 0, cursor: undefined, count: 100, next: 'c1' }), chain);
});

test('a page that ends elsewhere now takes what came after it with it', (t) => {
  const chain = withPage(read([100, 100, 50]), { at: 1, cursor: 'c1', count: 99, next: 'other' });
  t.is(rowsOf(chain), 199);
  t.is(cursorAt(chain, 2), 'other');
});

test('an answer to a question that is no longer asked is left aside', (t) => {
  const chain = read([100, 100]);
  t.is(withPage(chain, { at: 1, cursor: 'another', count: 1, next: null }), chain);
  t.is(withPage(chain, { at: 7, cursor: 'c7', count: 1, next: null }), chain);
});
