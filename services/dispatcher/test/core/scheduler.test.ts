import test from 'ava';
import fc from 'fast-check';
import { createDueHeap } from '../../src/core/due-heap.ts';
import { createFifo } from '../../src/core/fifo.ts';
import { type Job, jobOf, type Tracked } from '../../src/core/job.ts';
import { createScheduler, type Gate, type Hold, type Scheduler } from '../../src/core/scheduler.ts';
import { createSlots } from '../../src/core/slots.ts';
import type { Source } from '../../src/core/sources.ts';
import { messageOf, newCampaignId } from '../support.ts';

const campaigns = Array.from({ length: 4 }, newCampaignId);
let offset = 0;
const LANE = { kind: 'lane', topic: 't' } as const;
const NO_PAST = { attempts: 0, deferrals: 0, firstFailedAtMs: 0, notBeforeMs: 0, origin: '' };
const TIER = { kind: 'tier', topic: 'later', tier: 0 } as const;
const job = (campaign: number, ordinal: number, recipient = `r${ordinal}`, source: Source = LANE): Job => {
  const tracked = { record: { offset: offset++, headers: {} }, epoch: 1 } as unknown as Tracked;
  return jobOf(tracked, messageOf(campaigns[campaign] as string, ordinal, { recipient }), source, NO_PAST, 0);
};
type Ask = (j: Job) => Hold | undefined;
const pass = () => undefined;
const asGate =
  (ask: Ask): Gate =>
  (j) =>
    ask(j) ?? 'slot';
const schedulerOf = (slots: number) => createScheduler(createSlots(slots).transactional);
const drain = (s: Scheduler, nowMs = 0, ask: Ask = pass): Job[] => {
  const gate = asGate(ask);
  const out: Job[] = [];
  for (let j = s.next(nowMs, gate); j !== undefined; j = s.next(nowMs, gate)) out.push(j);
  return out;
};
const ordinals = (jobs: readonly Job[]) => jobs.map((j) => j.message.ordinal);

test('campaigns take turns, so one of thousands does not stand in front of one of two', (t) => {
  const s = schedulerOf(100);
  for (let n = 1; n <= 50; n++) s.offer(job(0, n));
  s.offer(job(1, 101));
  s.offer(job(1, 102));
  t.deepEqual(ordinals(drain(s)).slice(0, 4), [1, 101, 2, 102]);
});

test('never more than the slots run, and a slot that is free is used', (t) => {
  const s = schedulerOf(2);
  const jobs = [1, 2, 3].map((n) => job(0, n));
  for (const j of jobs) s.offer(j);
  t.deepEqual(ordinals(drain(s)), [1, 2]);
  s.finish(jobs[0] as Job, true);
  t.deepEqual(ordinals(drain(s)), [3]);
});

test('a recipient’s messages run one at a time in log order, others pass by', (t) => {
  const s = schedulerOf(10);
  const [first, second, other] = [job(0, 1, 'same'), job(0, 2, 'same'), job(0, 3)];
  for (const j of [first, second, other]) s.offer(j);
  t.deepEqual(ordinals(drain(s)), [1, 3]);
  s.finish(first, true);
  t.deepEqual(ordinals(drain(s)), [2]);
});

test('what comes from a tier goes before the fresh messages of its campaign, and waits for its recipient', (t) => {
  const s = schedulerOf(10);
  const running = job(0, 1, 'same');
  s.offer(running);
  t.deepEqual(ordinals(drain(s)), [1]);
  for (const n of [2, 3]) s.offer(job(0, n));
  s.offer(job(0, 4, 'same', TIER));
  s.offer(job(0, 5, 'due', TIER));
  t.deepEqual(ordinals(drain(s)), [5, 2, 3]);
  s.finish(running, true);
  t.deepEqual(ordinals(drain(s)), [4]);
});

test('a stop drops what came from a tier, and so does the end of an assignment', (t) => {
  for (const end of ['dropUntried', 'clear'] as const) {
    const s = schedulerOf(10);
    s.offer(job(0, 1, 'a', TIER));
    s[end]();
    t.is(s.waiting(), 0);
    t.deepEqual(drain(s), []);
  }
});

test('the same recipient of another campaign does not wait', (t) => {
  const s = schedulerOf(10);
  s.offer(job(0, 1, 'same'));
  s.offer(job(1, 2, 'same'));
  t.deepEqual(ordinals(drain(s)), [1, 2]);
});

