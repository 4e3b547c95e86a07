import type { ReplayView } from '@volley/contract/http';
import test from 'ava';
import pg from 'pg';
import type { Contact } from '../support/api-client.ts';
import { receiptsIn } from '../support/collect.ts';
import { people } from '../support/people.ts';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';
import { until } from '../support/until.ts';

const TOTAL = 2_000;
const REFUSED = TOTAL / 20;
const NAMELESS = TOTAL / 50;

let p: TestPlatform;
let campaign: string;
test.before(async () => {
  p = await startTestPlatform('replays', { replays: true });
  // Every twentieth is refused by the provider, of every fiftieth the template lacks the name.
  const contacts = people('replayed', TOTAL, (n) => (n % 20 === 0 ? 'refuse' : '')).map(
    ({ name, ...contact }, i): Contact => ((i + 1) % 50 === 7 ? contact : { ...contact, ...(name ? { name } : {}) }),
  );
  await p.api.importContacts(contacts);
  campaign = await p.api.create({ segment_rule: 'replayed' });
  await p.api.send(campaign);
  await p.api.untilEnded(campaign);
});
test.after.always(() => p?.stop());

const start = async (asked: object) =>
  (await p.api.ok<ReplayView>('POST', '/v1/replays', { json: { campaign_id: campaign, reason: 'test', ...asked } }))
    .replay_id;
const look = (id: string) => p.api.ok<ReplayView>('GET', `/v1/replays/${id}`);
async function done(id: string): Promise<Readonly<Record<string, unknown>>> {
  let last: ReplayView | undefined;
  const ended = await until(
    `replay ${id} has ended`,
    async () => {
      last = await look(id);
      return ['done', 'failed', 'cancelled'].includes(last.status) && last;
    },
    { timeoutMs: 60_000, seen: () => last },
  );
  if (ended.status !== 'done') throw new Error(`${ended.status}: ${ended.error}`);
  return ended.result as Readonly<Record<string, unknown>>;
}

const CHANGED = '{% if to contains "7.replayed" %}Dear{% else %}Hi{% endif %} {{name}}';

test.serial(
  'nothing has changed: no difference; another template: exactly the messages whose text it changes',
  async (t) => {
    const same = await done(await start({ target: 'deliveries' }));
    t.like(same, {
      ...{ messages: TOTAL, same: TOTAL, would_send: 0, would_fail: 0, renders_differently: 0, fails_differently: 0 },
      ...{ not_recorded: 0, unattributed: 0, samples: [] },
      recorded: { sent: TOTAL - REFUSED - NAMELESS, failed: REFUSED, dead: NAMELESS },
    });
    const changed = await done(await start({ target: 'deliveries', template: CHANGED }));
    // Every tenth has a 7 there; those of them that have no name are rendered neither way.
    t.like(changed, {
      messages: TOTAL,
      renders_differently: TOTAL / 10 - NAMELESS,
      same: TOTAL - TOTAL / 10 + NAMELESS,
    });
  },
);

test.serial('a replay that is killed half way ends with the same result', async (t) => {
  const whole = await done(await start({ target: 'deliveries', template: CHANGED }));
  const id = await start({ target: 'deliveries', template: CHANGED, rate_per_second: 500 });
  await until('it is half way', async () => (await look(id)).done > TOTAL / 4);
  const pid = p.platform.describe().pids['dispatcher-replay'];
  process.kill(Number(pid), 'SIGKILL');
  const at = await look(id);
  t.true(at.done < TOTAL, `${at.done}`);
  const db = new pg.Client({ connectionString: p.stores.postgres });
  await db.connect();
  // As if its lease had run out, and in no hurry any more.
  await db.query("UPDATE replays SET lease_until = '-infinity', rate_per_second = NULL WHERE replay_id = $1", [id]);
  await db.end();
  t.deepEqual(await done(id), whole);
});

/** Everything that anybody can see of real campaigns. */
async function publicFigures(): Promise<Record<string, unknown>> {
  const views = await p.clickhouse.query<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name`,
  );
  const figures: Record<string, unknown> = {};
  for (const { name } of views) {
    const columns = await p.clickhouse.query<{ name: string }>(
      `SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '${name}'`,
    );
    const has = (column: string) => columns.some((c) => c.name === column);
    const real = has('tenant_id')
      ? "tenant_id = 'default'"
      : has('provider')
        ? "NOT startsWith(provider, 'rehearsal:')"
        : has('campaign_id')
          ? `campaign_id = '${campaign}'`
          : undefined;
    // What has neither tells of partitions of the log.
    if (real === undefined) continue;
    const [sum] = await p.clickhouse.query(
      `SELECT count() AS n, sum(cityHash64(*)) AS hash FROM ${name} WHERE ${real}`,
    );
    figures[name] = sum;
  }
  for (const path of [
    '/v1/campaigns',
    '/v1/dlq?limit=500',
    `/v1/campaigns/${campaign}/failures`,
    '/v1/contacts?limit=5',
  ])
    figures[path] = (await p.api.ok<{ data: unknown }>('GET', path)).data;
  // Its percentiles are remembered for some seconds; what they are made of is among the views.
  const { sent, failed, dead, total } = await p.api.stats(campaign);
  return { ...figures, stats: { sent, failed, dead, total } };
}

test.serial('a rehearsal tells what would become of a campaign, and no figure of a real one knows of it', async (t) => {
  const draft = await p.api.create({ segment_rule: 'replayed', template: 'Dear {{name}} of {{city}}' });
  await until('all of it is stored', async () => {
    const [row] = await p.clickhouse.query<{ terminal: number }>(
      `SELECT terminal FROM campaign_stats WHERE campaign_id = '${campaign}'`,
    );
    return row?.terminal === TOTAL;
  });
  const before = await publicFigures();
  t.true(Object.keys(before).length > 12, Object.keys(before).join(', '));
  const journal = p.journal();
  const found = await done(await start({ target: 'rehearsal', campaign_id: draft }));
  t.like(found, {
    ...{ total: TOTAL, would_send: TOTAL - NAMELESS, would_fail: NAMELESS, rate_per_second: null },
    reasons: [{ reason: 'missing_variable', messages: NAMELESS }],
  });
  t.is((found.samples as unknown[]).length, 20);
  t.true(Number(found.p95_ms) > 0 && Number(found.duration_ms) > 0);
  t.is(p.journal(), journal, 'nothing was sent');
  t.deepEqual(await publicFigures(), before);
  t.is((await p.api.campaign(draft)).status, 'draft');
});

test.serial(
  'send: what stood failed goes out once more, and of several runs the last one is what was recorded',
  async (t) => {
    const sent = await done(await start({ target: 'deliveries', send: true, confirm: true }));
    t.like(sent, { same: TOTAL, sent: { status: 'done', redriven: REFUSED + NAMELESS, left: {} } } as object);
    await p.api.untilEnded(campaign);
    // The refused are refused again, and nobody has got a name meanwhile.
    t.like(await done(await start({ target: 'deliveries' })), { messages: TOTAL, same: TOTAL, samples: [] });
    const accepted = receiptsIn(p.journal()).map(({ messageId }) => messageId);
    t.is(accepted.length, TOTAL - REFUSED - NAMELESS);
    t.is(new Set(accepted).size, accepted.length, 'nobody got anything twice');
  },
);
