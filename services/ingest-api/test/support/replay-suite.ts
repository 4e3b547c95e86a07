import { MAX_REPLAY_STATE_BYTES, REPLAY_LEASE_MS, type ReplayJob, type ReplayTarget } from '@volley/contract/replays';
import type { TestFn } from 'ava';
import type { ReplayAction } from '../../src/core/replay.ts';
import { decideReplay } from '../../src/core/replay.ts';
import { replayJob } from './replays.ts';
import type { StoreUnderTest } from './store-suite.ts';

const ANALYTICS: readonly ReplayTarget[] = ['analytics'];

/** What replays rely on, and the lease protocol of their processes: the memory store and Postgres are held to the same. */
export function replaySuite(test: TestFn, name: string, open: () => Promise<StoreUnderTest>): void {
  async function setUp() {
    const { store, passMs } = await open();
    const { replays } = store;
    const add = async (more: Partial<ReplayJob> = {}) => {
      const job = replayJob(more);
      await store.campaigns.transaction(async (tx) => {
        await tx.addReplay(job);
        return { commit: undefined };
      });
      return job.replay_id;
    };
    const act = (id: string, action: ReplayAction) =>
      replays.change('default', id, { action, by: 'key-1', at: 1_795_000_000_500 }, (s) => decideReplay(s, action, 0));
    const find = async (id: string) => {
      const found = await replays.find('default', id);
      if (!found) throw new Error('no such replay');
      return found;
    };
    const statusOf = async (id: string) => (await find(id)).job.status;
    const claimed = async (owner = 'a', targets = ANALYTICS) => {
      const leases = store.replayLeases(owner);
      const held = await leases.claim(targets);
      if (!held) throw new Error('nothing to claim');
      return { leases, held };
    };
    return { store, replays, passMs, add, act, find, statusOf, claimed };
  }

  test.serial(
    `${name}: a replay is kept as it was asked for, found by its tenant only, and listed newest first`,
    async (t) => {
      const { replays, add, find } = await setUp();
      const asked = replayJob({
        target: 'deliveries',
        campaign_id: '01a1fef0-6914-7dae-9c1d-1e4d00000000',
        from: 1_794_000_000_001,
        to: 1_794_000_000_999,
        kinds: ['sent', 'dead'],
        rate_per_second: 2.5,
        options: { allow_gap: true, swap: 'never', send: true, template: 'Hi {{name}}', subject: 's' },
      });
      await add(asked);
      t.deepEqual((await find(asked.replay_id)).job, asked);
      t.is(await replays.find('another', asked.replay_id), undefined);
      const second = await add();
      const listed = await replays.list('default', { limit: 5 });
      t.deepEqual(
        listed.map(({ job }) => job.replay_id),
        [second, asked.replay_id],
      );
      t.deepEqual(listed[1]?.job.options, { allow_gap: true, swap: 'never', send: true });
      t.deepEqual(listed[1]?.job.ranges, []);
      t.is((await replays.list('default', { before: second, limit: 5 })).length, 1);
      t.deepEqual(await replays.list('another', { limit: 5 }), []);
      t.is(await replays.unfinished('default'), 2);
      t.deepEqual((await replays.counts()).map((c) => `${c.target} ${c.status} ${c.jobs}`).sort(), [
        'analytics pending 1',
        'deliveries pending 1',
      ]);
    },
  );

  test.serial(`${name}: the oldest job of the targets is claimed, by one of several`, async (t) => {
    const { store, add, statusOf } = await setUp();
    const other = await add({ target: 'deliveries' });
    const oldest = await add();
    const [first, second] = [await add(), await add()];
    t.is((await store.replayLeases('z').claim(ANALYTICS))?.job.replay_id, oldest);
    const claims = await Promise.all(['a', 'b', 'c'].map((owner) => store.replayLeases(owner).claim(ANALYTICS)));
    t.deepEqual(claims.map((held) => held?.job.replay_id ?? '').sort(), ['', first, second].sort());
    t.true(claims.every((held) => held === undefined || (held.valid() && held.job.status === 'running')));
    t.is(await statusOf(other), 'pending');
    t.is((await store.replayLeases('d').claim(['rehearsal', 'deliveries']))?.job.replay_id, other);
  });

  test.serial(`${name}: what is saved is there for the next owner, and what is left out stays`, async (t) => {
    const { add, claimed, find, passMs } = await setUp();
    const id = await add();
    const { leases, held } = await claimed();
    t.deepEqual(await leases.save(held, { phase: 'filling', done: 3, progress: { at: [1, { x: '\u0000 \ud800' }] } }), {
      pause: false,
      cancel: false,
    });
    await leases.save(held, { result: { equal: true } });
    await leases.save(held, { done: 4 });
    await passMs(REPLAY_LEASE_MS + 1);
    const next = await claimed('b');
    t.like(next.held.job, { replay_id: id, phase: 'filling', done: 4, result: { equal: true } });
    t.deepEqual(next.held.job.progress, { at: [1, { x: '\ufffd \ufffd' }] });
    t.true(next.held.fence > held.fence);
    t.truthy((await find(id)).job.started_at);
    await t.throwsAsync(leases.save(next.held, { progress: 'x'.repeat(MAX_REPLAY_STATE_BYTES) }), {
      instanceOf: RangeError,
    });
  });

  test.serial(
    `${name}: a lease ends by itself, then another owner has the job and the old one writes nothing`,
    async (t) => {
      const { store, add, claimed, passMs, find } = await setUp();
      const id = await add();
      const { leases, held } = await claimed('a');
      await passMs(REPLAY_LEASE_MS * 0.95);
      // It counts for less time here than in the store.
      t.false(held.valid());
      t.is(await store.replayLeases('b').claim(ANALYTICS), undefined);
      t.not(await leases.save(held, {}), 'lost');
      t.true(held.valid());
      await passMs(REPLAY_LEASE_MS + 1);
      const next = await claimed('b');
      t.is(await leases.save(held, { done: 99 }), 'lost');
      t.is(await leases.end(held, { status: 'failed', error: 'too late' }), 'lost');
      await leases.release(held);
      t.is((await find(id)).job.done, 0);
      t.is(await next.leases.end(next.held, { status: 'done', result: { equal: true } }), 'saved');
      t.false(next.held.valid());
      t.like((await find(id)).job, { status: 'done', result: { equal: true }, error: null });
      t.truthy((await find(id)).job.finished_at);
      await passMs(REPLAY_LEASE_MS + 1);
      t.is(await store.replayLeases('c').claim(ANALYTICS), undefined);
    },
  );

  test.serial(`${name}: an owner of the same name is another one: the fence tells them apart`, async (t) => {
    const { add, claimed, passMs } = await setUp();
    await add();
    const { leases, held } = await claimed('a');
    await passMs(REPLAY_LEASE_MS + 1);
    await claimed('a');
    t.is(await leases.save(held, {}), 'lost');
  });

  test.serial(`${name}: what is given back is claimed at once`, async (t) => {
    const { add, claimed } = await setUp();
    const id = await add();
    const { leases, held } = await claimed('a');
    await leases.save(held, { done: 5 });
    await leases.release(held);
    t.false(held.valid());
    t.like((await claimed('b')).held.job, { replay_id: id, done: 5 });
  });

  test.serial(`${name}: pause is told at the next save; resumed it goes on from where it was`, async (t) => {
    const { store, add, act, claimed, statusOf } = await setUp();
    const id = await add();
    const { leases, held } = await claimed();
    t.true((await act(id, 'pause'))?.ok);
    t.is(await statusOf(id), 'running');
    t.deepEqual(await leases.save(held, { done: 6, progress: { next: 6 } }), { pause: true, cancel: false });
    t.is(await leases.end(held, { status: 'paused' }), 'saved');
    t.is(await statusOf(id), 'paused');
    t.is(await store.replayLeases('b').claim(ANALYTICS), undefined);
    t.true((await act(id, 'resume'))?.ok);
    const next = await claimed('b');
    t.like(next.held.job, { done: 6, progress: { next: 6 } });
    t.deepEqual(await next.leases.save(next.held, {}), { pause: false, cancel: false });
  });

  test.serial(`${name}: resumed or cancelled while it stops, it does not stay paused`, async (t) => {
    for (const action of ['resume', 'cancel'] as const) {
      const { add, act, claimed, statusOf } = await setUp();
      const id = await add();
      const { leases, held } = await claimed();
      await act(id, 'pause');
      await leases.save(held, {});
      await act(id, action);
      await leases.end(held, { status: 'paused' });
      t.is(await statusOf(id), 'pending');
      const next = await claimed('b');
      t.deepEqual(await next.leases.save(next.held, {}), { pause: false, cancel: action === 'cancel' });
      await next.leases.end(next.held, { status: action === 'cancel' ? 'cancelled' : 'done' });
      t.is(await statusOf(id), action === 'cancel' ? 'cancelled' : 'done');
    }
  });

  test.serial(
    `${name}: a job that nobody has begun with is cancelled at once; a paused one is claimed to be cleaned up`,
    async (t) => {
      const { store, add, act, claimed, find } = await setUp();
      const fresh = await add();
      t.true((await act(fresh, 'cancel'))?.ok);
      t.like((await find(fresh)).job, { status: 'cancelled', finished_at: 1_795_000_000_500 });
      t.is(await store.replayLeases('a').claim(ANALYTICS), undefined);
      const begun = await add();
      const { leases, held } = await claimed();
      await act(begun, 'pause');
      await leases.end(held, { status: 'paused' });
      t.true((await act(begun, 'cancel'))?.ok);
      const next = await claimed('b');
      t.is(next.held.job.replay_id, begun);
      t.deepEqual(await next.leases.save(next.held, {}), { pause: false, cancel: true });
    },
  );

  test.serial(`${name}: a swap is undone once: claimed again after its end, and not after that`, async (t) => {
    const { store, add, act, claimed, find } = await setUp();
    const id = await add();
    const { leases, held } = await claimed();
    await leases.end(held, { status: 'done', result: { equal: true, swapped: true } });
    t.true((await act(id, 'undo'))?.ok);
    const undoing = await claimed('b');
    t.like(undoing.held.job, { replay_id: id, undo_requested: true, status: 'running', finished_at: null });
    t.true((await act(id, 'pause'))?.ok);
    await undoing.leases.end(undoing.held, { status: 'paused' });
    await act(id, 'resume');
    const again = await claimed('c');
    t.true(again.held.job.undo_requested);
    await again.leases.end(again.held, { status: 'done', result: { equal: true, swapped: true, undone: true } });
    t.is(await store.replayLeases('d').claim(ANALYTICS), undefined);
    t.false((await act(id, 'undo'))?.ok);
    t.deepEqual(
      (await find(id)).actions.map(({ action }) => action),
      ['undo', 'pause', 'resume'],
    );
  });

  test.serial(
    `${name}: what is refused or is so already leaves no trace; who asked for the rest is kept`,
    async (t) => {
      const { replays, add, act, find } = await setUp();
      const id = await add();
      t.is((await act(id, 'undo'))?.ok, false);
      t.true((await act(id, 'resume'))?.ok);
      t.deepEqual((await find(id)).actions, []);
      await act(id, 'pause');
      t.deepEqual((await find(id)).actions, [{ action: 'pause', by: 'key-1', at: 1_795_000_000_500 }]);
      const asked = { action: 'pause' as const, by: 'key-1', at: 0 };
      t.is(await replays.change('another', id, asked, (s) => decideReplay(s, 'pause', 0)), undefined);
    },
  );

  test.serial(`${name}: the pace of earlier replays is that of the fastest that was done`, async (t) => {
    const { replays, add, claimed, passMs } = await setUp();
    t.is(await replays.pace('analytics'), undefined);
    await add();
    const { leases, held } = await claimed();
    await passMs(1);
    await leases.save(held, { done: 5_000 });
    await leases.end(held, { status: 'done' });
    t.true(((await replays.pace('analytics')) ?? 0) > 0);
    t.is(await replays.pace('deliveries'), undefined);
  });
}