test('a retry gives its slot back, keeps its recipient, and comes when it is due', (t) => {
  const s = schedulerOf(1);
  const [first, second, other] = [job(0, 1, 'same'), job(0, 2, 'same'), job(0, 3)];
  for (const j of [first, second, other]) s.offer(j);
  t.deepEqual(ordinals(drain(s)), [1]);
  s.retryAt(first, 50);
  t.is(s.nextDueMs(), 50);
  t.deepEqual(ordinals(drain(s, 49)), [3]);
  s.finish(other, true);
  t.deepEqual(ordinals(drain(s, 49)), []);
  t.deepEqual(ordinals(drain(s, 50)), [1]);
  s.finish(first, true);
  t.deepEqual(ordinals(drain(s, 50)), [2]);
});

test('a held campaign stops no other and goes on when woken by name, by reason or by time', (t) => {
  const held =
    (on: string, untilMs = Number.POSITIVE_INFINITY) =>
    (j: Job) =>
      j.message.campaign_id === campaigns[0] ? { on, untilMs } : undefined;
  for (const wake of [
    (s: Scheduler) => s.wake(campaigns[0] as string),
    (s: Scheduler) => s.wakeAll('paused'),
    undefined,
  ]) {
    const s = schedulerOf(10);
    s.offer(job(0, 1));
    s.offer(job(1, 2));
    t.deepEqual(ordinals(drain(s, 0, held('paused', wake ? undefined : 30))), [2]);
    t.deepEqual(s.held(), [{ campaignId: campaigns[0] as string, on: 'paused', sinceMs: 0 }]);
    t.deepEqual(drain(s, 29), []);
    wake?.(s);
    t.deepEqual(ordinals(drain(s, wake ? 29 : 30)), [1]);
    t.deepEqual(s.held(), []);
  }
});

test('the gate is asked once for a held campaign, not once for each of its messages', (t) => {
  const s = schedulerOf(10);
  for (let n = 1; n <= 1_000; n++) s.offer(job(0, n));
  let asked = 0;
  const gate = () => {
    asked += 1;
    return { on: 'paused', untilMs: Number.POSITIVE_INFINITY };
  };
  drain(s, 0, gate);
  drain(s, 1, gate);
  t.is(asked, 1);
});

test('how long a campaign has been held counts from its first hold, not from the last look at it', (t) => {
  const s = schedulerOf(10);
  s.offer(job(0, 1));
  const gate = () => ({ on: 'campaign_unknown', untilMs: Number.POSITIVE_INFINITY });
  drain(s, 5, gate);
  s.wake(campaigns[0] as string);
  drain(s, 900, gate);
  t.is(s.held()[0]?.sinceMs, 5);
});

test('a campaign with one recipient for all costs no look at all that wait behind the one that runs', (t) => {
  const s = schedulerOf(10);
  let looks = 0;
  const count = 2_000;
  for (let n = 1; n <= count; n++) {
    const each = job(0, n, 'https://example.org/hook');
    const id = each.message.message_id;
    Object.defineProperty(each.message, 'message_id', {
      get() {
        looks += 1;
        return id;
      },
    });
    s.offer(each);
  }
  const order: number[] = [];
  for (let [running] = drain(s); running !== undefined; [running] = drain(s)) {
    order.push(running.message.ordinal);
    t.deepEqual(s.finish(running, true), []);
  }
  t.deepEqual(
    order,
    Array.from({ length: count }, (_, i) => i + 1),
  );
  t.true(looks <= 5 * count, `${looks} looks for ${count} messages`);
  t.is(s.waiting(), 0);
});

test('after an assignment ends only what runs is left, and a copy of it that comes back ends with it', (t) => {
  const s = schedulerOf(10);
  const [running, queued, retrying] = [job(0, 1), job(0, 2, 'r1'), job(0, 3)];
  for (const j of [running, queued, retrying]) s.offer(j);
  drain(s);
  s.retryAt(retrying, 10);
  s.clear();
  t.is(s.running(), 1);
  t.is(s.waiting(), 0);
  t.is(s.nextDueMs(), Number.POSITIVE_INFINITY);
  const copies = [job(0, 1), job(0, 2, 'r1'), job(0, 3)];
  for (const j of copies) s.offer(j);
  t.deepEqual(ordinals(drain(s)), [3], 'the recipient of what still runs is busy');
  t.deepEqual(s.finish(running, true), [copies[0] as Job]);
  t.deepEqual(ordinals(drain(s)), [2]);
});

test('a stop drops what was never tried and keeps what runs or waits for its retry', (t) => {
  const s = schedulerOf(2);
  const [running, retrying, successor, fresh] = [job(0, 1), job(0, 2, 'same'), job(0, 3, 'same'), job(0, 4)];
  for (const j of [running, retrying, successor, fresh]) s.offer(j);
  drain(s);
  retrying.triesHere = 1;
  s.retryAt(retrying, 10);
  s.dropUntried();
  t.deepEqual([s.running(), s.waiting(), s.retrying()], [1, 1, 1]);
  t.deepEqual(drain(s, 10), [retrying]);
  s.finish(retrying, true);
  s.finish(running, true);
  t.deepEqual(drain(s, 10), []);
  t.deepEqual([s.running(), s.waiting(), s.retrying()], [0, 0, 0]);
});

