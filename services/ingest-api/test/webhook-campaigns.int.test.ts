import test from 'ava';
import { startTestApi, type TestApi } from './support/api.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';

let db: TestDatabase;
let api: TestApi;
test.before(async () => {
  db = await createTestDatabase();
  api = await startTestApi(db.pool);
});
test.after.always(async () => {
  await api?.stop();
  await db?.drop();
});

test('a campaign of webhooks is a campaign like any other, to recipients that are URLs too', async (t) => {
  const url = 'https://hooks.example.com/in?x=1';
  await api.importContacts([{ to: url }, { email: 'ann@b.example' }]);
  const id = await api.create({ channel: 'webhook' });
  t.like((await api.call('GET', `/v1/campaigns/${id}`)).body, { channel: 'webhook', provider: 'hook' });
  const { body } = await api.call('GET', `/v1/campaigns/${id}/preview`);
  t.deepEqual(body.sample.map((s: { recipient: string }) => s.recipient).toSorted(), ['ann@b.example', url]);
  t.like((await api.call('POST', `/v1/campaigns/${id}/send`)).body, { status: 'running', queued: 2 });
});

test('a draft may become one', async (t) => {
  const id = await api.create({});
  const changed = await api.call('PATCH', `/v1/campaigns/${id}`, {
    json: { channel: 'webhook', provider: 'hook' },
    headers: { 'if-match': '"1"' },
  });
  t.like(changed.body, { channel: 'webhook', provider: 'hook', version: 2 });
});
