import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { campaignIdFrom, messageIdOf } from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import { createSimulatedChannel } from '../../src/adapters/simulated/channel.ts';
import { failsForNow, parseSimulatedUrl, planOf } from '../../src/adapters/simulated/plan.ts';
import { createTickTimers } from '../../src/adapters/simulated/tick-timers.ts';
import type { OutgoingMessage } from '../../src/ports.ts';

const campaign = campaignIdFrom(Date.now(), Buffer.alloc(6));
const id = (n: number) => messageIdOf(campaign, n);
const defaults = parseSimulatedUrl('simulated:');

test('the URL of the default is the contract’s', (t) => {
  t.like(defaults, { minMs: 5, maxMs: 15, transient: 0.1, permanent: 0, throttle: 0, timeout: 0, reset: 0, tail: 0 });
});

for (const url of [
  'smtp://x',
  'simulated:?transiant=0.1',
  'simulated:?transient=1.1',
  'simulated:?transient=',
  'simulated:?min_ms=-1',
  'simulated:?min_ms=20',
  'simulated:?max_ms=NaN',
]) {
  test(`refuses ${url}`, (t) => {
    t.throws(() => parseSimulatedUrl(url));
  });
}

test('no message fails more than three times in a row, whatever the probability and the seed', (t) => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.string(), fc.nat(1e6), (transient, seed, n) => {
      const settings = { ...defaults, transient, seed };
      let inARow = 0;
      for (let attempt = 1; attempt <= 12; attempt++) {
        inARow = failsForNow(settings, id(n + 1), attempt) ? inARow + 1 : 0;
        if (inARow > 3) return false;
      }
      return true;
    }),
  );
  t.true([1, 2, 3].every((attempt) => failsForNow({ ...defaults, transient: 1 }, id(1), attempt)));
  t.false(failsForNow({ ...defaults, transient: 1 }, id(1), 4));
});

test('a tenth of first attempts fails, and latency spreads evenly from 5 to 15 ms', (t) => {
  const plans = Array.from({ length: 20_000 }, (_, n) => planOf(defaults, id(n + 1), `r${n}@x.org`, 1, 1));
  const failed = plans.filter((p) => p.answer === 'transient').length;
  t.true(failed > 1_800 && failed < 2_200, `${failed} of 20,000`);
  const mean = plans.reduce((sum, p) => sum + p.latencyMs, 0) / plans.length;
  t.true(mean > 9.8 && mean < 10.2, `mean ${mean}`);
  t.true(plans.every((p) => p.latencyMs >= 5 && p.latencyMs <= 15));
  const slowOnes = plans.filter((p) => p.latencyMs > 10);
  const failedSlow = slowOnes.filter((p) => p.answer === 'transient').length / slowOnes.length;
  t.true(failedSlow > 0.08 && failedSlow < 0.12, 'failure does not depend on latency');
});

test('a share of attempts takes the tail’s time, and as many fail as without it', (t) => {
  const settings = parseSimulatedUrl('simulated:?tail=0.05&tail_ms=900');
  const plans = Array.from({ length: 20_000 }, (_, n) => planOf(settings, id(n + 1), `r${n}@x.org`, 1, 1));
  const tail = plans.filter((p) => p.latencyMs === 900);
  t.true(tail.length > 850 && tail.length < 1_150, `${tail.length} of 20,000`);
  t.true(plans.every((p) => p.latencyMs === 900 || (p.latencyMs >= 5 && p.latencyMs <= 15)));
  const failed = tail.filter((p) => p.answer === 'transient').length / tail.length;
  t.true(failed > 0.06 && failed < 0.14, 'failure does not depend on the tail');
});

