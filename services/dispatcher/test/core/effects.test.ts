import test from 'ava';
import { createCollector } from '../../src/core/collector.ts';
import { createDeadLetterGuard } from '../../src/core/dead-letter-guard.ts';
import { buried, ended, keptBack, moved } from '../../src/core/effect.ts';
import { createIntake } from '../../src/core/intake.ts';
import { jobOf, type Tracked } from '../../src/core/job.ts';
import { createOrderOfEffects, type EffectSteps } from '../../src/core/order-of-effects.ts';
import { messageOf, newCampaignId } from '../support.ts';

const id = newCampaignId();
const tracked = (partition: number, offset: number, value = 'ok'): Tracked => ({
  record: { topic: 't', partition, offset, timestampMs: 0, key: null, value: Buffer.from(value), headers: {} },
  epoch: 1,
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is added during a write goes with the next one, in order, one write at a time', async (t) => {
  const writes: number[][] = [];
  let ack = () => {};
  const c = createCollector<number>({
    maxItems: 3,
    soon: setImmediate,
    onBug: (error) => t.fail(error.message),
    write(items) {
      writes.push([...items]);
      return new Promise((resolve) => {
        ack = resolve;
      });
    },
  });
  c.add(1);
  c.add(2);
  await turn();
  for (const n of [3, 4, 5, 6]) c.add(n);
  await turn();
  t.deepEqual(writes, [[1, 2]]);
  t.is(c.size(), 6);
  ack();
  await turn();
  t.deepEqual(writes, [
    [1, 2],
    [3, 4, 5],
  ]);
  ack();
  await turn();
  ack();
  await turn();
  t.deepEqual(writes[2], [6]);
  t.is(c.size(), 0);
});

test('a write that throws is a bug: it is told once and nothing follows', async (t) => {
  const bugs: string[] = [];
  const c = createCollector<number>({
    maxItems: 9,
    soon: setImmediate,
    onBug: (error) => void bugs.push(error.message),
    write: async () => {
      throw new Error('bug');
    },
  });
  c.add(1);
  await turn();
  c.add(2);
  await turn();
  await turn();
  t.deepEqual(bugs, ['bug']);
});

const how = { reason: 'render_failed', detail: '', nowMs: 1 } as const;
const LANE = { kind: 'lane', topic: 't' } as const;
const NO_PAST = { attempts: 0, deferrals: 0, firstFailedAtMs: 0, notBeforeMs: 0, origin: '' };
const job = (n: number) => jobOf(tracked(0, n), messageOf(id, n), LANE, NO_PAST, 0);
const TIER = { name: '5s', topic: 'retry' };

function stepsInto(story: string[], more: Partial<EffectSteps> = {}): EffectSteps {
  return {
    async keep(effects) {
      story.push(`1 ${effects.map((e) => e.kept.as).join()}`);
      return effects.map((_, i) => ({ partition: 0, offset: 40 + i }));
    },
    async events(events) {
      story.push(`2 ${events.map((e) => `${e.event.kind}@${e.event.dlq_offset}`).join()}`);
      return events.map((_, i) => ({ partition: 0, offset: 80 + i }));
    },
    through: (effect) => void story.push(`3 ${effect.tracked.record.offset}`),
    kept() {},
    recorded: (_events, places) => void story.push(`noted ${places.map((p) => p.offset).join()}`),
    after() {},
    hit() {},
    mayWrite: () => true,
    soon: setImmediate,
    onBug: (error) => void story.push(error.message),
    ...more,
  };
}

test('a dead letter is acknowledged before its event, its event before it settles', async (t) => {
  const story: string[] = [];
  const effects = createOrderOfEffects(stepsInto(story));
  effects.keep(buried(job(7), 'dead', how));
  effects.keep(buried(job(8), 'failed', how));
  effects.record(ended(job(9), 'sent', { ...how, reason: '' }));
  for (let i = 0; i < 9; i++) await turn();
  const at = (piece: string) => story.findIndex((line) => line.includes(piece));
  t.is(at('1 letter,letter'), 0, 'both dead letters in one write');
  t.true(at('1 letter') < at('dead@40,failed@41'));
  t.true(at('dead@40,failed@41') < at('3 7') && at('3 7') < at('3 8'));
  t.true(at('sent@null') < at('3 9'));
  t.is(effects.size(), 0);
});

