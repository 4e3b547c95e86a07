import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDecoder, subjectOf } from '@volley/contract';
import { createRegistry, IncompatibleSchema } from '@volley/contract/registry';
import test from 'ava';
import pg from 'pg';
import { draft, finish, MESSAGES, summary } from '../support/faults.ts';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';
import { readTopic } from '../support/topic-reader.ts';
import { until } from '../support/until.ts';

let p: TestPlatform;
let db: pg.Client;
test.before(async () => {
  p = await startTestPlatform('commands_faults');
  db = new pg.Client({ connectionString: p.stores.postgres });
  await db.connect();
});
test.after.always(async () => {
  await db?.end();
  await p?.stop();
});

const rowsOf = async (table: string, id: string): Promise<number> => {
  const { rows } = await db.query<{ n: string }>(`SELECT count(*) AS n FROM ${table} WHERE campaign_id = $1`, [id]);
  return Number(rows[0]?.n);
};
const key = (name: string) => ({ headers: { 'idempotency-key': name } });
const send = (id: string, name: string) =>
  p.api.call<{ queued?: number; code?: string }>('POST', `/v1/campaigns/${id}/send`, key(name));

test.serial('F01: death before the commit leaves nothing; the client repeats under the same key', async (t) => {
  const running = await draft(p, 'f01');
  const armed = await p.arm('ingest-api', 'ingest.beforeCommit:kill');
  await t.throwsAsync(send(running.id, 'f01'));
  await p.untilRestarted('ingest-api', armed);
  t.is((await p.api.campaign(running.id)).status, 'draft');
  t.is(await rowsOf('campaign_recipients', running.id), 0, 'no part of the audience was frozen');
  t.is(await rowsOf('campaign_events', running.id), 1, 'created, and nothing else');
  const again = await send(running.id, 'f01');
  t.is(again.status, 202);
  t.is(again.body.queued, MESSAGES);
  const verdict = await finish(p, running);
  t.deepEqual(verdict.problems, []);
  t.log(summary(verdict));
});

test.serial('F02: death after the commit keeps everything; the same key returns the same answer', async (t) => {
  const running = await draft(p, 'f02');
  const armed = await p.arm('ingest-api', 'ingest.afterCommit:kill');
  await t.throwsAsync(send(running.id, 'f02'));
  await p.untilRestarted('ingest-api', armed);
  const again = await send(running.id, 'f02');
  t.is(again.status, 202);
  t.is(again.body.queued, MESSAGES);
  t.is((await p.api.command(running.id, 'send')).status, 409, 'without the key it is a second send');
  const verdict = await finish(p, running);
  t.deepEqual(verdict.problems, []);
  t.deepEqual((await send(running.id, 'f02')).body, again.body, 'also after the campaign has ended');
  t.is(await rowsOf('campaign_recipients', running.id), MESSAGES);
  t.log(summary(verdict));
});

test.serial('F03: a commit that was done and reported as failed is no 202, and never a second row', async (t) => {
  const running = await draft(p, 'f03');
  const armed = await p.arm('ingest-api', 'ingest.commit:execute-then-throw');
  const unknown = await send(running.id, 'f03');
  t.is(unknown.status, 503, 'the outcome is not known, so the answer promises nothing');
  t.truthy(unknown.headers.get('retry-after'));
  t.is(p.pid('ingest-api'), armed, 'nothing died');
  const again = await send(running.id, 'f03');
  t.is(again.status, 202);
  t.is(again.body.queued, MESSAGES);
  const verdict = await finish(p, running);
  t.deepEqual(verdict.problems, []);
  t.is(await rowsOf('campaign_recipients', running.id), MESSAGES);
  const { rows } = await db.query("SELECT 1 FROM campaign_events WHERE campaign_id = $1 AND type = 'sent'", [
    running.id,
  ]);
  t.is(rows.length, 1);
  t.log(summary(verdict));
});

