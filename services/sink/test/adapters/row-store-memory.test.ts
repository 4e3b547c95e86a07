import test from 'ava';
import { createMemoryRowStore } from '../../src/adapters/row-store-memory.ts';
import { COLUMNS } from '../../src/core/to-row.ts';
import { range, rowStoreSuite } from './row-store.suite.ts';

const OFFSET = COLUMNS.indexOf('source_offset');
const RECIPIENT = COLUMNS.indexOf('recipient');

rowStoreSuite(test, async () => {
  const store = createMemoryRowStore();
  const sorted = () => store.rows().sort((a, b) => (a[OFFSET] as number) - (b[OFFSET] as number));
  return {
    store,
    offsets: async () => sorted().map((row) => row[OFFSET] as number),
    rolledUp: async () => undefined,
    recipients: async () => sorted().map((row) => row[RECIPIENT] as string),
    close: () => store.close(),
  };
});

test('while it is away it stores nothing and says so', async (t) => {
  const store = createMemoryRowStore();
  store.setAvailable(false);
  t.false((await store.insert(range(0, 3))).ok);
  t.false((await store.ping()).ok);
  store.setAvailable(true);
  t.is(store.rows().length, 0);
});

test('a lost answer stores the rows, and the repetition adds none', async (t) => {
  const store = createMemoryRowStore();
  store.loseAnswers(1);
  t.false((await store.insert(range(0, 3))).ok);
  t.true((await store.insert(range(0, 3))).ok);
  t.is(store.rows().length, 3);
});
