import test from 'ava';
import { LoadError } from '../src/load-error.ts';
import { NAMED, parseProviderScript, refusesSome, wordOf } from '../src/provider-script.ts';

const N = 20_000;
/** How many recipients meet what, by the word without its number. */
function words(text: string, atMs = 0): Record<string, number> {
  const script = parseProviderScript(text);
  const found: Record<string, number> = {};
  for (let n = 0; n < N; n++) {
    const word = wordOf(script, n, atMs).replace(/slow\d+/, 'slow');
    found[word] = (found[word] ?? 0) + 1 / N;
  }
  return found;
}
const near = (found: number | undefined, wanted: number) => Math.abs((found ?? 0) - wanted) < 0.005;

test('shares are of all recipients, and each meets one thing', (t) => {
  const found = words('refuse=1%,transient=5%,throttle=2%,lost=0.5%,tail=10%/1s');
  t.true(near(found['+refuse'], 0.01));
  t.true(near(found['+transient1'], 0.05));
  t.true(near(found['+throttle'], 0.02));
  t.true(near(found['+lost'], 0.005));
  t.true(near(found['+slow'], 0.1 * 0.915));
  t.true(near(found[''], 0.915 * 0.9));
});

test('latency is log-normal around its median', (t) => {
  const script = parseProviderScript('latency=80ms/0.5');
  const times = Array.from({ length: N }, (_, n) => Number(wordOf(script, n, 0).slice('+slow'.length))).sort(
    (a, b) => a - b,
  );
  const at = (share: number) => times[Math.floor(share * N)] as number;
  t.true(Math.abs(at(0.5) - 80) < 3, `median ${at(0.5)}`);
  t.true(Math.abs(at(0.84) - 80 * Math.exp(0.5)) < 6, `one sigma ${at(0.84)}`);
  t.true((times[0] as number) >= 1);
});

test('in an outage everybody fails for now, before and after it nobody does', (t) => {
  t.deepEqual(words('outage=10s+5s', 9_999), { '': words('outage=10s+5s', 9_999)[''] as number });
  for (const atMs of [10_000, 14_999]) t.deepEqual(Object.keys(words('outage=10s+5s', atMs)), ['+transient3']);
  t.deepEqual(Object.keys(words('outage=10s+5s', 15_000)), ['']);
});

test('the same recipient meets the same every time', (t) => {
  t.deepEqual(words('flaky'), words('flaky'));
});

test('what is named can be read; only refusals end otherwise than sent', (t) => {
  for (const name of Object.keys(NAMED)) t.notThrows(() => parseProviderScript(name));
  t.true(refusesSome(parseProviderScript('refusing')));
  for (const name of ['steady', 'slow', 'tail', 'flaky', 'outage']) t.false(refusesSome(parseProviderScript(name)));
  t.false(refusesSome(undefined));
  t.is(wordOf(undefined, 1, 0), '');
});

for (const text of [
  '',
  'fast',
  'refuse',
  'refuse=1',
  'refuse=200%',
  'latency=slow',
  'latency=10ms/9',
  'tail=1%',
  'outage=10s',
  'outage=10+x',
]) {
  test(`refused: "${text}"`, (t) => {
    t.is(t.throws(() => parseProviderScript(text), { instanceOf: LoadError })?.exitCode, 2);
  });
}
test('refused: shares above everybody', (t) => {
  t.throws(() => parseProviderScript('refuse=60%,transient=60%'), { message: /above 100%/ });
});