test('a copy does not end with an attempt that ended nothing, nor with another run', (t) => {
  const s = schedulerOf(10);
  const first = job(0, 1);
  s.offer(first);
  drain(s);
  s.clear();
  const copy = job(0, 1);
  s.offer(copy);
  drain(s);
  t.deepEqual(s.finish(first, false), []);
  t.deepEqual(drain(s), [copy]);
  const redriven = jobOf(copy.tracked, { ...copy.message, run: 1 }, LANE, NO_PAST, 0);
  s.offer(redriven);
  drain(s);
  t.deepEqual(s.finish(copy, true), []);
  t.deepEqual(drain(s), [redriven]);
});

test('whatever happens: order per recipient, at most the slots, nothing lost, nothing twice', (t) => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('offer' as const), campaign: fc.nat(3), recipient: fc.nat(5) }),
    fc.record({ do: fc.constant('start' as const), paused: fc.option(fc.nat(3)) }),
    fc.record({ do: fc.constant('finish' as const), which: fc.nat() }),
    fc.record({ do: fc.constant('retry' as const), which: fc.nat(), after: fc.nat(20) }),
    fc.record({ do: fc.constant('time' as const), ms: fc.nat(20) }),
    fc.record({ do: fc.constant('wake' as const), campaign: fc.nat(3) }),
  );
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 150 }), (slots, steps) => {
        const s = schedulerOf(slots);
        const running: Job[] = [];
        const offered = new Map<string, number[]>();
        const ended = new Map<string, number[]>();
        const key = (j: Job) => `${j.message.campaign_id}/${j.message.recipient}`;
        const add = (map: Map<string, number[]>, j: Job) =>
          map.set(key(j), [...(map.get(key(j)) ?? []), j.message.ordinal]);
        let nowMs = 0;
        let ordinal = 0;
        const start = (gate: Ask) => {
          for (const j of drain(s, nowMs, gate)) {
            if (running.some((r) => key(r) === key(j))) throw new Error('two of one recipient at once');
            running.push(j);
          }
          if (running.length > slots || s.running() !== running.length) throw new Error('more than the slots');
        };
        const take = (which: number) => running.splice(which % running.length, 1)[0] as Job;
        for (const x of steps) {
          if (x.do === 'offer') {
            const j = job(x.campaign, ++ordinal, `r${x.recipient}`);
            add(offered, j);
            s.offer(j);
          } else if (x.do === 'start') {
            start((j) =>
              x.paused !== null && j.message.campaign_id === campaigns[x.paused]
                ? { on: 'paused', untilMs: Number.POSITIVE_INFINITY }
                : undefined,
            );
          } else if (x.do === 'finish' && running.length > 0) {
            const j = take(x.which);
            add(ended, j);
            s.finish(j, true);
          } else if (x.do === 'retry' && running.length > 0) s.retryAt(take(x.which), nowMs + x.after);
          else if (x.do === 'time') nowMs += x.ms;
          else if (x.do === 'wake') s.wake(campaigns[x.campaign] as string);
        }
        for (const id of campaigns) s.wake(id);
        nowMs += 1_000;
        for (let round = 0; round <= ordinal; round++) {
          start(pass);
          for (const j of running.splice(0)) {
            add(ended, j);
            s.finish(j, true);
          }
        }
        if (s.running() !== 0 || s.waiting() !== 0) throw new Error('something is left');
        return JSON.stringify([...offered].sort()) === JSON.stringify([...ended].sort());
      }),
      { numRuns: 400 },
    ),
  );
});

test('the heap gives what is due in order of time, the queue in order of arrival', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(100)), (times) => {
      const heap = createDueHeap<number>();
      for (const ms of times) heap.push(ms, ms);
      const out: number[] = [];
      for (let x = heap.popDue(100); x !== undefined; x = heap.popDue(100)) out.push(x);
      return out.join() === [...times].sort((a, b) => a - b).join() && heap.size() === 0;
    }),
  );
  const heap = createDueHeap<string>();
  heap.push(5, 'x');
  t.is(heap.popDue(4), undefined);
  t.is(heap.firstMs(), 5);

  const fifo = createFifo<number>();
  const out: (number | undefined)[] = [];
  for (let i = 0; i < 5_000; i++) {
    fifo.push(i);
    if (i % 3 === 2) out.push(fifo.shift());
  }
  while (fifo.size() > 0) out.push(fifo.shift());
  t.deepEqual(
    out,
    Array.from({ length: 5_000 }, (_, i) => i),
  );
  t.is(fifo.shift(), undefined);
});
