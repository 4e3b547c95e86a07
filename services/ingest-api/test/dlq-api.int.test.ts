import { createDecoder, messageIdOf } from '@volley/contract';
import { ROUTES, type Route } from '@volley/contract/http';
import { StreamUnavailable } from '@volley/stream';
import test from 'ava';
import { v7 } from 'uuid';
import { createRedriveJobs } from '../src/adapters/postgres/redrive-store.ts';
import type { DeadLetterIndex } from '../src/dead-letter-ports.ts';
import { createDeadLetterDesk } from '../src/dead-letters.ts';
import { createLetterReader } from '../src/letters.ts';
import { StoreUnavailable } from '../src/ports.ts';
import { startTestApi, type TestApi } from './support/api.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { endAll, indexOf, lettersIn } from './support/dead-letters.ts';
import { createTestSchemas, readAll, topics } from './support/log.ts';
import { all, running } from './support/roles.ts';

let db: TestDatabase;
let api: TestApi;
let id: string;
let away = false;
let logAway = false;
test.before(async () => {
  db = await createTestDatabase();
  const { w, s, id: campaign } = await running(5);
  id = campaign;
  await all(s.fanout);
  await endAll(w.producer, await readAll(w.client, topics.messages.bulk), () => ({
    kind: 'failed',
    reason: 'recipient_refused',
  }));
  await s.stop();
  const index = indexOf(() => lettersIn(w.client));
  const here =
    <A extends unknown[], T>(ask: (...args: A) => Promise<T>) =>
    (...args: A) =>
      away ? Promise.reject(new StoreUnavailable('clickhouse', 'away')) : ask(...args);
  const schemas = createTestSchemas();
  const read = createLetterReader(w.client, topics.dlq);
  const flaky: Pick<DeadLetterIndex, 'page' | 'find'> = { page: here(index.page), find: here(index.find) };
  const deadLetters = createDeadLetterDesk({
    tenant: 'default',
    index: flaky,
    jobs: createRedriveJobs(db.pool),
    read: async (places) => {
      if (logAway) throw new StreamUnavailable('away');
      return read(places);
    },
    decode: createDecoder('Message', schemas),
    loadSchema: (schema) => schemas.load(schema),
    now: () => Date.now(),
    newId: () => v7(),
    wakeRedrive: () => {},
  });
  api = await startTestApi(db.pool, { deadLetters });
});
test.after.always(async () => {
  await api?.stop();
  await db?.drop();
});

const asDocumented = (route: Route, body: unknown) => {
  const parsed = route.answer?.safeParse(body);
  return parsed?.success ? '' : JSON.stringify(parsed?.error?.issues);
};

test.serial('the list, page by page, and one letter', async (t) => {
  const first = await api.call('GET', `/v1/dlq?campaign_id=${id}&reason=recipient_refused&kind=failed&limit=3`);
  t.is(first.status, 200, first.text);
  t.is(asDocumented(ROUTES.listDeadLetters, first.body), '');
  t.is(first.body.data.length, 3);
  const second = await api.call('GET', `/v1/dlq?limit=3&cursor=${first.body.next_cursor}`);
  t.is(second.body.data.length, 2);
  t.is(second.body.next_cursor, null);
  const ids = [...first.body.data, ...second.body.data].map((l: { message_id: string }) => l.message_id);
  t.is(new Set(ids).size, 5);
  t.is((await api.call('GET', '/v1/dlq?recipient=P3.ALL@b.example')).body.data.length, 1);
  const one = await api.call('GET', `/v1/dlq/${messageIdOf(id, 2)}`);
  t.is(one.status, 200, one.text);
  t.is(asDocumented(ROUTES.getDeadLetter, one.body), '');
  t.is(one.body.letter.message.recipient, 'p1.all@b.example');
});