test('shares of throttled, unanswered and broken-off attempts', (t) => {
  const settings = parseSimulatedUrl('simulated:?transient=0&throttle=0.1&timeout=0.05&reset=0.2');
  const counts = new Map<string, number>();
  for (let n = 1; n <= 20_000; n++) {
    const { answer } = planOf(settings, id(n), 'r@x.org', 1, 1);
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  for (const [answer, wanted] of Object.entries({ throttle: 2_000, none: 1_000, reset: 4_000, accept: 13_000 })) {
    const count = counts.get(answer) ?? 0;
    t.true(Math.abs(count - wanted) < wanted * 0.12, `${answer}: ${count}, not ${wanted}`);
  }
});

test('the same seed, id and attempt meet the same plan, another seed another', (t) => {
  const plans = (seed: string) =>
    Array.from({ length: 200 }, (_, n) => planOf({ ...defaults, seed }, id(n + 1), 'r@x.org', 1, 1));
  t.deepEqual(plans('a'), plans('a'));
  t.notDeepEqual(plans('a'), plans('b'));
});

const scripted: readonly [string, readonly string[]][] = [
  ['a+refuse@x.org', ['permanent', 'permanent']],
  ['a+transient2@x.org', ['transient', 'transient', 'accept', 'accept']],
  ['a+always-transient@x.org', ['transient', 'transient', 'transient', 'transient', 'transient']],
  ['a+timeout@x.org', ['none', 'none']],
  ['a+lost@x.org', ['lost', 'accept']],
  ['a+reset@x.org', ['reset', 'accept', 'accept']],
  ['a+drip@x.org', ['drip', 'drip']],
  ['a+throttle2500@x.org', ['throttle', 'accept']],
  ['a+slow500@x.org', ['accept']],
  ['tel:+refuse', ['permanent']],
];
for (const [recipient, answers] of scripted) {
  test(`script: ${recipient}`, (t) => {
    const settings = { ...defaults, transient: 0 };
    t.deepEqual(
      answers.map((_, i) => planOf(settings, id(1), recipient, i + 1, i + 1).answer as string),
      [...answers],
    );
  });
}
test('script: +throttle is throttled at the first call, +slow500 takes 500 ms, other plus addresses are ordinary', (t) => {
  t.is(planOf(defaults, id(1), 'a+throttle@x.org', 1, 1).answer, 'throttle');
  t.is(planOf(defaults, id(1), 'a+throttle@x.org', 1, 2).answer, 'accept');
  t.is(planOf(defaults, id(1), 'a+slow500@x.org', 1, 1).latencyMs, 500);
  t.is(planOf(defaults, id(1), 'a+throttle2500@x.org', 1, 1).retryAfterMs, 2_500);
  t.is(planOf({ ...defaults, transient: 0 }, id(1), 'a+news@x.org', 1, 1).answer, 'accept');
  t.is(planOf({ ...defaults, transient: 0 }, id(1), 'a+refused@x.org', 1, 1).answer, 'accept');
});

test('tick timers fire in order of time, not before it, and all of a tick at once', async (t) => {
  const batches: number[][] = [];
  let nowMs = 100.5;
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const timers = createTickTimers<number>(
    () => nowMs,
    (items) => {
      batches.push([...items]);
      if (timers.size() === 0) done();
    },
  );
  timers.add(7, 7);
  timers.add(2, 2);
  timers.add(2, 20);
  timers.add(50_000, 50);
  t.is(timers.size(), 4);
  nowMs = 103;
  await new Promise((resolve) => setTimeout(resolve, 5));
  t.deepEqual(batches, [[2, 20]]);
  // A stall: what came due meanwhile comes in order of time.
  nowMs = 60_000;
  await all;
  t.deepEqual(batches, [
    [2, 20],
    [7, 50],
  ]);
});

const outgoing = (n: number, recipient = `r${n}@x.org`): OutgoingMessage => ({
  messageId: id(n),
  campaignId: campaign,
  recipient,
  contentType: 'text/plain',
  subject: '',
  body: '',
  mail: undefined,
});

test('the journal has each acceptance before its answer is given, and no refusal', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'volley-journal-'));
  const journalPath = join(folder, 'journal');
  t.teardown(() => rmSync(folder, { recursive: true }));
  const channel = createSimulatedChannel({
    url: 'simulated:?min_ms=1&max_ms=4&transient=0',
    journalPath,
    now: () => 42,
    monotonicMs: () => performance.now(),
  });
  const call = { attempt: 1, signal: new AbortController().signal };
  const linesAtAnswer = await Promise.all(
    [1, 2, 3].map(async (n) => {
      const outcome = await channel.send(outgoing(n), call);
      t.true(outcome.ok);
      return readFileSync(journalPath, 'utf8').includes(`${id(n)} 1 42\n`);
    }),
  );
  t.deepEqual(linesAtAnswer, [true, true, true]);
  t.like(await channel.send(outgoing(4, 'a+refuse@x.org'), call), { ok: false, failure: { status: 410 } });
  await channel.close();
  await channel.close();
  t.is(readFileSync(journalPath, 'utf8').trim().split('\n').length, 3);
});

