import { directMessageIdOf, messageIdOf } from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import { createMessageTable, halves, type Share, WHOLE } from '../../../src/core/replay/message-table.ts';

const CAMPAIGN = '01a200af-538d-7000-8000-100000000000';
const ids = [
  ...Array.from({ length: 300 }, (_, i) => messageIdOf(CAMPAIGN, i + 1)),
  ...Array.from({ length: 300 }, (_, i) => directMessageIdOf(CAMPAIGN, `client-${i}`)),
];
const anId = fc.constantFrom(...ids);
const aPlace = fc.record({ id: anId, run: fc.nat({ max: 3 }), log: fc.nat({ max: 1 }), offset: fc.nat() });

test('of several records of a message the first one of the highest run counts', (t) => {
  fc.assert(
    fc.property(fc.array(aPlace, { maxLength: 900 }), (places) => {
      const table = createMessageTable(WHOLE);
      const known = new Map<string, (typeof places)[number]>();
      for (const place of places) {
        t.true(table.place(place.id, place.run, place.log, place.offset));
        const before = known.get(place.id);
        if (before === undefined || place.run > before.run) known.set(place.id, place);
      }
      t.is(table.size(), known.size);
      for (const { id, log, offset } of places) {
        const counts = known.get(id);
        t.is(table.counts(id, log, offset), counts?.log === log && counts.offset === offset);
      }
    }),
    { numRuns: 30 },
  );
});

test('every message is in exactly one share, however often they are halved', (t) => {
  let shares: readonly Share[] = [WHOLE];
  for (let depth = 0; depth < 4; depth++) {
    const tables = shares.map((share) => createMessageTable(share));
    for (const id of ids) t.is(tables.filter((table) => table.isIn(id)).length, 1);
    shares = shares.flatMap(halves);
  }
  const sizes = shares.map((share) => ids.filter((id) => createMessageTable(share).isIn(id)).length);
  t.true(Math.max(...sizes) < (ids.length / shares.length) * 2, `${sizes}`);
});

test('a full table takes what it knows, and nothing new', (t) => {
  const table = createMessageTable(WHOLE, 16);
  const taken = ids.filter((id, i) => table.place(id, 0, 0, i));
  t.is(taken.length, 12);
  t.true(table.place(taken[0] as string, 1, 0, 900));
  t.true(table.counts(taken[0] as string, 0, 900));
});

test('the first end of the latest run is what was recorded', (t) => {
  const table = createMessageTable(WHOLE);
  const [id, other] = ids as [string, string];
  const end = (kind: 'sent' | 'dead' | 'failed', attempt: number, endedAtMs: number) =>
    ({ kind, reason: kind === 'sent' ? '' : 'attempts_exhausted', attempt, endedAtMs }) as const;
  table.place(id, 0, 0, 0);
  t.is(table.endOf(id), undefined);
  table.failedAttempt(id, 0, 5);
  table.failedAttempt(id, 0, 9);
  table.end(id, 0, end('dead', 3, 12));
  table.end(id, 0, end('sent', 4, 13));
  t.deepEqual(table.endOf(id), { ...end('dead', 3, 12), firstFailedAtMs: 5, lastFailedAtMs: 9 });
  table.begin(id, 1);
  t.is(table.endOf(id), undefined, 'on its way again');
  table.end(id, 0, end('failed', 1, 20));
  t.is(table.endOf(id), undefined, 'a late word of the run before');
  table.end(id, 1, end('sent', 1, 30));
  t.deepEqual(table.endOf(id), { ...end('sent', 1, 30), firstFailedAtMs: 0, lastFailedAtMs: 0 });
  table.end(other, 0, end('sent', 1, 30));
  t.is(table.endOf(other), undefined, 'a message of no range');
});
