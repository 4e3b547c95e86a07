import type { TestFn } from 'ava';
import { v7 } from 'uuid';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import { createCommands, TENANT } from '../../src/commands.ts';
import { fold, foldAll } from '../../src/core/campaign.ts';
import { type CountedEvent, campaignPart, count, emptyTally } from '../../src/core/progress.ts';
import type { Campaign, CampaignContent, CampaignTransaction, Segment } from '../../src/ports.ts';

const EVERYONE: Segment = { kind: 'everyone' };
const VIPS: Segment = { kind: 'tags', all: ['vip'] };
const CONTENT: CampaignContent = {
  name: 'n',
  template: 'Hi',
  subject: '',
  from: '',
  reply_to: '',
  content_type: 'text/plain',
  channel: 'simulated',
  provider: 'simulated',
  segment_rule: '',
  lane: 'bulk',
  rate_per_second: null,
  max_attempts: null,
  expires_at: null,
};

/** A store that holds nothing, and what makes its leases older. */
export interface StoreUnderTest {
  readonly store: MemoryStore;
  passMs(ms: number): Promise<void>;
}

/** What the roles and commands rely on: the memory store and Postgres are held to the same. */
export function storeSuite(test: TestFn, name: string, open: () => Promise<StoreUnderTest>): void {
  async function setUp(people = 3) {
    const { store, passMs } = await open();
    const commands = createCommands({
      store: store.campaigns,
      providers: [{ name: 'simulated', channel: 'simulated', url: 'simulated:' }],
      partitions: 12,
      now: () => 1_795_000_000_000,
      random: (n) => new Uint8Array(n).fill(7),
      newEventId: () => v7(),
      committed: () => {},
      tried: () => {},
    });
    async function* patches() {
      yield Array.from({ length: people }, (_, i) => {
        const recipient = `p${i + 1}@example.org`;
        return { recipient, addressKey: recipient, tags: i === 0 ? ['vip'] : [], attributes: {} };
      });
    }
    const draft = async () => {
      await store.contacts.upsert(TENANT, patches());
      const created = await commands.create(CONTENT);
      if (!created.ok) throw new Error(created.failure.detail);
      return (created.value.body as { campaign_id: string }).campaign_id;
    };
    return { store, commands, draft, passMs };
  }

  test.serial(
    `${name}: two commands that read the same version: one is appended, the other decides again on the new state`,
    async (t) => {
      const { commands, draft, store } = await setUp();
      const id = await draft();
      const answers = await Promise.all([commands.command(id, 'send'), commands.command(id, 'send')]);
      t.deepEqual(answers.map((a) => a.ok).sort(), [false, true]);
      const refused = answers.find((a) => !a.ok);
      t.is(refused?.ok === false ? refused.failure.code : '', 'illegal_transition');
      t.is((await store.campaigns.find(TENANT, id))?.version, 2);
    },
  );

  test.serial(`${name}: of two transactions that read one version, the second to write is told`, async (t) => {
    const { draft, store } = await setUp();
    const id = await draft();
    let reading = 2;
    const { promise: bothHaveRead, resolve } = Promise.withResolvers<void>();
    const pause = () =>
      store.campaigns.transaction(async (tx) => {
        const facts = await tx.facts(id);
        if (--reading === 0) resolve();
        await bothHaveRead;
        const state = foldAll(facts);
        if (!state) throw new Error('no campaign');
        const stored = {
          event_id: v7(),
          campaign_id: id,
          version: 2,
          occurred_at: 2,
          fact: { type: 'paused' as const },
        };
        const result = await tx.append(stored, fold(state, stored));
        return result === 'appended' ? { commit: result } : { undo: result };
      });
    t.deepEqual((await Promise.all([pause(), pause()])).sort(), ['appended', 'conflict']);
    const { length } = await store.campaigns.transaction(async (tx) => ({ undo: await tx.facts(id) }));
    t.is(length, 2);
  });

  test.serial(
    `${name}: nothing of a transaction is seen before its commit, and nothing of an undone one ever`,
    async (t) => {
      const { draft, store } = await setUp();
      const id = await draft();
      const state = await store.campaigns.find(TENANT, id);
      t.truthy(state);
      const frozen = async (tx: CampaignTransaction) => {
        const rows = state === undefined ? 'conflict' : await tx.freeze(state, EVERYONE);
        t.deepEqual(await store.fanout('a').page(id, 0, 10), [], 'not yet');
        return rows;
      };
      t.is(await store.campaigns.transaction(async (tx) => ({ undo: await frozen(tx) })), 3);
      t.deepEqual(await store.fanout('a').page(id, 0, 10), []);
      await t.throwsAsync(
        store.campaigns.transaction<void>(async (tx) => {
          await frozen(tx);
          throw new Error('a bug');
        }),
      );
      t.is(await store.campaigns.transaction(async (tx) => ({ commit: await frozen(tx) })), 3);
      const rows = await store.fanout('a').page(id, 0, 10);
      t.deepEqual(
        rows.map((row) => row.ordinal),
        [1, 2, 3],
      );
    },
  );

  test.serial(`${name}: a rehearsal has the audience of its source, as it was frozen or as it is now`, async (t) => {
    const { draft, store } = await setUp();
    const source = (await store.campaigns.find(TENANT, await draft())) as Campaign;
    /** Made and frozen in one transaction. */
    const copied = (campaign_id: string, of: Campaign) =>
      store.campaigns.transaction(async (tx) => {
        const fact = { type: 'created', tenant_id: 'rehearsals', content: CONTENT } as const;
        const created = { event_id: v7(), campaign_id, version: 1, occurred_at: 1, fact };
        const copy = fold(undefined, created);
        t.is(await tx.append(created, copy), 'appended');
        return { commit: await tx.freezeAs(copy, of, VIPS) };
      });
    const rowsOf = (id: string) => store.fanout('a').page(id, 0, 10);
    const [now, then] = [v7(), v7()];
    t.is(await copied(now, source), 1);
    t.is((await rowsOf(now))[0]?.recipient, 'p1@example.org');
    await store.campaigns.transaction(async (tx) => ({ commit: await tx.freeze(source, EVERYONE) }));
    t.is(await copied(then, { ...source, sent_at: 1 }), 3);
    t.deepEqual(await rowsOf(then), await rowsOf(source.campaign_id));
  });

  test.serial(
    `${name}: an Idempotency-Key is stored once, answers the same request, and knows another one`,
    async (t) => {
      const { commands, draft } = await setUp();
      const id = await draft();
      const key = { key: 'k', fingerprint: 'one' };
      const [first, second] = await Promise.all([commands.command(id, 'send', key), commands.command(id, 'send', key)]);
      t.true(first.ok && second.ok);
      t.deepEqual(first.ok && first.value.body, second.ok && second.value.body);
      const other = await commands.command(id, 'pause', { key: 'k', fingerprint: 'two' });
      t.is(other.ok ? '' : other.failure.code, 'idempotency_key_reused');
    },
  );

  test.serial(
    `${name}: an import that fails half way leaves nothing, and a second one at the same time is told to wait`,
    async (t) => {
      const { store } = await setUp();
      const one = { recipient: 'a@example.org', addressKey: 'a@example.org', attributes: {} };
      async function* broken() {
        yield [one];
        throw new Error('the connection broke');
      }
      await t.throwsAsync(store.contacts.upsert(TENANT, broken()));
      t.is((await store.contacts.audience(TENANT, EVERYONE, 1)).total, 0);
      async function* slow() {
        yield [one];
        t.is(await store.contacts.upsert(TENANT, slow()), 'busy');
      }
      t.deepEqual(await store.contacts.upsert(TENANT, slow()), { imported: 1, updated: 0, tooLarge: [] });
    },
  );

  test.serial(`${name}: a tag of the import joins those that a contact is given, else those that it has`, async (t) => {
    const { store } = await setUp();
    const upsert = (tags: readonly string[] | undefined, addTag?: string) =>
      store.contacts.upsert(
        TENANT,
        (async function* () {
          yield [{ recipient: 'a@x.org', addressKey: 'a@x.org', attributes: {}, ...(tags ? { tags } : {}) }];
        })(),
        addTag,
      );
    const tags = async () => (await store.contacts.list(TENANT, { segment: EVERYONE, limit: 1 }))[0]?.tags;
    await upsert(undefined, 'one');
    t.deepEqual(await tags(), ['one']);
    await upsert(undefined, 'two');
    t.deepEqual(await tags(), ['one', 'two']);
    await upsert(['vip', 'two'], 'two');
    t.deepEqual(await tags(), ['vip', 'two']);
  });

  test.serial(
    `${name}: attributes that do not fit a message any more are left out and told, others go in`,
    async (t) => {
      const { store } = await setUp();
      const upsert = (...patches: [address: string, line: number, attributes: Record<string, string>][]) =>
        store.contacts.upsert(
          TENANT,
          (async function* () {
            yield patches.map(([address, line, attributes]) => ({
              recipient: address,
              addressKey: address,
              lines: [line],
              attributes,
            }));
          })(),
        );
      const half = 'x'.repeat(150_000);
      t.like(await upsert(['a@x.org', 1, { a: half }]), { imported: 1, updated: 0, tooLarge: [] });
      const second = await upsert(
        ['a@x.org', 1, { b: half }],
        ['b@x.org', 2, {}],
        ['c@x.org', 3, { a: half, b: half }],
      );
      t.like(second, { imported: 1, updated: 0 });
      t.deepEqual(second === 'busy' ? [] : second.tooLarge.flatMap((c) => c.lines).sort(), [1, 3]);
      const kept = await store.contacts.list(TENANT, { segment: EVERYONE, limit: 10 });
      t.deepEqual(
        kept.map((c) => [c.recipient, Object.keys(c.attributes)]),
        [
          ['a@x.org', ['a']],
          ['b@x.org', []],
        ],
      );
    },
  );

  test.serial(
    `${name}: a lease has one owner; after its time another takes it, and the fence shuts the first one out`,
    async (t) => {
      const { draft, commands, store, passMs } = await setUp();
      const id = await draft();
      await commands.command(id, 'send');
      const first = store.fanout('first');
      const second = store.fanout('second');
      const claimed = await first.claim(id);
      t.true(claimed?.lease.valid());
      t.is(await second.claim(id), undefined);
      await passMs(5_001);
      t.false(claimed?.lease.valid());
      const taken = await second.claim(id);
      t.true((taken?.lease.fence ?? 0) > (claimed?.lease.fence ?? 0));
      const place = { ordinal: 3, logEnds: { 1: 3 } };
      t.is(await first.checkpoint(id, claimed?.lease.fence ?? -1, place, 'finished'), undefined);
      t.is((await second.claim(id))?.checkpoint.ordinal, 0, 'the zombie changed nothing');
    },
  );

  test.serial(
    `${name}: a restart under the same name has its lease at once, and what it was before is shut out`,
    async (t) => {
      const { draft, commands, store } = await setUp();
      const id = await draft();
      await commands.command(id, 'send');
      const [before, after] = [store.fanout('slot'), store.fanout('slot')];
      const old = (await before.claim(id))?.lease.fence ?? -1;
      const now = (await after.claim(id))?.lease.fence ?? -1;
      t.true(now > old);
      t.is(await before.checkpoint(id, old, { ordinal: 3, logEnds: {} }), undefined);
      t.truthy(await after.checkpoint(id, now, { ordinal: 2, logEnds: { 1: 2 } }));
      t.is(
        await before.checkpoint(id, old, { ordinal: 3, logEnds: {} }, 'release'),
        undefined,
        'nor can it give it back',
      );
      t.is(await store.fanout('another').claim(id), undefined);
      t.truthy(await after.checkpoint(id, now, { ordinal: 3, logEnds: { 1: 3 } }, 'finished'));
      t.is(await before.claim(id), undefined, 'nobody claims what is finished');

      const [zombie, successor] = [store.leases('slot'), store.leases('slot')];
      const first = await zombie.hold('relay');
      const second = await successor.hold('relay');
      t.true((second?.fence ?? 0) > (first?.fence ?? 0));
      await zombie.release();
      t.is(await store.leases('another').hold('relay'), undefined, 'it gives back what is its own only');
      t.is((await successor.hold('relay'))?.fence, second?.fence, 'renewed');
      await successor.release();
      t.truthy(await store.leases('another').hold('relay'));
    },
  );

  test.serial(`${name}: the outbox advances only under the fence of its lease, and never back`, async (t) => {
    const { draft, store, passMs } = await setUp();
    const id = await draft();
    const mine = await store.leases('mine').hold('relay');
    t.is(await store.leases('yours').hold('relay'), undefined);
    await passMs(5_001);
    const yours = await store.leases('yours').hold('relay');
    await store.outbox.advance({ name: 'relay', fence: mine?.fence ?? -1 }, new Map([[id, 1]]));
    t.is((await store.outbox.due(10, [])).length, 1, 'the former owner changed nothing');
    await store.outbox.advance({ name: 'relay', fence: yours?.fence ?? -1 }, new Map([[id, 1]]));
    await store.outbox.advance({ name: 'relay', fence: yours?.fence ?? -1 }, new Map([[id, 0]]));
    t.is((await store.outbox.due(10, [])).length, 0);
  });

  test.serial(
    `${name}: progress is saved whole or not at all, from the offset that it was loaded with, and what is counted later stays out`,
    async (t) => {
      const { draft, commands, store } = await setUp();
      const id = await draft();
      t.is(await store.progress.part(id, 1), undefined, 'never sent');
      await commands.command(id, 'send');
      const part = campaignPart(3, emptyTally());
      const save = (from: number, next: number, cluster = 'this log') =>
        store.progress.save({
          topic: 'deliveries',
          cluster,
          partitions: [
            { partition: 1, from, next, logEnd: next, eventAtMs: 1, changed: [{ campaignId: id, part }] },
            { partition: 2, from: 0, next: 0, logEnd: 0, eventAtMs: null, changed: [] },
          ],
        });
      const ends = (ordinal: number, kind: string, of: Partial<CountedEvent> = {}) =>
        count(part, { ordinal, kind, previousKind: null, deferrals: 0, occurredAtMs: ordinal, repeat: false, ...of });
      ends(1, 'sent');
      t.is(await save(0, 1), 'saved');
      ends(2, 'deferred');
      ends(2, 'sent', { deferrals: 1 });
      ends(3, 'deferred');
      t.is((await store.progress.part(id, 1))?.tally.sent, 1);
      t.is(await save(0, 2), 'fenced', 'somebody else has moved it');
      t.is((await store.progress.part(id, 1))?.tally.sent, 1);
      t.is(await save(1, 2, 'another log'), 'fenced', 'an offset means nothing in another log');
      t.is(await save(1, 2), 'saved');
      t.deepEqual([...(await store.progress.offsets('deliveries', [1, 7]))], [[1, { next: 2, cluster: 'this log' }]]);
      const to = (next: number, eventAtMs: number | null) => ({ next, eventAtMs });
      const saved = await store.progressReader.countedTo('deliveries');
      t.deepEqual(
        new Map([...saved].sort()),
        new Map([
          [1, to(2, 1)],
          [2, to(0, null)],
        ]),
      );
      t.is((await store.progressReader.countedTo('of others')).size, 0);
      t.like(await store.progress.part(id, 1), { audience: 3, tally: { sent: 2, retrying: 1, redriven: 0 } });
      ends(3, 'failed', { deferrals: 1 });
      t.is(await save(2, 3), 'saved');
      const { done, surplus } = await store.progress.complete();
      t.like(done, [{ campaignId: id, failures: true }]);
      t.is(surplus, 0);
      ends(3, 'redriven', { previousKind: 'failed' });
      t.is(await save(3, 4), 'saved');
      t.deepEqual(await store.progress.complete(), { done: [], surplus: 0 }, 'it is on its way again');
      ends(3, 'sent');
      t.is(await save(4, 5), 'saved');
      t.like((await store.progress.complete()).done, [{ campaignId: id, failures: false }]);
      const [underWay] = await store.fanout('a').underWay();
      t.like(underWay?.tallies.get(1), { sent: 3, failed: 0, retrying: 0, redriven: 1, surplus: 0 });
      t.like((await store.progressReader.tallies(id)).get(1), {
        sent: 3,
        redriven: 1,
        firstAtMs: 1,
        lastAtMs: 3,
      });
      ends(4, 'sent');
      t.is(await save(5, 6), 'saved');
      t.deepEqual(await store.progress.complete(), { done: [], surplus: 1 });
    },
  );
}
