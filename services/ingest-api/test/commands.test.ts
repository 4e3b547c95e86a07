import { DEFAULT_PROVIDERS, type Provider } from '@volley/contract/providers';
import test from 'ava';
import { createCommands, createImport, TENANT } from '../src/commands.ts';
import type { ContactStore, ImportLine } from '../src/ports.ts';
import { identity } from './support/api.ts';
import { until } from './support/log.ts';
import { drafted, world } from './support/roles.ts';
import { content } from './support/service.ts';

test('a campaign of a channel that has no provider is refused when it is created', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const result = await s.commands.create({ ...content, channel: 'smtp', provider: '' });
  t.like(result.ok ? {} : result.failure, { code: 'unknown_provider', errors: [{ pointer: '/channel' }] });
  await s.stop();
});

test('a campaign of webhooks takes the first webhook provider; without a providers file it is that of recipients that are URLs', async (t) => {
  const w = await world();
  const commands = (providers: readonly Provider[]) =>
    createCommands({
      store: w.store.campaigns,
      providers,
      partitions: 3,
      now: w.clock.now,
      ...identity,
      committed: () => {},
      tried: () => {},
    });
  const hook: Provider = { name: 'hook', channel: 'webhook', url: 'https://example.com/in' };
  for (const [providers, wanted] of [
    [[hook, { ...hook, name: 'second' }], 'hook'],
    [DEFAULT_PROVIDERS, 'webhook'],
  ] as const) {
    const made = await commands(providers).create({ ...content, channel: 'webhook', provider: '' });
    t.like(made.ok ? made.value.body : {}, { channel: 'webhook', provider: wanted });
  }
  const none = await commands([]).create({ ...content, channel: 'webhook', provider: '' });
  t.like(none.ok ? {} : none.failure, { code: 'unknown_provider' });
});

test('a repeat under the same Idempotency-Key gets the first answer, also where that was stored between its two questions', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await drafted(s, 2);
  const key = { key: 'k', fingerprint: 'send' };
  const first = Promise.withResolvers<unknown>();
  let isAsked = false;
  const commands = createCommands({
    store: {
      ...w.store.campaigns,
      transaction: (work) =>
        w.store.campaigns.transaction((tx) =>
          work({
            ...tx,
            async facts(campaignId) {
              isAsked = true;
              await first.promise;
              return tx.facts(campaignId);
            },
          }),
        ),
    },
    providers: [{ name: 'simulated', channel: 'simulated', url: 'simulated:' }],
    partitions: 3,
    now: w.clock.now,
    ...identity,
    committed: () => {},
    tried: () => {},
  });
  const second = commands.command(id, 'send', key);
  await until('the second has looked for an answer under its key', () => isAsked);
  const answer = await s.commands.command(id, 'send', key);
  first.resolve(undefined);
  t.true(answer.ok);
  t.deepEqual(await second, {
    ok: true,
    value: answer.ok ? { status: answer.value.status, body: answer.value.body } : {},
  });
  await s.stop();
});

test('a send of another version is refused and freezes nothing; its repeat under the same key gets the first answer', async (t) => {
  const w = await world();
  const s = await w.start('a');
  const id = await drafted(s, 2);
  const key = { key: 'k', fingerprint: 'send' };
  t.true((await s.commands.change(id, { name: 'changed by somebody else' })).ok);
  const stale = await s.commands.command(id, 'send', key, 1);
  t.like(stale.ok ? {} : stale.failure, { code: 'version_mismatch', extra: { version: 2 } });
  t.like(await w.store.campaigns.find(TENANT, id), { status: 'draft', version: 2 });

  const sent = await s.commands.command(id, 'send', key, 2);
  t.like(sent.ok ? sent.value : {}, { status: 202, body: { queued: 2 } });
  // The version has moved by the send itself.
  const again = await s.commands.command(id, 'send', key, 2);
  t.deepEqual(again.ok && again.value.body, sent.ok && sent.value.body);
  const other = await s.commands.command(id, 'send', { key: 'another', fingerprint: 'send' }, 2);
  t.like(other.ok ? {} : other.failure, { code: 'version_mismatch' });
  await s.stop();
});

test('spread and partitions are fixed when a campaign is sent: a large audience has more than one partition', async (t) => {
  const w = await world();
  const { store, clock } = w;
  const commands = createCommands({
    store: store.campaigns,
    providers: [{ name: 'simulated', channel: 'simulated', url: 'simulated:' }],
    partitions: 12,
    now: clock.now,
    ...identity,
    committed: () => {},
    tried: () => {},
  });
  async function* patches(tag: string, n: number) {
    yield Array.from({ length: n }, (_, i) => {
      const recipient = `p${i}.${tag}@b.example`;
      return { recipient, addressKey: recipient, tags: [tag], attributes: {} };
    });
  }
  for (const [tag, n, spread] of [
    ['few', 10, 1],
    ['many', 45_000, 2],
  ] as const) {
    await store.contacts.upsert(TENANT, patches(tag, n));
    const created = await commands.create({ ...content, segment_rule: tag });
    const { campaign_id: id } = (created.ok ? created.value.body : {}) as { campaign_id: string };
    t.true((await commands.command(id, 'send')).ok);
    t.like(await store.campaigns.find(TENANT, id), { expected: n, spread, partitions: 12 });
  }
});

/** Keeps the size of each chunk as it comes. */
function chunkSizes() {
  const sizes: number[] = [];
  const upsert: ContactStore['upsert'] = async (_tenant, chunks) => {
    for await (const chunk of chunks) sizes.push(chunk.length);
    return { imported: sizes.reduce((sum, n) => sum + n, 0), updated: 0, tooLarge: [] };
  };
  return { sizes, contacts: { upsert } as ContactStore };
}

test('an import that trickles is written now and then, so that its transaction does not stand idle', async (t) => {
  const { sizes, contacts } = chunkSizes();
  async function* trickle(): AsyncGenerator<ImportLine[]> {
    yield [{ line: 1, fields: { email: 'a@b.example' } }];
    await until('the first line is written', () => sizes.includes(1), 3_000);
    const idle = sizes.length;
    await until('the transaction hears of it although no line is complete', () => sizes.length > idle, 3_000);
    yield [{ line: 2, fields: { email: 'c@b.example' } }];
  }
  const result = await createImport(contacts, () => {}, 20).run(trickle());
  t.like(result.ok ? result.value : {}, { imported: 2, rejected: 0, errors: [] });
  t.is(sizes.at(-1), 1);
});

test('an import whose store fails ends at once, also while nothing comes', async (t) => {
  const upsert: ContactStore['upsert'] = async (_tenant, chunks) => {
    for await (const _ of chunks) throw new Error('the store is away');
    return 'busy';
  };
  async function* silent(): AsyncGenerator<ImportLine[]> {
    yield [{ line: 1, fields: { email: 'a@b.example' } }];
    await new Promise(() => {});
  }
  const importing = createImport({ upsert } as ContactStore, () => {}, 20).run(silent());
  await t.throwsAsync(importing, { message: 'the store is away' });
});
