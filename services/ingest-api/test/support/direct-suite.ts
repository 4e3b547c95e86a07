import { randomBytes } from 'node:crypto';
import { directMessageIdFrom, directMessageIdOf, directRange } from '@volley/contract';
import type { TestFn } from 'ava';
import { v7 } from 'uuid';
import { createCommands, TENANT } from '../../src/commands.ts';
import { unpackRecords } from '../../src/core/direct.ts';
import type { DirectRecord, Reservation, Reserved } from '../../src/direct-ports.ts';
import { content } from './service.ts';
import type { StoreUnderTest } from './store-suite.ts';

/** Longer than a batch may be on its way. */
const REDO_MS = 61_000;

/** What direct messages rely on: the memory store and Postgres are held to the same. */
export function directSuite(test: TestFn, name: string, open: () => Promise<StoreUnderTest>): void {
  async function setUp() {
    const { store, passMs } = await open();
    const commands = createCommands({
      store: store.campaigns,
      providers: [{ name: 'simulated', channel: 'simulated', url: 'simulated:' }],
      partitions: 12,
      now: () => 1_795_000_000_000,
      random: (n) => randomBytes(n),
      newEventId: () => v7(),
      committed: () => {},
      tried: () => {},
    });
    const draft = async () => {
      const created = await commands.create(content);
      if (!created.ok) throw new Error(created.failure.detail);
      return (created.value.body as { campaign_id: string }).campaign_id;
    };
    const opened = async () => {
      const id = await draft();
      const result = await commands.open(id);
      if (!result.ok) throw new Error(result.failure.detail);
      return id;
    };
    const named = (id: string, client: string, partition = 1): DirectRecord => ({
      messageId: directMessageIdOf(id, client),
      named: true,
      partition,
      value: Buffer.from(`${client} ${partition}`),
    });
    const tried = (campaignId: string, records: readonly DirectRecord[], more: Partial<Reservation> = {}) =>
      store.direct.reserve({
        ...{ campaignId, tenantId: TENANT, lane: 'bulk', request: undefined, records, logFrom: {}, written: [] },
        ...more,
      });
    const reserve = async (...all: Parameters<typeof tried>): Promise<Reserved> => {
      const reserved = await tried(...all);
      if (reserved === 'refused') throw new Error('refused');
      return reserved;
    };
    const counted = async (id: string) => (await store.campaigns.find(TENANT, id))?.accepted;
    return { store, passMs, commands, draft, opened, named, tried, reserve, counted };
  }

  test.serial(
    `${name}: only a running campaign that is open takes messages, and a refusal leaves nothing`,
    async (t) => {
      const { store, passMs, commands, draft, opened, named, tried, reserve, counted } = await setUp();
      const id = await draft();
      t.is(await tried(id, [named(id, 'a')]), 'refused');
      await commands.open(id);
      t.like(await reserve(id, [named(id, 'a')]), { known: ['new'] });
      for (const [command, takes] of [
        ['pause', false],
        ['resume', true],
        ['close', false],
        ['cancel', false],
      ] as const) {
        await commands.command(id, command);
        const answer = await tried(id, [named(id, command)]);
        t.is(answer !== 'refused', takes, command);
      }
      t.is(await counted(id), 2);
      const other = await opened();
      t.is((await tried(other, [])) === 'refused', false);
      t.is(await tried(v7(), [named(other, 'a')]), 'refused');
      await passMs(REDO_MS);
      const kept = [await store.direct.due(), await store.direct.due(), await store.direct.due()];
      t.is(kept.filter((batch) => batch !== undefined).length, 2);
    },
  );

  test.serial(`${name}: what comes again is counted once, and told apart by where it came before`, async (t) => {
    const { store, opened, named, reserve, counted } = await setUp();
    const id = await opened();
    const unnamed = { ...named(id, 'x'), messageId: directMessageIdFrom(id, randomBytes(8)), named: false };
    const first = await reserve(id, [named(id, 'a'), named(id, 'b'), unnamed]);
    t.deepEqual(first.known, ['new', 'new', 'new']);
    t.deepEqual(
      first.write.map((r) => r.messageId),
      [named(id, 'a'), named(id, 'b'), unnamed].map((r) => r.messageId),
    );
    t.is(await counted(id), 3);

    const same = await reserve(id, [named(id, 'b'), named(id, 'c')], { request: first.request });
    t.deepEqual(same.known, ['own', 'new']);
    t.deepEqual(
      same.write.map((r) => r.messageId),
      [directMessageIdOf(id, 'c')],
    );

    const other = await reserve(id, [named(id, 'a', 5), named(id, 'd')]);
    t.deepEqual(other.known, ['again', 'new'], 'the log may not have it yet');
    t.is(other.write[0]?.partition, 1, 'where the first one lies, whoever it is for now');

    await store.direct.written([first.batch, same.batch, other.batch] as number[]);
    const later = await reserve(id, [named(id, 'a', 5), named(id, 'c')]);
    t.deepEqual(later, { request: later.request, batch: undefined, known: ['known', 'known'], write: [] });
    t.is(await counted(id), 5);
  });

  test.serial(`${name}: the same client's id in two campaigns is two messages`, async (t) => {
    const { opened, named, reserve, counted } = await setUp();
    const [a, b] = [await opened(), await opened()];
    for (const id of [a, b]) t.deepEqual((await reserve(id, [named(id, 'x')])).known, ['new']);
    t.deepEqual([await counted(a), await counted(b)], [1, 1]);
  });

  test.serial(`${name}: requests with the same ids at once, in any order: each counted once`, async (t) => {
    const { opened, named, reserve, counted } = await setUp();
    const id = await opened();
    const records = Array.from({ length: 300 }, (_, i) => named(id, `m${i}`));
    const orders = [records, records.toReversed(), records.toSorted(() => Math.random() - 0.5)];
    const answers = await Promise.all(orders.map((order) => reserve(id, order)));
    const taken = answers.flatMap((answer) => answer.known).filter((known) => known === 'new');
    t.is(taken.length, 300);
    t.is(await counted(id), 300);
  });

  test.serial(
    `${name}: a batch that stays is due, as it was kept, to one at a time, until it is written`,
    async (t) => {
      const { store, passMs, opened, named, reserve } = await setUp();
      const id = await opened();
      const logFrom = { 1: 10, 7: 0 };
      const { batch } = await reserve(id, [named(id, 'a'), named(id, 'b', 7)], { lane: 'transactional', logFrom });
      t.is(await store.direct.due(), undefined);
      await passMs(REDO_MS);
      const due = await store.direct.due();
      t.like(due, { batch, campaignId: id, tenantId: TENANT, lane: 'transactional', logFrom });
      t.deepEqual(
        due && unpackRecords(due.records),
        [named(id, 'a'), named(id, 'b', 7)].map(({ named: _, ...r }) => r),
      );
      t.is(await store.direct.due(), undefined, 'somebody has it');
      await passMs(REDO_MS);
      t.is((await store.direct.due())?.batch, batch, 'who had it is gone as well');
      const next = await reserve(id, [named(id, 'c')], { written: [batch as number] });
      await store.direct.written([next.batch as number]);
      await passMs(REDO_MS);
      t.is(await store.direct.due(), undefined);
    },
  );

  test.serial(`${name}: names are forgotten with the campaign that they were of, and no others`, async (t) => {
    const { store, commands, opened, named, reserve } = await setUp();
    const [gone, stays] = [await opened(), await opened()];
    for (const id of [gone, stays]) {
      const { batch } = await reserve(id, [named(id, 'x')]);
      await store.direct.written([batch as number]);
    }
    await commands.command(gone, 'close');
    while (await store.direct.forget());
    t.deepEqual((await reserve(stays, [named(stays, 'x')])).known, ['known']);
  });

  test.serial(`${name}: campaigns of one range of ids, as a direct message's id leaves it open`, async (t) => {
    const { store, opened } = await setUp();
    const [a, b] = [await opened(), await opened()];
    const found = async (id: string) =>
      (await store.campaigns.between(TENANT, directRange(directMessageIdOf(id, 'x')))).map((c) => c.campaign_id);
    t.true((await found(a)).includes(a));
    t.is((await found(a)).includes(b), a.slice(0, 18) === b.slice(0, 18));
    t.deepEqual(await store.campaigns.between('other', directRange(directMessageIdOf(a, 'x'))), []);
  });

  test.serial(`${name}: a contact by its address, without case`, async (t) => {
    const { store } = await setUp();
    async function* patches() {
      yield [{ recipient: 'Ann@b.example', addressKey: 'ann@b.example', name: 'Ann', attributes: { n: 1 } }];
    }
    await store.contacts.upsert(TENANT, patches());
    t.like(await store.contacts.byAddress(TENANT, 'ANN@b.example'), {
      recipient: 'Ann@b.example',
      attributes: { n: 1 },
    });
    t.is(await store.contacts.byAddress(TENANT, 'bob@b.example'), undefined);
    t.is(await store.contacts.byAddress('other', 'ann@b.example'), undefined);
  });
}
