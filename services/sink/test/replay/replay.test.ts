import { createMemoryBroker } from '@volley/stream/memory';
import test, { type ExecutionContext } from 'ava';
import { shortIdOf } from '../../src/core/replay/tables.ts';
import { RowText } from '../../src/core/row-text.ts';
import type { Result } from '../../src/replay-job.ts';
import { eventsOf, upTo } from '../rows.ts';
import { makeTopics, type Rig, startRig, until } from '../support.ts';
import { createFreezer, createJobs, KEEP_MS, startReplay, sweepIn } from './processes.ts';
import { createWorld, type World } from './world.ts';

const PARTITIONS = 2;

async function setUp(t: ExecutionContext, sinks = 1) {
  const broker = createMemoryBroker();
  await makeTopics(broker, PARTITIONS);
  const world = createWorld();
  const jobs = createJobs();
  const rigs: Rig[] = [];
  for (let i = 0; i < sinks; i++) rigs.push(await startRig(broker, world.store(''), {}, `sink-${i}`));
  const [rig] = rigs;
  if (rig === undefined) throw new Error('no sink');
  const written = [0, 0];
  const write = async (counts: readonly number[]) => {
    for (const [p, n] of counts.entries()) {
      await rig.write(eventsOf(n, 1 + p * 100_000 + (written[p] as number)), p);
      written[p] = (written[p] as number) + n;
    }
  };
  /** Whatever happened: every record is one row, and was counted once, and the sinks are through. */
  const untilExact = (what: string, from: World = world) =>
    until(
      `${what}: every record once`,
      async () => {
        const committed = await rig.committed();
        return committed.every((offset, p) => offset === written[p]);
      },
      60_000,
    ).then(
      () => {
        for (const [p, n] of written.entries()) t.deepEqual(from.offsets(p), upTo(n), `${what}: partition ${p}`);
        t.is(
          from.counted(),
          written.reduce((sum, n) => sum + n, 0),
          `${what}: the rollup`,
        );
        for (const { stopped, fatals } of rigs) t.deepEqual([[...stopped], fatals], [[], []], what);
      },
      (error: Error) => {
        const why = rigs.map(({ stopped, pipeline }) => [[...stopped], pipeline.failing()]);
        throw new Error(`${error.message}; sinks: ${JSON.stringify(why)}; tables: ${world.names()}`);
      },
    );
  const stop = async () => {
    for (const each of rigs) await each.stop();
  };
  return { broker, world, jobs, rig, rigs, write, untilExact, stop };
}

test('what is rebuilt beside live ingest takes the place of the live tables, and can be taken back', async (t) => {
  const { broker, world, jobs, write, untilExact, stop } = await setUp(t, 2);
  await write([230, 90]);
  await untilExact('before');
  const id = await jobs.ask(broker);
  const going = startReplay(broker, world, jobs.leases('a'), 'replay-a');
  await write([40, 300]);
  t.is(await going.done, 'worked');
  const job = jobs.job(id);
  t.is(job.status, 'done', job.error ?? '');
  t.like(job.result, { equal: true, swapped: true, records: 320 });
  t.is(job.done, 320);
  t.deepEqual(world.generation(), { ok: true, generation: shortIdOf(id) });
  await write([50, 7]);
  await untilExact('after the swap');
  t.is(world.names().length, 4);

  jobs.request(id, { undo: true });
  await startReplay(broker, world, jobs.leases('a'), 'replay-a').done;
  t.like(jobs.job(id), { status: 'done', undo_requested: false });
  t.like(jobs.job(id).result, { swapped: false, undone: true, undo_until: null });
  t.deepEqual(world.generation(), { ok: true, generation: '0' });
  await write([5, 60]);
  await untilExact('after the undo');
  t.deepEqual(world.names(), ['delivery_raw', 'rollup']);
  await stop();
});

test('tables that differ stay where they are, and the result says where', async (t) => {
  const { broker, world, jobs, write, untilExact, stop } = await setUp(t);
  await write([100, 10]);
  await untilExact('before');
  // As a sink would have left it that inserted a range twice.
  const once = world.store('');
  const found = await once.generation();
  t.true(found.ok);
  const line = JSON.stringify(Array.from({ length: 26 }, (_, i) => (i === 23 ? 99 : 0)));
  await once.insert({ partition: 0, from: 99, to: 100, rows: RowText.of([line]), token: 'c:t:0:99:100:2' });
  const id = await jobs.ask(broker);
  await startReplay(broker, world, jobs.leases('a'), 'replay-a').done;
  t.is(jobs.job(id).status, 'done');
  const result = jobs.job(id).result as Result;
  t.like(result, { equal: false, swapped: false, not_swapped: 'they differ from the live ones' });
  t.like(result.comparison?.differences[0], { table: 'delivery_raw', live: { rows: 111 }, rebuilt: { rows: 110 } });
  t.deepEqual(world.names(), ['delivery_raw', 'rollup']);

  const always = await jobs.ask(broker, { swap: 'always' });
  await startReplay(broker, world, jobs.leases('a'), 'replay-a').done;
  t.like(jobs.job(always).result, { equal: false, swapped: true });
  await write([20, 20]);
  await untilExact('what was wrong is gone');
  await stop();
});