test('without latency the answer comes in the same turn of the loop, for free and with a journal', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'volley-journal-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const url = 'simulated:?min_ms=0&max_ms=0&transient=0';
  const call = { attempt: 1, signal: new AbortController().signal };
  for (const journalPath of [undefined, join(folder, 'journal')]) {
    const channel = createSimulatedChannel({ url, journalPath, now: () => 42, monotonicMs: () => performance.now() });
    let turns = 0;
    const turn = setImmediate(() => {
      turns += 1;
    });
    const outcomes = await Promise.all([1, 2, 3].map((n) => channel.send(outgoing(n), call)));
    t.true(outcomes.every((o) => o.ok));
    t.like(await channel.send(outgoing(4, 'a+refuse@x.org'), call), { ok: false, failure: { status: 410 } });
    t.like(await channel.send(outgoing(5, 'a+reset@x.org'), call), { failure: { code: 'ECONNRESET' } });
    t.is(turns, 0);
    clearImmediate(turn);
    await channel.close();
  }
  const lines = readFileSync(join(folder, 'journal'), 'utf8').trim().split('\n');
  t.deepEqual(
    lines,
    [1, 2, 3, 5].map((n) => `${id(n)} 1 42`),
  );
});

for (const script of ['timeout', 'drip', 'lost']) {
  test(`+${script}: no answer, until the call is given up`, async (t) => {
    const channel = createSimulatedChannel({
      url: 'simulated:?min_ms=0&max_ms=0',
      now: Date.now,
      monotonicMs: () => performance.now(),
    });
    const controller = new AbortController();
    let answered = false;
    const sending = channel.send(outgoing(1, `a+${script}@x.org`), { attempt: 1, signal: controller.signal });
    void sending.then(() => {
      answered = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    t.false(answered);
    controller.abort();
    t.like(await sending, { ok: false, failure: { code: 'EABORT' } });
    await channel.close();
  });
}

const channels = readFileSync(join(import.meta.dirname, '../../../../docs/channels.md'), 'utf8');
const page = channels.slice(channels.indexOf('\n## Simulated'));

test('docs/channels.md names every script, and no other', (t) => {
  const scripts = [...page.matchAll(/^\| `…(\+[^@]+)@…` \|/gm)].map(([, script]) => script as string);
  t.deepEqual(scripts.map((script) => script.replace(/\d+$/, 'N')).toSorted(), [
    '+always-transient',
    '+drip',
    '+lost',
    '+refuse',
    '+reset',
    '+slowN',
    '+throttle',
    '+throttleN',
    '+timeout',
    '+transientN',
  ]);
  const plain = parseSimulatedUrl('simulated:?min_ms=0&max_ms=0&transient=0');
  for (const script of scripts)
    t.notDeepEqual(planOf(plain, id(1), `a${script}@x.org`, 1, 1), { answer: 'accept', latencyMs: 0 }, script);
});

test('docs/channels.md names every setting with its default', (t) => {
  const rows = [...page.matchAll(/^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| ([^|]+) \|/gm)];
  const query = rows.flatMap(([, names = '', values = '']) => {
    const defaults = values.replaceAll('`', '').split(', ');
    return [...names.matchAll(/`([a-z_]+)`/g)].map(([, name], i) => `${name}=${defaults[i]}`);
  });
  t.deepEqual(parseSimulatedUrl(`simulated:?${query.join('&')}`), defaults);
  t.is(query.length, Object.keys(defaults).length);
});
