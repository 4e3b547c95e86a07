import test from 'ava';
import { ApiProblem, Unreachable } from '../src/api/client.ts';
import type { CampaignView } from '../src/api/types.ts';
import { type Draft, openDraft } from '../src/draft/draft.ts';
import type { DraftApi, Kept } from '../src/draft/draft-api.ts';
import type { Unsaved, UnsavedStore } from '../src/draft/unsaved.ts';

type Code = ApiProblem['code'];
const problem = (status: number, code: Code, retryAfter?: number) =>
  new ApiProblem({ type: '', title: code, status, code, detail: code, request_id: '' }, retryAfter);

const FRESH = {
  campaign_id: 'c1',
  status: 'draft',
  name: 'Spring',
  channel: 'simulated',
  provider: 'simulated',
  subject: '',
  from: '',
  reply_to: '',
  content_type: 'text/plain',
  template: 'Hi',
  segment_rule: '',
  rate_per_second: null,
  max_attempts: null,
  expires_at: null,
  version: 1,
} as unknown as CampaignView;
let made = 0;
const campaign = (part: Partial<CampaignView> = {}): CampaignView => ({ ...FRESH, campaign_id: `c${++made}`, ...part });
const keptOf = (value: CampaignView): Kept => ({ value, etag: `"${value.version}"` });

/** An API that keeps one campaign. What stands in `wrong` happens to the next requests instead, before or after they are done. */
function fakeApi(first?: CampaignView) {
  const calls: Record<string, unknown>[] = [];
  const wrong: { error: Error; after?: boolean; gate?: Promise<void> }[] = [];
  const byKey = new Map<string, CampaignView>();
  let now = first;
  async function answer(call: Record<string, unknown>, work: () => CampaignView): Promise<Kept> {
    calls.push(call);
    const next = wrong.shift();
    await next?.gate;
    if (next && !next.after) throw next.error;
    now = work();
    if (next) throw next.error;
    return keptOf(now);
  }
  const api: DraftApi = {
    load: async () => keptOf(now as CampaignView),
    create: (body, key) =>
      answer({ key, ...body }, () => {
        const one = byKey.get(key) ?? campaign(body as Partial<CampaignView>);
        byKey.set(key, one);
        return one;
      }),
    change: (_, changes, etag) =>
      answer({ etag, ...changes }, () => {
        const is = now as CampaignView;
        if (etag !== `"${is.version}"`) throw problem(412, 'version_mismatch');
        return { ...is, ...(changes as Partial<CampaignView>), version: is.version + 1 };
      }),
    canAsk: () => true,
  };
  return {
    api,
    calls,
    wrong,
    made: byKey,
    now: () => now as CampaignView,
    byAnother: (part: Partial<CampaignView>) => {
      const is = now as CampaignView;
      now = { ...is, ...part, version: is.version + 1 };
    },
  };
}

function memory(): UnsavedStore & { all: Map<string | undefined, Unsaved> } {
  const all = new Map<string | undefined, Unsaved>();
  return {
    all,
    read: (id) => all.get(id),
    write: (id, unsaved) => void (unsaved ? all.set(id, unsaved) : all.delete(id)),
  };
}

const until = async (draft: Draft, is: () => boolean) => {
  while (!is()) await new Promise<void>((resolve) => void (is() ? resolve() : draft.subscribe(resolve)));
};
const QUICK = { restMs: 5, againMs: 5 };

test('what could not be saved stands in the form again when the draft is opened again, until it is saved', async (t) => {
  const value = campaign();
  const [f, store] = [fakeApi(value), memory()];
  f.wrong.push({ error: problem(422, 'template_invalid') });
  const first = openDraft(keptOf(value), { api: f.api, store, ...QUICK });
  first.attach();
  first.change({ template: 'Hi {% if' });
  t.is(await first.flush(), undefined);
  first.leave();

  const second = openDraft(await f.api.load(''), { api: f.api, store, ...QUICK });
  t.like(second.get(), {
    isRestored: true,
    saving: { kind: 'changed' },
    fields: { template: 'Hi {% if', name: 'Spring' },
  });
  second.change({ template: 'Hi {{name}}' });
  t.truthy(await second.flush());
  t.is(store.all.size, 0);
  t.is(f.now().template, 'Hi {{name}}');

  second.dropRestored();
  t.truthy(await second.flush());
  t.is(f.now().template, 'Hi', 'dropped: as it was before');
});