test('a moved record is acknowledged before its event, which names no dead letter', async (t) => {
  const story: string[] = [];
  const effects = createOrderOfEffects(stepsInto(story));
  effects.keep(moved(job(7), TIER, { ...how, reason: 'provider_transient' }, 5));
  for (let i = 0; i < 9; i++) await turn();
  t.deepEqual(story, ['1 moved', '2 deferred@null', 'noted 80', '3 7']);
});

test('a record that goes back to held settles with its acknowledgement, without an event', async (t) => {
  const story: string[] = [];
  const effects = createOrderOfEffects(stepsInto(story));
  effects.keep(keptBack(tracked(0, 7), id, { name: 'held', topic: 'held' }, NO_PAST));
  for (let i = 0; i < 9; i++) await turn();
  t.deepEqual(story, ['1 moved', '3 7']);
});

const dead = () => buried(job(7), 'dead', how);
const toTier = () => moved(job(7), TIER, { ...how, reason: 'provider_transient' }, 5);
for (const [point, effect, wanted] of [
  ['dispatch.afterDlq', dead, ['1 letter']],
  ['dispatch.afterRetry', toTier, ['1 moved']],
  ['dispatch.afterEvent', dead, ['1 letter', '2 dead@40', 'noted 80']],
  ['dispatch.afterEvent', toTier, ['1 moved', '2 deferred@null', 'noted 80']],
] as const) {
  test(`stops at ${point} of ${wanted[0]} with nothing done of what comes after`, async (t) => {
    const story: string[] = [];
    const hit = (name: string) => (name === point ? new Promise<void>(() => {}) : undefined);
    const effects = createOrderOfEffects(stepsInto(story, { hit }));
    effects.keep(effect());
    for (let i = 0; i < 9; i++) await turn();
    t.deepEqual(story, [...wanted]);
    t.is(effects.size(), 1);
  });
}

test('a process that may not write any more writes nothing', async (t) => {
  const story: string[] = [];
  const effects = createOrderOfEffects(stepsInto(story, { mayWrite: () => false }));
  effects.keep(buried(job(7), 'dead', how));
  effects.record(ended(job(8), 'sent', { ...how, reason: '' }));
  for (let i = 0; i < 5; i++) await turn();
  t.deepEqual(story, []);
});

const unguarded = {
  tallyOf: createDeadLetterGuard().of,
  tripped: () => {
    throw new Error('tripped');
  },
};

test('a partition whose schema is unknown waits, others go on, and order stays', async (t) => {
  const story: string[] = [];
  let known = false;
  let answer = () => {};
  const intake = createIntake({
    decode(bytes) {
      const text = bytes?.toString() ?? '';
      if (text === 'new' && !known) return { ok: false, reason: 'needs_schema', schemaId: 9 };
      if (text === 'bad') return { ok: false, reason: 'undecodable', detail: 'bad' };
      return { ok: true, value: messageOf(id, 1) };
    },
    ensureSchema(schemaId) {
      story.push(`ask ${schemaId}`);
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
    accept(r) {
      story.push(`${r.record.partition}:${r.record.offset}`);
      return undefined;
    },
    ...unguarded,
    refuse: (r) => void story.push(`refused ${r.record.partition}:${r.record.offset}`),
    resumed: () => void story.push('resumed'),
  });
  intake.offer([tracked(0, 1), tracked(0, 2, 'new'), tracked(0, 3)]);
  intake.offer([tracked(0, 4, 'bad')]);
  intake.offer([tracked(1, 1), tracked(1, 2, 'bad')]);
  t.deepEqual(story, ['0:1', 'ask 9', '1:1', 'refused 1:2']);
  t.is(intake.blocked(), 1);
  known = true;
  answer();
  await turn();
  t.deepEqual(story.slice(4), ['0:2', '0:3', 'refused 0:4', 'resumed']);
  t.is(intake.blocked(), 0);
});

test('records of an assignment that ended while the registry was asked are dropped', async (t) => {
  const story: string[] = [];
  let answer = () => {};
  const intake = createIntake({
    decode: () => ({ ok: false, reason: 'needs_schema', schemaId: 9 }),
    ensureSchema: () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
    accept() {
      story.push('accepted');
      return undefined;
    },
    ...unguarded,
    refuse: () => void story.push('refused'),
    resumed: () => void story.push('resumed'),
  });
  intake.offer([tracked(0, 1)]);
  intake.clear();
  answer();
  await turn();
  t.deepEqual(story, []);
});