test.serial(
  'F04: two commands that read the same version: one wins, the other decides again, the log is in order',
  async (t) => {
    const running = await draft(p, 'f04', { campaign: { rate_per_second: 1_000 } });
    // The row is held, so that both commands have read their version before either can write.
    const race = async (commands: readonly ('send' | 'pause' | 'cancel')[]) => {
      await db.query('BEGIN');
      await db.query('SELECT 1 FROM campaigns WHERE campaign_id = $1 FOR UPDATE', [running.id]);
      const answers = Promise.all(commands.map((name) => p.api.command(running.id, name)));
      try {
        await until(
          'both wait for the row',
          async () => {
            // Inside a transaction the list of connections is read once: one that the pool opens now would be missing.
            await db.query('SELECT pg_stat_clear_snapshot()');
            const { rows } = await db.query<{ n: string }>(
              "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            );
            return Number(rows[0]?.n) >= commands.length;
          },
          { timeoutMs: 1_200 },
        );
      } finally {
        await db.query('COMMIT');
      }
      return answers;
    };
    const sends = await race(['send', 'send']);
    t.deepEqual(sends.map((a) => a.status).sort(), [202, 409]);
    t.is(sends.find((a) => a.status === 409)?.body.code, 'illegal_transition');
    t.is(await rowsOf('campaign_recipients', running.id), MESSAGES, 'the audience was frozen once');

    await p.api.untilSomeEnded(running.id, 100);
    const both = await race(['pause', 'cancel']);
    // Whoever came first: cancel may follow pause, pause may not follow cancel.
    t.true(both.some((a) => a.status === 202));
    t.is(both[1]?.status, 202);
    t.true(both[0]?.status === 202 || both[0]?.body.code === 'illegal_transition');
    const verdict = await finish(p, running);
    t.deepEqual(verdict.problems, []);

    const registry = createRegistry({ url: p.stores.registry, clientId: 'f04', nowMs: () => performance.now() });
    const decode = createDecoder('CampaignEvent', registry.store);
    const versions: number[] = [];
    for (const record of await readTopic(p.client, p.topics.campaigns)) {
      if (record.key?.toString() !== running.id) continue;
      let decoded = decode(record.value);
      if (!decoded.ok && decoded.reason === 'needs_schema') {
        await registry.store.load(decoded.schemaId);
        decoded = decode(record.value);
      }
      if (decoded.ok) versions.push(decoded.value.version);
    }
    t.deepEqual(
      versions,
      versions.map((_, i) => i + 1),
      'each version once and in order',
    );
    t.is(await rowsOf('campaign_events', running.id), versions.length);
    t.log(`${both.map((a) => a.status).join(' and ')} for pause and cancel; ${summary(verdict)}`);
  },
);

test.serial('F25: an incompatible schema is refused by the registry, and nobody who writes notices', async (t) => {
  const folder = join(import.meta.dirname, '..', '..', 'schemas', 'incompatible');
  const registry = createRegistry({ url: p.stores.registry, clientId: 'f25', nowMs: () => performance.now() });
  const bulk = p.topics.messages.bulk;
  // One clear break of each record; packages/contract offers all of them.
  const offers = [
    ['campaign-event-null-removed.avsc', subjectOf(p.topics.campaigns, 'CampaignEvent')],
    ['message-type-changed.avsc', subjectOf(bulk, 'Message')],
    ['message-field-without-default.avsc', subjectOf(bulk, 'Message')],
    ['delivery-event-enum-renamed.avsc', subjectOf(p.topics.deliveries, 'DeliveryEvent')],
  ] as const;
  const known = async () =>
    Promise.all(
      offers.map(async ([, subject]) => {
        const answer = await fetch(`${p.stores.registry}/subjects/${encodeURIComponent(subject)}/versions`);
        return (await answer.json()) as number[];
      }),
    );
  const before = await known();
  t.true(before.every((versions) => versions.length === 1));
  const running = await draft(p, 'f25', { campaign: { rate_per_second: 1_500 } });
  await p.api.send(running.id);
  for (const [file, subject] of offers) {
    const offered = registry.register(subject, readFileSync(join(folder, file), 'utf8'));
    await t.throwsAsync(offered, { instanceOf: IncompatibleSchema }, file);
  }
  t.deepEqual(await known(), before, 'no version was added');
  const verdict = await finish(p, running);
  t.deepEqual(verdict.problems, []);
  // A producer that starts now finds its schema as well.
  t.true((await registry.idOf(p.topics.deliveries, 'DeliveryEvent')) > 0);
});