test('what was typed over something that somebody else has changed since is for a person to decide', async (t) => {
  const value = campaign();
  for (const [theirs, kind] of [
    [{ template: 'theirs' }, 'conflict'],
    [{ name: 'theirs' }, 'changed'],
  ] as const) {
    const [f, store] = [fakeApi(value), memory()];
    f.wrong.push({ error: problem(422, 'template_invalid') });
    const first = openDraft(keptOf(value), { api: f.api, store });
    first.change({ template: 'mine' });
    await first.flush();
    first.leave();
    f.byAnother(theirs);
    const second = openDraft(await f.api.load(''), { api: f.api, store });
    t.like(second.get(), { saving: { kind }, fields: { template: 'mine' } });
    for (const draft of [first, second]) draft.stop();
  }
});

test('a name alone is kept for the next visit; a channel that the page chose is not', (t) => {
  const [{ api }, store] = [fakeApi(), memory()];
  const first = openDraft(undefined, { api, store });
  first.change({ channel: 'webhook' });
  t.is(store.all.size, 0);
  first.change({ name: 'Autumn' });
  const second = openDraft(undefined, { api, store });
  t.like(second.get(), { isRestored: true, saving: { kind: 'incomplete' }, fields: { name: 'Autumn' } });
  second.dropRestored();
  t.like(second.get(), { isRestored: false, fields: { name: '' } });
  for (const draft of [first, second]) draft.stop();
});

test('a new draft whose creation was not answered is the same draft at the next visit', async (t) => {
  const [f, store] = [fakeApi(), memory()];
  f.wrong.push({ error: new Unreachable('away'), after: true });
  const first = openDraft(undefined, { api: f.api, store });
  first.attach();
  first.change({ name: 'Autumn', template: 'Hi' });
  await first.flush();
  t.is(first.get().saving.kind, 'away');
  first.leave();

  const second = openDraft(undefined, { api: f.api, store });
  second.attach();
  second.change({ template: 'Hello' });
  t.truthy(await second.flush());
  t.is(f.made.size, 1);
  t.is(f.now().template, 'Hello');
  t.is(store.all.size, 0);
  t.is(await first.flush(), undefined, 'the first is over');
  second.stop();
});

test('a template that was mended while its refusal was on its way is saved, although its timer has run out', async (t) => {
  const value = campaign();
  const [f, store] = [fakeApi(value), memory()];
  const gate = Promise.withResolvers<void>();
  f.wrong.push({ error: problem(422, 'template_invalid'), gate: gate.promise });
  const draft = openDraft(keptOf(value), { api: f.api, store, ...QUICK });
  draft.change({ template: '{{' });
  const saving = draft.flush();
  draft.change({ template: '{{name}}' });
  await new Promise((resolve) => setTimeout(resolve, 30));
  gate.resolve();
  await saving;
  await until(draft, () => draft.get().saving.kind === 'saved');
  t.is(f.now().template, '{{name}}');
  t.is(f.calls.length, 2);
});

test('a change whose answer was lost is taken as ours, also where the form has gone on since', async (t) => {
  const value = campaign();
  const [f, store] = [fakeApi(value), memory()];
  f.wrong.push({ error: new Unreachable('away'), after: true });
  const draft = openDraft(keptOf(value), { api: f.api, store });
  draft.change({ name: 'first' });
  await draft.flush();
  t.is(draft.get().saving.kind, 'away');
  draft.change({ name: 'second' });
  t.truthy(await draft.flush());
  t.like(f.now(), { name: 'second', version: 3 });
  draft.stop();
});