for (const [what, options, more, why] of [
  ['it was not to be swapped', { swap: 'never' }, {}, 'it was not asked for'],
  ['some kinds only', {}, { kinds: ['failed'] }, 'it was asked for some kinds of events'],
  ['up to a time', {}, { to: 5 }, 'it was asked for up to a time'],
  ['not from the first row on', {}, { ranges: [] }, 'partition 0 is not in it'],
] as const)
  test(`compared only, live tables untouched: ${what}`, async (t) => {
    const { broker, world, jobs, write, untilExact, stop } = await setUp(t);
    await write([60, 10]);
    await untilExact('before');
    const id = await jobs.ask(broker, options, more);
    await startReplay(broker, world, jobs.leases('a'), 'replay-a').done;
    t.is(jobs.job(id).status, 'done', jobs.job(id).error ?? '');
    t.like(jobs.job(id).result, { swapped: false, not_swapped: why });
    t.deepEqual(world.names(), ['delivery_raw', 'rollup']);
    t.deepEqual(world.generation(), { ok: true, generation: '0' });
    await untilExact('after');
    await stop();
  });

test('paused it keeps what it has, resumed it goes on from there; cancelled nothing of it is left', async (t) => {
  const { broker, world, jobs, write, untilExact, stop } = await setUp(t);
  await write([400, 400]);
  await untilExact('before');
  const id = await jobs.ask(broker, {}, { rate_per_second: 100 });
  const first = startReplay(broker, world, jobs.leases('a'), 'replay-a');
  await until('it has begun', () => jobs.job(id).done > 20);
  jobs.request(id, { pause: true });
  await first.done;
  t.is(jobs.job(id).status, 'paused');
  const { done } = jobs.job(id);
  t.true(done < 800, `${done}`);
  t.is(world.names().length, 4);
  jobs.request(id, { resume: true });
  const second = startReplay(broker, world, jobs.leases('b'), 'replay-b');
  await until('it goes on', () => jobs.job(id).done > done);
  jobs.request(id, { cancel: true });
  await second.done;
  t.is(jobs.job(id).status, 'cancelled');
  t.deepEqual(world.names(), ['delivery_raw', 'rollup']);
  await untilExact('after');
  await stop();
});

test('two replays at once: both are filled, and one waits for the other to swap', async (t) => {
  const { broker, world, jobs, write, untilExact, stop } = await setUp(t);
  await write([300, 150]);
  await untilExact('before');
  const ids = [await jobs.ask(broker), await jobs.ask(broker)];
  const both = ['a', 'b'].map((name) => startReplay(broker, world, jobs.leases(name), `replay-${name}`));
  await write([100, 100]);
  for (const { done } of both) t.is(await done, 'worked');
  for (const id of ids) t.like(jobs.job(id).result, { equal: true, swapped: true }, jobs.job(id).error ?? '');
  await write([10, 10]);
  await untilExact('after both');
  t.is(world.names().length, 6);
  // The first one is taken back, whichever that was: its tables are those of nobody else.
  jobs.request(ids[0] as string, { undo: true });
  await startReplay(broker, world, jobs.leases('a'), 'replay-a').done;
  t.like(jobs.job(ids[0] as string).result, { undone: true });
  await write([10, 10]);
  await untilExact('after the undo');
  await stop();
});

test('a sink that was about to insert when the tables were exchanged gets nothing into the new ones', async (t) => {
  const { broker, world, jobs, write, untilExact, stop } = await setUp(t);
  await write([80, 40]);
  await untilExact('before');
  await stop();
  // It has planned a range, and sleeps before it inserts it; the next one inserts the range, and more behind it.
  const asleep = Promise.withResolvers<void>();
  const awake = Promise.withResolvers<void>();
  const late: string[] = [];
  const store = world.store('');
  const zombie = await startRig(
    broker,
    {
      ...store,
      async insert(range) {
        asleep.resolve();
        await awake.promise;
        const answer = await store.insert(range);
        late.push(answer.ok ? 'stored' : answer.error);
        return answer;
      },
    },
    {},
    'sink-asleep',
  );
  await zombie.write(eventsOf(30, 500));
  await asleep.promise;
  broker.isolate('sink-asleep');
  const next = await startRig(broker, world.store(''), {}, 'sink-next');
  await next.write(eventsOf(25, 600));
  await until('the next one is through', async () => (await next.committed())[0] === 135);
  const id = await jobs.ask(broker);
  await startReplay(broker, world, jobs.leases('a'), 'replay-a').done;
  t.like(jobs.job(id).result, { equal: true, swapped: true });
  awake.resolve();
  await until('it has tried', () => late.length > 0);
  t.is(late[0], 'VIOLATED_CONSTRAINT');
  zombie.pipeline.close();
  t.deepEqual(world.offsets(0), upTo(135));
  t.is(world.counted(), 175);
  await next.stop();
});

