import test from 'ava';
import { people, peopleNdjson } from '../src/people.ts';

test('the same seed gives the same people, another seed others', (t) => {
  const some = (seed: number) => [...people(50, 'run-1', seed)];
  t.deepEqual(some(7), some(7));
  t.notDeepEqual(some(7), some(8));
});

test('every address is there once, under a domain that can never receive mail', (t) => {
  const all = [...people(5_000, 'run-1')];
  t.is(new Set(all.map((p) => p.email)).size, 5_000);
  t.true(all.every((p) => p.email.endsWith('@example.org')));
});

test('everybody has the tag of the run, about 40% are vip', (t) => {
  const all = [...people(10_000, 'run-1')];
  t.true(all.every((p) => p.tags.includes('run-1')));
  const share = all.filter((p) => p.tags.includes('vip')).length / all.length;
  t.true(share > 0.38 && share < 0.42, `${share}`);
});

test('NDJSON has a line for each person, whatever the chunks', async (t) => {
  let text = '';
  for await (const chunk of peopleNdjson(3_000, 'run-1')) text += Buffer.from(chunk).toString();
  const lines = text.trimEnd().split('\n');
  t.is(lines.length, 3_000);
  t.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [...people(3_000, 'run-1')],
  );
});