test('a change by somebody else is a conflict, and nothing of it is overwritten', async (t) => {
  const value = campaign();
  const [f, store] = [fakeApi(value), memory()];
  const draft = openDraft(keptOf(value), { api: f.api, store });
  f.byAnother({ name: 'theirs' });
  draft.change({ name: 'mine' });
  t.is(await draft.flush(), undefined);
  t.is(draft.get().saving.kind, 'conflict');
  t.is(f.now().name, 'theirs');
  draft.change({ name: 'mine too' });
  t.is(draft.get().saving.kind, 'conflict');
  await draft.keepMine();
  t.is(f.now().name, 'mine too');
  draft.stop();
});

test('a key that is not accepted any more, or an API that is busy: kept, and tried again no sooner than it was asked to', async (t) => {
  const value = campaign();
  const [f, store] = [fakeApi(value), memory()];
  f.wrong.push({ error: problem(401, 'unauthorized') }, { error: problem(503, 'unavailable', 0.2) });
  const draft = openDraft(keptOf(value), { api: f.api, store, ...QUICK });
  draft.change({ name: 'kept' });
  await draft.flush();
  t.is(draft.get().saving.kind, 'away');
  await until(draft, () => f.calls.length === 2 && draft.get().saving.kind === 'away');
  const since = performance.now();
  draft.change({ name: 'kept on' });
  await until(draft, () => draft.get().saving.kind === 'saved');
  t.true(performance.now() - since >= 150);
  t.is(f.now().name, 'kept on');
});

test('a draft that is opened again is saved by the page that shows it, and by no earlier one', async (t) => {
  const value = campaign();
  const [f, store] = [fakeApi(value), memory()];
  f.wrong.push({ error: new Unreachable('away') });
  const first = openDraft(keptOf(value), { api: f.api, store, ...QUICK });
  first.attach();
  first.change({ name: 'old' });
  await first.flush();
  first.leave();
  const second = openDraft(keptOf(value), { api: f.api, store, ...QUICK });
  second.attach();
  second.change({ name: 'new' });
  await until(second, () => second.get().saving.kind === 'saved');
  t.is(await first.flush(), undefined);
  t.deepEqual(
    f.calls.map(({ name }) => name),
    ['old', 'new'],
  );
});

test('a draft that somebody has deleted stays deleted while one types; one that was sent keeps nothing', async (t) => {
  const value = campaign();
  const [f, store] = [fakeApi(value), memory()];
  f.wrong.push({ error: problem(404, 'not_found') });
  const draft = openDraft(keptOf(value), { api: f.api, store, ...QUICK });
  draft.change({ name: 'late' });
  await draft.flush();
  t.is(draft.get().saving.kind, 'gone');
  draft.change({ name: 'later' });
  t.is(draft.get().saving.kind, 'gone');
  t.is(store.all.size, 1);
  draft.stop();
  t.is(store.all.size, 0);
});

test('before it is sent, a newer version is taken only where nothing is unsaved', async (t) => {
  const value = campaign();
  const [f, store] = [fakeApi(value), memory()];
  const draft = openDraft(keptOf(value), { api: f.api, store });
  t.false(await draft.refresh());
  f.byAnother({ name: 'theirs' });
  t.true(await draft.refresh());
  t.like(draft.get(), { fields: { name: 'theirs' }, etag: '"2"', saving: { kind: 'saved' } });
  f.byAnother({ name: 'theirs again' });
  draft.change({ name: 'mine' });
  t.false(await draft.refresh());
  t.is(draft.get().fields.name, 'mine');
  draft.stop();
});

test('a field that the page itself refuses is not called saved', async (t) => {
  const value = campaign();
  const [f, store] = [fakeApi(value), memory()];
  const draft = openDraft(keptOf(value), { api: f.api, store });
  draft.change({ rate_per_second: '1O0' });
  t.is(await draft.flush(), undefined);
  t.is(draft.get().saving.kind, 'refused');
  t.is(f.calls.length, 0);
  draft.stop();
});
