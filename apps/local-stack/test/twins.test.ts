import test from 'ava';
import { createTwins, type First, type Repeat } from '../src/clickhouse-front/twins.ts';

const rows = (text = 'rows') => Buffer.from(text);
const never = () => {};

function asFirst(entered: First<string> | Repeat<string>): First<string> {
  if (!entered.isFirst) throw new Error('it joined another one');
  return entered;
}
function asRepeat(entered: First<string> | Repeat<string>): Repeat<string> {
  if (entered.isFirst) throw new Error('it joined nobody');
  return entered;
}

for (const when of ['waits', 'runs'] as const) {
  test(`a repeat of an insert that ${when} is answered with it`, async (t) => {
    const twins = createTwins<string>();
    const first = asFirst(twins.enter('key', rows(), never));
    if (when === 'runs') first.begun();
    const repeats = [1, 2].map(() => asRepeat(twins.enter('key', rows(), never)));
    t.is(first.repeats(), 2);
    first.done('stored');
    for (const { result } of repeats) t.is(await result, 'stored');
    t.true(twins.enter('key', rows(), never).isFirst, 'the next one runs');
  });
}

test('an error is the answer of all', async (t) => {
  const twins = createTwins<string>();
  const first = asFirst(twins.enter('key', rows(), never));
  const { result } = asRepeat(twins.enter('key', rows(), never));
  first.failed(new Error('no memory'));
  await t.throwsAsync(result, { message: 'no memory' });
  t.true(twins.enter('key', rows(), never).isFirst);
});

test('an error of one that nobody joined is nobody else’s', (t) => {
  const first = asFirst(createTwins<string>().enter('key', rows(), never));
  t.notThrows(() => first.failed(new Error('no memory')));
});

for (const [what, key, body] of [
  ['other settings', 'other', 'rows'],
  ['other rows', 'key', 'else'],
] as const) {
  test(`one with ${what} is no repeat`, (t) => {
    const twins = createTwins<string>();
    asFirst(twins.enter('key', rows(), never)).begun();
    t.true(twins.enter(key, rows(body), never).isFirst);
  });
}

test('one that waits is cancelled when the last of its clients has left, and not before', (t) => {
  let cancelled = 0;
  const twins = createTwins<string>();
  const first = asFirst(twins.enter('key', rows(), () => cancelled++));
  const repeat = asRepeat(twins.enter('key', rows(), never));
  first.leave();
  first.leave();
  t.is(cancelled, 0);
  repeat.leave();
  t.is(cancelled, 1);
});

test('one that runs is not cancelled, and its result is kept for the repeat that comes after its end', async (t) => {
  const twins = createTwins<string>();
  const first = asFirst(twins.enter('key', rows(), () => t.fail()));
  first.begun();
  first.leave();
  first.done('stored');
  t.is(await asRepeat(twins.enter('key', rows(), never)).result, 'stored');
  t.true(twins.enter('key', rows('else'), never).isFirst);
  t.true(twins.enter('other', rows(), never).isFirst);
});

test('of those whose end nobody saw only the last are kept', (t) => {
  const twins = createTwins<string>();
  for (let n = 0; n < 65; n++) {
    const first = asFirst(twins.enter(`${n}`, rows(), never));
    first.begun();
    first.leave();
    first.done('stored');
  }
  t.true(twins.enter('0', rows(), never).isFirst);
  t.false(twins.enter('64', rows(), never).isFirst);
});

test('one that failed while nobody waited is run again', (t) => {
  const twins = createTwins<string>();
  const first = asFirst(twins.enter('key', rows(), never));
  first.begun();
  first.leave();
  first.failed(new Error('no memory'));
  t.true(twins.enter('key', rows(), never).isFirst);
});

// The table under the name may be another one by then: an answer out of the old one would be of rows that are not there.
for (const [when, happen] of [
  [
    'while it ran',
    (first: First<string>, change: () => () => void) => {
      first.begun();
      change()();
    },
  ],
  [
    'since before it began, and still',
    (first: First<string>, change: () => () => void) => {
      change();
      first.begun();
    },
  ],
  [
    'until after it began',
    (first: First<string>, change: () => () => void) => {
      const changed = change();
      first.begun();
      changed();
    },
  ],
] as const) {
  test(`where tables changed ${when}, a repeat is run`, (t) => {
    const twins = createTwins<string>();
    const first = asFirst(twins.enter('key', rows(), never));
    happen(first, twins.tablesChange);
    t.true(twins.enter('key', rows(), never).isFirst);
    first.leave();
    first.done('stored');
    const later = createTwins<string>();
    const abandoned = asFirst(later.enter('key', rows(), never));
    happen(abandoned, later.tablesChange);
    abandoned.leave();
    abandoned.done('stored');
    t.true(later.enter('key', rows(), never).isFirst, 'also after its end');
  });
}

test('where tables changed after its end, a repeat is run', (t) => {
  const twins = createTwins<string>();
  const first = asFirst(twins.enter('key', rows(), never));
  first.begun();
  first.leave();
  first.done('stored');
  twins.tablesChange();
  t.true(twins.enter('key', rows(), never).isFirst);
});

test('where tables changed before it began, a repeat joins it', (t) => {
  const twins = createTwins<string>();
  const first = asFirst(twins.enter('key', rows(), never));
  const changed = twins.tablesChange();
  t.false(twins.enter('key', rows(), never).isFirst, 'it waits: it will meet what is there then');
  changed();
  first.begun();
  t.false(twins.enter('key', rows(), never).isFirst);
});