test('tables from before a swap are kept until their time is over, and can be taken back for as long', async (t) => {
  const { broker, world, jobs, write, untilExact, stop } = await setUp(t);
  await write([50, 50]);
  await untilExact('before');
  const id = await jobs.ask(broker);
  await startReplay(broker, world, jobs.leases('a'), 'replay-a').done;
  const { undo_until: until } = jobs.job(id).result as Result;
  t.true(Math.abs(Date.parse(until ?? '') - Date.now() - KEEP_MS) < 30_000, until ?? 'none');
  await sweepIn(world, jobs);
  t.is(world.names().length, 4);
  await sweepIn(world, jobs, KEEP_MS + 60_000);
  t.deepEqual(world.names(), ['delivery_raw', 'rollup']);
  jobs.request(id, { undo: true });
  await startReplay(broker, world, jobs.leases('a'), 'replay-a').done;
  t.like(jobs.job(id), { status: 'failed', error: 'the tables from before the swap are gone' });
  t.like(jobs.job(id).result, { swapped: true });
  await write([5, 5]);
  await untilExact('after');
  await stop();
});

/**
 * A replay takes this many steps towards others, and a few more or less. `VOLLEY_TEST_STEPS=1-56` looks at all of these;
 * otherwise at some, by the seed that the run says.
 */
const STEPS = 56;
const SOME = 4;
const seed = Number(process.env.VOLLEY_TEST_SEED ?? Date.now() % 100_000);
const every = process.env.VOLLEY_TEST_STEPS?.split('-').map(Number);
function stepsOf(mode: number): number[] {
  const [from, to] = every ?? [];
  if (from !== undefined && to !== undefined) return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  // One of each part of its way.
  return Array.from(
    { length: SOME },
    (_, i) => 1 + Math.floor((STEPS / SOME) * i) + ((seed + mode * 7 + i * 3) % (STEPS / SOME)),
  );
}

const modes = ['rebuilding', 'undoing', 'cancelled meanwhile'] as const;
for (const [m, mode] of modes.entries())
  for (const at of stepsOf(m))
    for (const after of every === undefined ? [(seed + at) % 2 === 0] : [false, true])
      test(`${mode}: stopped ${after ? 'after' : 'before'} step ${at}, taken over, and going on then`, async (t) => {
        const { broker, world, jobs, write, untilExact, stop } = await setUp(t);
        await write([130, 60]);
        await untilExact('before');
        const id = await jobs.ask(broker);
        if (mode === 'undoing') {
          await startReplay(broker, world, jobs.leases('0'), 'replay-0').done;
          await write([30, 30]);
          await untilExact('after the swap');
          jobs.request(id, { undo: true });
        }
        const freezer = createFreezer(at, after, () => {
          for (const purpose of ['hold', 'fill', 'undo']) broker.isolate(`replay-a-${purpose}`);
        });
        const first = startReplay(broker, world, jobs.leases('a'), 'replay-a', { freezer });
        await write([50, 50]);
        await Promise.race([first.done, until('it stands still', () => freezer.isFrozen, 60_000)]);
        t.log(freezer.isFrozen ? `seed ${seed}` : `it took ${freezer.steps()} steps`);
        if (mode === 'cancelled meanwhile' && jobs.job(id).finished_at === null) jobs.request(id, { cancel: true });
        jobs.leasesEnd();
        const second = startReplay(broker, world, jobs.leases('b'), 'replay-b');
        await write([20, 0]);
        await second.done;
        await untilExact('taken over');
        const { status, error, result } = jobs.job(id);
        if (mode === 'rebuilding') t.like(result, { equal: true, swapped: true }, error ?? '');
        else if (mode === 'undoing') t.like(result, { swapped: false, undone: true }, error ?? '');
        else t.is((result as Result | null)?.swapped === true ? 'cancelled' : status, 'cancelled', error ?? '');
        freezer.goOn();
        for (const purpose of ['hold', 'fill', 'undo']) broker.reconnect(`replay-a-${purpose}`);
        await first.done.catch(() => {});
        await write([15, 15]);
        await untilExact('the first one went on');
        if ((result as Result | null)?.swapped === true) {
          // What it has left in the tables from before is seen when they are taken back.
          jobs.request(id, { undo: true });
          await startReplay(broker, world, jobs.leases('c'), 'replay-c').done;
          t.like(jobs.job(id).result, { undone: true }, jobs.job(id).error ?? jobs.job(id).status);
          await write([5, 5]);
          await untilExact('taken back');
        }
        t.deepEqual(world.generation(), { ok: true, generation: '0' });
        // A process that wakes up when its job has ended may leave tables that nobody asks for.
        await sweepIn(world, jobs);
        t.deepEqual(world.names(), ['delivery_raw', 'rollup']);
        await stop();
      });
