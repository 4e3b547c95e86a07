import { createLogger } from '@volley/runtime';
import { type OutgoingRecord, RecordRefused, StreamUnavailable } from '@volley/stream';
import test from 'ava';
import { createDeadLetters } from '../../src/adapters/dead-letters.ts';
import type { DeadLetter } from '../../src/ports.ts';

const of = (text: string): OutgoingRecord => ({ topic: 't', partition: 0, key: null, value: Buffer.from(text) });
const letter = (text: string): DeadLetter => ({ ...of(text), cutTo: (maxBytes) => of(text.slice(0, maxBytes)) });

/** A log that takes values of at most `limit` bytes, all of a call or none; `away` is asked before each. */
function openLog(limit: number, away: () => boolean = () => false) {
  const written: string[] = [];
  let calls = 0;
  const producer = {
    async send(records: readonly OutgoingRecord[]) {
      calls += 1;
      if (away()) throw new StreamUnavailable('away');
      if (records.some(({ value }) => (value?.length ?? 0) > limit)) throw new RecordRefused('too large');
      for (const { value } of records) written.push(value?.toString() ?? '');
      return [];
    },
  };
  return { written, calls: () => calls, letters: createDeadLetters({ producer, log: createLogger('sink', 'silent') }) };
}

test('letters that the log takes go out in one call', async (t) => {
  const { letters, written, calls } = openLog(10_000);
  t.deepEqual(await letters.send(['a', 'b', 'c'].map(letter)), { ok: true });
  t.deepEqual(written, ['a', 'b', 'c']);
  t.is(calls(), 1);
});

test('only the refused one is cut, to half and half again until it is taken', async (t) => {
  const { letters, written } = openLog(5_000);
  const large = 'x'.repeat(20_000);
  t.deepEqual(await letters.send([letter('a'), letter('b'), letter(large), letter('c')]), { ok: true });
  t.deepEqual(written, ['a', 'b', 'x'.repeat(4_096), 'c']);
});

test('a log that goes away in between gets the rest later, and what it acknowledged not again', async (t) => {
  const { letters, written } = openLog(5_000, () => written.length === 2);
  const all = [letter('a'), letter('b'), letter('x'.repeat(20_000)), letter('c')];
  t.deepEqual(await letters.send(all), { ok: false, error: 'away' });
  t.deepEqual(written, ['a', 'b']);
  written.push('back');
  t.deepEqual(await letters.send(all), { ok: true });
  t.deepEqual(written, ['a', 'b', 'back', 'x'.repeat(4_096), 'c']);
});

test('what is refused whatever its size is no matter of size: it is not given up', async (t) => {
  const { letters, written } = openLog(-1);
  t.deepEqual(await letters.send([letter('a'), letter('x'.repeat(20_000))]), { ok: false, error: 'too large' });
  t.deepEqual(written, []);
});
