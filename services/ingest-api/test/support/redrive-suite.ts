import { messageIdOf } from '@volley/contract';
import type { TestFn } from 'ava';
import { v7 } from 'uuid';
import type { Mark } from '../../src/dead-letter-ports.ts';
import type { StoreUnderTest } from './store-suite.ts';

const TOPIC = 'deliveries';

/** What redrives rely on: the memory store and Postgres are held to the same. */
export function redriveSuite(test: TestFn, name: string, open: () => Promise<StoreUnderTest>): void {
  async function setUp() {
    const { store, passMs } = await open();
    const { redriveJobs: jobs } = store;
    const campaigns = [v7(), v7()].map((id) => `${id.slice(0, 28)}00000000`).sort() as [string, string];
    const marks = (n: number, campaign = campaigns[0], run = 1): Mark[] =>
      Array.from({ length: n }, (_, i) => ({
        message_id: messageIdOf(campaign, i + 1),
        run,
        campaign_id: campaign,
        kind: 'failed',
        reason: 'provider_refused',
        place: { partition: 1, offset: 100 + i },
      }));
    const create = (action: 'redrive' | 'purge' = 'redrive') =>
      jobs.create({
        redrive_id: v7(),
        tenant_id: 'default',
        action,
        filter: { reason: 'provider_refused' },
        limit: 7,
        rate_per_second: 2.5,
        reason_text: 'the provider is back',
        createdAtMs: 1_795_000_000_123,
        matched: 9,
        matchedAtLeast: true,
      });
    const claimed = async (owner = 'a') => {
      const job = await create();
      const redrives = store.redrives(owner, TOPIC);
      const claim = await redrives.claim(job.redrive_id);
      if (!claim) throw new Error('not claimed');
      return { id: job.redrive_id, redrives, fence: claim.lease.fence };
    };
    const held = (campaignId: string) =>
      store.campaigns.transaction(async (tx) => ({ undo: await tx.redriven(campaignId) }));
    return { store, passMs, jobs, campaigns, marks, create, claimed, held };
  }

  test.serial(`${name}: a job is kept as it was asked for, and listed newest first`, async (t) => {
    const { jobs, create } = await setUp();
    const first = await create();
    const second = await create('purge');
    t.like(await jobs.find('default', first.redrive_id), {
      action: 'redrive',
      status: 'running',
      filter: { reason: 'provider_refused' },
      limit: 7,
      rate_per_second: 2.5,
      reason_text: 'the provider is back',
      createdAtMs: 1_795_000_000_123,
      finishedAtMs: null,
      matched: 9,
      matchedAtLeast: true,
      selected: 0,
      left: {},
    });
    const ids = async (before?: string) =>
      (await jobs.list('default', { limit: 5, ...(before ? { before } : {}) })).map((job) => job.redrive_id);
    t.deepEqual(await ids(), [second.redrive_id, first.redrive_id]);
    t.deepEqual(await ids(second.redrive_id), [first.redrive_id]);
    t.is(await jobs.find('another', first.redrive_id), undefined);
    t.is(await jobs.cancel('another', first.redrive_id), undefined);
    t.deepEqual(await jobs.list('another', { limit: 5 }), []);
  });

  test.serial(`${name}: a message of a run is marked once, whoever asks`, async (t) => {
    const { claimed, marks, jobs } = await setUp();
    const a = await claimed('a');
    const b = await claimed('b');
    const page = { cursor: undefined, last: false };
    t.is((await a.redrives.select(a.id, a.fence, { ...page, marks: marks(3) }))?.selected, 3);
    t.is((await b.redrives.select(b.id, b.fence, { ...page, marks: marks(5) }))?.selected, 2);
    t.is((await b.redrives.select(b.id, b.fence, { ...page, marks: marks(5) }))?.selected, 0);
    t.deepEqual(
      (await b.redrives.pending(b.id, 10)).map((m) => m.message_id),
      marks(5)
        .slice(3)
        .map((m) => m.message_id),
    );
    t.deepEqual(await b.redrives.pending(b.id, 1), marks(5).slice(3, 4));
    // A later run of the same message is another matter, but not for the same job.
    t.is((await a.redrives.select(a.id, a.fence, { ...page, marks: marks(1, undefined, 2) }))?.selected, 0);
    t.is((await b.redrives.select(b.id, b.fence, { ...page, marks: marks(1, undefined, 2) }))?.selected, 1);
    t.deepEqual((await jobs.marked([...marks(6), ...marks(1, undefined, 9)])).size, 5);
  });

  test.serial(`${name}: what is pending comes in the order in which its letters lie in the log`, async (t) => {
    const { claimed, marks } = await setUp();
    const { id, redrives, fence } = await claimed();
    const places = [{ partition: 2, offset: 3 }, { partition: 1, offset: 20 }, undefined, { partition: 1, offset: 9 }];
    const given = marks(4).map((mark, i) => ({ ...mark, place: places[i] }));
    await redrives.select(id, fence, { marks: given, cursor: undefined, last: true });
    t.deepEqual(
      (await redrives.pending(id, 10)).map((mark) => mark.place),
      [places[3], places[1], places[0], undefined],
    );
    t.deepEqual(await redrives.pending(id, 1), [given[3] as Mark]);
  });

  test.serial(
    `${name}: what was left is free again and counted by cause, what was redriven stays marked`,
    async (t) => {
      const { claimed, marks, jobs } = await setUp();
      const { id, redrives, fence } = await claimed();
      const [one, two, three, four] = marks(4) as [Mark, Mark, Mark, Mark];
      await redrives.select(id, fence, { marks: [one, two, three, four], cursor: undefined, last: true });
      await redrives.settle(id, fence, { redriven: [one], left: [{ mark: two, cause: 'gone' }] });
      await redrives.settle(id, fence, {
        redriven: [four],
        left: [{ mark: three, cause: 'gone' }],
      });
      t.like(await jobs.find('default', id), { selected: 4, redriven: 2, left: { gone: 2 } });
      t.deepEqual(await redrives.pending(id, 10), []);
      t.deepEqual([...(await jobs.marked([one, two, three, four])).values()], ['redriven', 'redriven']);
      const other = await claimed();
      t.is(
        (await redrives.select(other.id, other.fence, { marks: [one, two], cursor: undefined, last: true }))?.selected,
        1,
      );
    },
  );

  test.serial(
    `${name}: a lease keeps others away until its time is over, and then its fence does nothing`,
    async (t) => {
      const { claimed, marks, store, passMs, jobs } = await setUp();
      const { id, redrives, fence } = await claimed('a');
      const other = store.redrives('b', TOPIC);
      t.is(await other.claim(id), undefined);
      const cursor = { campaign_id: marks(1)[0]?.campaign_id ?? '', message_id: marks(1)[0]?.message_id ?? '' };
      await redrives.select(id, fence, { marks: marks(2), cursor, last: true });
      await passMs(6_000);
      const taken = await other.claim(id);
      t.like(taken, { cursor, allSelected: true });
      t.is(await redrives.select(id, fence, { marks: marks(4), cursor, last: true }), undefined);
      t.is(await redrives.settle(id, fence, { redriven: marks(2), left: [] }), undefined);
      t.false(await redrives.finish(id, fence, 'done'));
      t.like(await jobs.find('default', id), { status: 'running', selected: 2, redriven: 0 });
      const mine = taken?.lease.fence ?? -1;
      await other.release(id, mine);
      t.truthy(await redrives.claim(id), 'given back: nobody waits for its end');
    },
  );

  test.serial(
    `${name}: a job that is cancelled says so to its owner, and one that has ended is due no more`,
    async (t) => {
      const { claimed, jobs } = await setUp();
      const { id, redrives, fence } = await claimed();
      t.deepEqual(await redrives.due(), [{ redriveId: id, cancelRequested: false }]);
      t.like(await jobs.cancel('default', id), { status: 'running' });
      t.deepEqual(await redrives.due(), [{ redriveId: id, cancelRequested: true }]);
      t.true(await redrives.finish(id, fence, 'cancelled'));
      t.deepEqual(await redrives.due(), []);
      t.is(await redrives.claim(id), undefined);
      const job = await jobs.find('default', id);
      t.is(job?.status, 'cancelled');
      t.not(job?.finishedAtMs, null);
    },
  );

  test.serial(
    `${name}: a campaign is held from its first mark until progress has counted past its events`,
    async (t) => {
      const { claimed, marks, campaigns, held, store } = await setUp();
      const { id, redrives, fence } = await claimed();
      const [first, second] = campaigns;
      t.false(await held(first));
      await redrives.select(id, fence, { marks: marks(2, first), cursor: undefined, last: false });
      t.deepEqual([await held(first), await held(second)], [true, false]);
      const save = (from: number, next: number, partition: number) =>
        store.progress.save({
          topic: TOPIC,
          cluster: 'c',
          partitions: [{ partition, from, next, logEnd: next, eventAtMs: 1, changed: [] }],
        });
      const done = { redriven: marks(2, first), left: [], campaignId: first };
      await redrives.settle(id, fence, { ...done, eventEnds: { 1: 40, 2: 7 } });
      await redrives.settle(id, fence, { ...done, redriven: [], eventEnds: { 1: 30 } });
      await redrives.select(id, fence, { marks: marks(1, second), cursor: undefined, last: true });
      t.deepEqual([await held(first), await held(second)], [true, true]);
      await save(0, 39, 1);
      await save(0, 7, 2);
      t.true(await held(first), 'one event of it is not counted');
      await save(39, 40, 1);
      t.false(await held(first));
      t.true(await held(second));
      await redrives.settle(id, fence, { redriven: [], left: [{ mark: marks(1, second)[0] as Mark, cause: 'gone' }] });
      await redrives.finish(id, fence, 'done');
      t.false(await held(second), 'nothing was written for it');
    },
  );

  test.serial(`${name}: a purge marks at once, has nothing pending, and holds nobody`, async (t) => {
    const { create, store, marks, jobs, held, campaigns } = await setUp();
    const job = await create('purge');
    const redrives = store.redrives('a', TOPIC);
    const claim = await redrives.claim(job.redrive_id);
    await redrives.select(job.redrive_id, claim?.lease.fence ?? -1, { marks: marks(3), cursor: undefined, last: true });
    t.deepEqual(await redrives.pending(job.redrive_id, 10), []);
    t.like(await jobs.find('default', job.redrive_id), { selected: 3, purged: 3, redriven: 0 });
    t.deepEqual([...(await jobs.marked(marks(4))).values()], ['purged', 'purged', 'purged']);
    t.false(await held(campaigns[0]));
  });
}
