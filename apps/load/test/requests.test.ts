import test from 'ava';
import type { Share } from '../src/plan.ts';
import { errorOf, requestsOf } from '../src/requests.ts';
import type { Reply, Transport } from '../src/transport.ts';

const CAMPAIGN = '019a8b2c-0000-7000-8000-000000000000';

function shareOf(change: Partial<Share>): Share {
  return {
    ...{ shape: 'direct', origin: 'http://127.0.0.1:1', key: 'k', run: 'r1', perRequest: 1, campaigns: [CAMPAIGN] },
    stages: [{ perSecond: 10, seconds: 10, warmUp: false }],
    ...{
      ids: false,
      first: 0,
      every: 1,
      readers: 0,
      intervalMs: 1_000,
      maxInFlight: 10,
      connections: 1,
      timeoutMs: 1_000,
    },
    ...change,
  };
}

/** Answers these in turn, and keeps what was asked. */
function transport(...replies: Reply[]) {
  const asked: { method: string; path: string; type: string | undefined; body: string }[] = [];
  const t: Transport = {
    async request(method, path, type, body = '') {
      asked.push({ method, path, type, body });
      return replies[asked.length - 1] ?? { ok: true, status: 202, text: '{}' };
    },
    close: async () => {},
  };
  return { t, asked };
}
const reply = (status: number, body: unknown = {}): Reply => ({ ok: true, status, text: JSON.stringify(body) });

test('a direct message has its number in its address, and nothing that needs escaping is left out', async (t) => {
  const { t: to, asked } = transport();
  const requests = requestsOf(shareOf({}), to);
  await requests.send(7);
  t.like(asked[0], { method: 'POST', path: `/v1/campaigns/${CAMPAIGN}/messages`, type: 'application/json' });
  const message = JSON.parse(asked[0]?.body ?? '') as { to: string; vars: { name: string; city: string } };
  t.is(message.to, 'p7.r1@load.example');
  t.is(typeof message.vars.name, 'string');
});

test('with ids each message has one of its own, with a script its address has a word', async (t) => {
  const { t: to, asked } = transport();
  const script = { text: '', transient: 0, refuse: 1, throttle: 0, lost: 0 };
  await requestsOf(shareOf({ ids: true, script }), to).send(7);
  t.like(JSON.parse(asked[0]?.body ?? ''), { id: 'r1-7', to: 'p7.r1+refuse@load.example' });
});

test('NDJSON has a line a message, each numbered on', async (t) => {
  const { t: to, asked } = transport(reply(200, { accepted: 5 }));
  const answer = await requestsOf(shareOf({ shape: 'ndjson', perRequest: 5 }), to).send(3);
  t.deepEqual(answer, { outcome: 'accepted', error: '', messages: 5 });
  const lines = (asked[0]?.body ?? '').trimEnd().split('\n');
  t.deepEqual(
    lines.map((line) => (JSON.parse(line) as { to: string }).to),
    [15, 16, 17, 18, 19].map((n) => `p${n}.r1@load.example`),
  );
});

const ANSWERS: [name: string, shape: Share['shape'], reply: Reply, answer: object][] = [
  ['202', 'direct', reply(202), { outcome: 'accepted', error: '', messages: 1 }],
  ['a refusal', 'direct', reply(429, { code: 'busy' }), { outcome: 'refused', error: '429 busy', messages: 0 }],
  [
    'a 503 promises nothing',
    'direct',
    reply(503, { code: 'unavailable' }),
    { outcome: 'unknown', error: '503 unavailable' },
  ],
  ['a page that is no JSON', 'direct', { ok: true, status: 502, text: '<html>' }, { outcome: 'unknown', error: '502' }],
  ['a timeout', 'direct', { ok: false, error: 'timeout', begun: true }, { outcome: 'unknown', error: 'timeout' }],
  [
    'never left',
    'direct',
    { ok: false, error: 'ECONNREFUSED', begun: false },
    { outcome: 'not_sent', error: 'not sent: ECONNREFUSED' },
  ],
  [
    'a body that failed midway: what the log had is accepted',
    'ndjson',
    reply(503, { code: 'unavailable', accepted: 3 }),
    { outcome: 'unknown', error: '503 unavailable', messages: 3 },
  ],
  [
    'lines that were refused',
    'ndjson',
    reply(200, { accepted: 4, rejected: 1 }),
    { outcome: 'refused', error: 'lines rejected', messages: 4 },
  ],
  [
    'a campaign brings its audience',
    'campaign',
    reply(202, { queued: 5_000 }),
    { outcome: 'accepted', messages: 5_000 },
  ],
];
for (const [name, shape, given, answer] of ANSWERS) {
  test(`${shape}, ${name}`, async (t) => {
    const { t: to } = transport(given);
    const requests = requestsOf(shareOf({ shape, perRequest: shape === 'ndjson' ? 5 : 1 }), to);
    t.like(await requests.send(0), answer);
  });
}

test('a small campaign is made and sent; what was made is told once', async (t) => {
  const { t: to, asked } = transport(
    reply(201, { campaign_id: CAMPAIGN }),
    reply(202, { queued: 100 }),
    reply(422, { code: 'not_supported' }),
  );
  const requests = requestsOf(
    shareOf({ shape: 'campaigns', perRequest: 100, campaigns: [], draft: { template: 'Hi' } }),
    to,
  );
  t.like(await requests.send(4), { outcome: 'accepted', messages: 100 });
  t.deepEqual(
    asked.map((a) => a.path),
    ['/v1/campaigns', `/v1/campaigns/${CAMPAIGN}/send`],
  );
  t.like(JSON.parse(asked[0]?.body ?? ''), { template: 'Hi', name: 'load r1 4' });
  t.deepEqual(requests.takeMade(), [{ arrival: 4, campaignId: CAMPAIGN }]);
  t.deepEqual(requests.takeMade(), []);
  t.like(await requests.send(5), { outcome: 'refused', error: '422 not_supported', messages: 0 });
});

test('readers ask for each kind of statistics in turn', async (t) => {
  const { t: to, asked } = transport(reply(200), reply(200), reply(503, { code: 'unavailable' }));
  const requests = requestsOf(shareOf({}), to);
  t.deepEqual(
    [await requests.read(0), await requests.read(1), await requests.read(2)],
    [undefined, undefined, 'read: 503 unavailable'],
  );
  t.deepEqual(
    asked.map((a) => a.path.split('/').at(-1)),
    ['stats', 'series', 'histogram'],
  );
});

test('an error is named by status and code', (t) => {
  t.is(errorOf(reply(409, { code: 'conflict' })), '409 conflict');
  t.is(errorOf(reply(500)), '500');
  t.is(errorOf({ ok: false, error: 'ECONNRESET', begun: true }), 'ECONNRESET');
});
