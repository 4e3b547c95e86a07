import { messageIdOf } from '@volley/contract';
import test from 'ava';
import { startTestApi, type TestApi } from './support/api.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { until } from './support/log.ts';

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

/** One file at a time: another test may be at it. */
const imported = (rows: readonly object[]) =>
  until('the contacts are imported', async () => (await api.importContacts(rows)).status === 200);

test('a list by name and channel goes on page by page; what is no filter is refused', async (t) => {
  const ids: string[] = [];
  for (const name of ['Filter 50% A', 'filter 50% b', 'Filter 505', 'Filter 50% c'])
    ids.push(await api.create({ name, channel: 'webhook' }));
  await api.create({ name: 'Filter 50% mail', channel: 'simulated' });
  const found: string[] = [];
  let cursor = '';
  do {
    const filter = `name=${encodeURIComponent('FILTER 50%')}&channel=webhook`;
    const page = await api.call('GET', `/v1/campaigns?limit=2&${filter}${cursor && `&cursor=${cursor}`}`);
    t.is(page.status, 200);
    found.push(...page.body.data.map((c: { campaign_id: string }) => c.campaign_id));
    cursor = page.body.next_cursor ?? '';
  } while (cursor !== '');
  t.deepEqual(found, [ids[3], ids[1], ids[0]]);
  for (const query of ['channel=pigeon', 'name=', `name=${'x'.repeat(201)}`, 'name=a%00b', 'title=x', 'name=a&name=b'])
    t.is((await api.call('GET', `/v1/campaigns?${query}`)).status, 422, query);
});

test('providers are listed without what is nobody’s business', async (t) => {
  const { status, body, text } = await api.call('GET', '/v1/providers');
  t.is(status, 200);
  t.deepEqual(
    body.data.map((p: { name: string; is_default: boolean }) => [p.name, p.is_default]),
    [
      ['simulated', true],
      ['mail', true],
      ['hook', true],
    ],
  );
  t.notRegex(text, /127\.0\.0\.1|whsec/);
});

test('the body of a message is that of the preview, frozen; of what is not there 404', async (t) => {
  const tag = 'bodies';
  await imported([{ email: 'body@b.example', name: 'Ann', tags: [tag], city: 'Taipei' }]);
  const id = await api.create({ segment_rule: tag, template: '{{name}} of {{city}}', subject: 'To {{name}}' });
  t.is((await api.call('GET', `/v1/campaigns/${id}/preview`)).body.explanation, 'tagged bodies');
  t.is((await api.call('GET', `/v1/messages/${messageIdOf(id, 1)}/body`)).status, 404, 'nothing is frozen yet');
  t.is((await api.call('POST', `/v1/campaigns/${id}/send`)).status, 202);
  await imported([{ email: 'body@b.example', name: 'Later', tags: [tag], city: 'Later' }]);
  const { status, body } = await api.call('GET', `/v1/messages/${messageIdOf(id, 1)}/body`);
  t.is(status, 200);
  t.like(body, { recipient: 'body@b.example', subject: 'To Ann', body: 'Ann of Taipei', error: null });
  for (const wrong of [messageIdOf(id, 2), id, 'nope'])
    t.is((await api.call('GET', `/v1/messages/${wrong}/body`)).body.code, 'not_found', wrong);
  t.is((await api.call('GET', `/v1/messages/${messageIdOf(id, 1)}/body?x=1`)).status, 422);
});
