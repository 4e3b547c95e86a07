import test from 'ava';
import { createShared } from '../../../src/adapters/clickhouse/shared.ts';

/** A question that is answered when the test says so. */
function question() {
  const asked: { gone: AbortSignal; answer: (value: string) => void; fail: (error: Error) => void }[] = [];
  const run = (gone: AbortSignal) =>
    new Promise<string>((answer, fail) => {
      asked.push({ gone, answer, fail });
    });
  return { asked, run };
}

test('the same question asked by many at once is one; another one, and one that comes later, are not', async (t) => {
  const share = createShared();
  const { asked, run } = question();
  const many = Array.from({ length: 50 }, () => share('a', run));
  const other = share('b', run);
  t.is(asked.length, 2);
  asked[0]?.answer('A');
  asked[1]?.answer('B');
  t.deepEqual(new Set(await Promise.all(many)), new Set(['A']));
  t.is(await other, 'B');
  const later = share('a', run);
  t.is(asked.length, 3);
  asked[2]?.answer('C');
  t.is(await later, 'C');
});

test('an error is that of all who asked, and of nobody after them', async (t) => {
  const share = createShared();
  const { asked, run } = question();
  const both = [share('a', run), share('a', run)];
  asked[0]?.fail(new Error('away'));
  for (const each of both) await t.throwsAsync(each, { message: 'away' });
  const again = share('a', run);
  asked[1]?.answer('here');
  t.is(await again, 'here');
});

test('the question ends with the last one who waits for it, and not before', async (t) => {
  const share = createShared();
  const { asked, run } = question();
  const [one, two] = [new AbortController(), new AbortController()];
  const first = share('a', run, one.signal);
  const second = share('a', run, two.signal);
  one.abort(new Error('gone'));
  await t.throwsAsync(first, { message: 'gone' });
  t.false(asked[0]?.gone.aborted);
  two.abort(new Error('gone too'));
  await t.throwsAsync(second, { message: 'gone too' });
  t.true(asked[0]?.gone.aborted);
  // Who comes now does not get the one that was ended.
  const third = share('a', run);
  t.is(asked.length, 2);
  asked[1]?.answer('new');
  t.is(await third, 'new');
  await t.throwsAsync(share('a', run, one.signal), { message: 'gone' });
  t.is(asked.length, 2, 'who is gone already asks nothing');
});