test.serial(
  'a dry run is 200 and counts, anything else is 202 and a job that can be looked at and cancelled',
  async (t) => {
    for (const action of ['redrive', 'purge'] as const) {
      const dry = await api.call('POST', `/v1/dlq/${action}`, { json: { campaign_id: id, dry_run: true } });
      t.is(dry.status, 200, dry.text);
      t.is(ROUTES.redriveDeadLetters.also.answer.safeParse(dry.body).success, true);
      t.like(dry.body, { dry_run: true, matched: 5, by_reason: { recipient_refused: 5 } });
      t.like(dry.body.reasons[0], { reason: 'recipient_refused', count: 5 });
      const made = await api.call('POST', `/v1/dlq/${action}`, {
        json: { message_ids: [messageIdOf(id, 1)], limit: 10, reason_text: 'because' },
      });
      t.is(made.status, 202, made.text);
      t.is(asDocumented(ROUTES.redriveDeadLetters, made.body), '');
      t.like(made.body, { action, matched: 1, status: 'running', requested_by: 'default', reason_text: 'because' });
      const path = `/v1/dlq/redrives/${made.body.redrive_id}`;
      t.is(made.headers.get('location'), path);
      t.deepEqual((await api.call('GET', path)).body, made.body);
      const cancelled = await api.call('POST', `${path}/cancel`);
      t.is(cancelled.status, 202);
      t.is(asDocumented(ROUTES.cancelRedrive, cancelled.body), '');
    }
    const page = await api.call('GET', '/v1/dlq/redrives?limit=1');
    t.is(asDocumented(ROUTES.listRedrives, page.body), '');
    t.is(page.body.data[0].action, 'purge');
    const next = await api.call('GET', `/v1/dlq/redrives?limit=1&cursor=${page.body.next_cursor}`);
    t.is(next.body.data[0].action, 'redrive');
    t.is(next.body.next_cursor, null);
  },
);

for (const [method, path, json, status, pointer] of [
  ['GET', '/v1/dlq?kind=sent', undefined, 422, '?kind'],
  ['GET', '/v1/dlq?limit=0', undefined, 422, '?limit'],
  ['GET', '/v1/dlq?campaign=x', undefined, 422, '?campaign'],
  ['GET', `/v1/dlq?cursor=${Buffer.from('campaigns:x').toString('base64url')}`, undefined, 422, '?cursor'],
  ['GET', '/v1/dlq/redrives?status=x', undefined, 422, '?status'],
  ['GET', '/v1/dlq/nothing', undefined, 404, undefined],
  ['GET', '/v1/dlq/redrives/nothing', undefined, 404, undefined],
  ['GET', `/v1/dlq/redrives/${v7()}`, undefined, 404, undefined],
  ['POST', `/v1/dlq/redrives/${v7()}/cancel`, undefined, 404, undefined],
  ['POST', '/v1/dlq/redrive', { rate_per_second: 0 }, 422, '/rate_per_second'],
  ['POST', '/v1/dlq/redrive', { message_ids: [] }, 422, '/message_ids'],
  ['POST', '/v1/dlq/redrive', { limit: 1.5 }, 422, '/limit'],
  ['POST', '/v1/dlq/redrive', { campaign: 'x' }, 422, '/campaign'],
  ['POST', '/v1/dlq/redrive', [], 422, ''],
  ['POST', '/v1/dlq/purge', { rate_per_second: 5 }, 422, '/rate_per_second'],
] as const) {
  test.serial(`${method} ${path.slice(0, 40)} ${JSON.stringify(json)} is ${status}, and makes nothing`, async (t) => {
    const before = (await api.call('GET', '/v1/dlq/redrives')).body.data.length;
    const answer = await api.call(method, path, json === undefined ? {} : { json });
    t.is(answer.status, status, answer.text);
    if (pointer !== undefined) t.is(answer.body.errors[0].pointer, pointer, answer.text);
    t.is((await api.call('GET', '/v1/dlq/redrives')).body.data.length, before);
  });
}

test.serial(
  'while the index is away nothing is listed, counted or begun, and jobs can still be looked at',
  async (t) => {
    const before = (await api.call('GET', '/v1/dlq/redrives')).body.data.length;
    away = true;
    t.teardown(() => {
      away = false;
    });
    for (const [method, path, json] of [
      ['GET', '/v1/dlq', undefined],
      ['GET', `/v1/dlq/${messageIdOf(id, 2)}`, undefined],
      ['POST', '/v1/dlq/redrive', {}],
      ['POST', '/v1/dlq/redrive', { dry_run: true }],
    ] as const) {
      const answer = await api.call(method, path, json === undefined ? {} : { json });
      t.is(answer.status, 503, answer.text);
      t.truthy(answer.headers.get('retry-after'));
    }
    t.is((await api.call('GET', '/v1/dlq/redrives')).body.data.length, before);
  },
);

test.serial('while the log is away a letter cannot be shown, and the list can', async (t) => {
  logAway = true;
  t.teardown(() => {
    logAway = false;
  });
  const answer = await api.call('GET', `/v1/dlq/${messageIdOf(id, 2)}`);
  t.is(answer.status, 503, answer.text);
  t.is(answer.body.code, 'unavailable');
  t.is((await api.call('GET', '/v1/dlq')).status, 200);
});
