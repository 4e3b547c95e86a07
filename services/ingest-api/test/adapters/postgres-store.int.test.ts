import { createReplayLeases } from '@volley/contract/replays';
import test from 'ava';
import { v7 } from 'uuid';
import { createCampaignStore } from '../../src/adapters/postgres/campaign-store.ts';
import { createContactStore } from '../../src/adapters/postgres/contact-store.ts';
import { createDirectStore } from '../../src/adapters/postgres/direct-store.ts';
import { createFanoutStore } from '../../src/adapters/postgres/fanout-store.ts';
import { createLeases } from '../../src/adapters/postgres/leases.ts';
import { migrate, missingMigrations } from '../../src/adapters/postgres/migrations.ts';
import { createOutbox } from '../../src/adapters/postgres/outbox.ts';
import { ask } from '../../src/adapters/postgres/pool.ts';
import { createProgressReader, createProgressStore } from '../../src/adapters/postgres/progress-store.ts';
import { createRedriveJobs, createRedriveStore } from '../../src/adapters/postgres/redrive-store.ts';
import { forgetAudience } from '../../src/adapters/postgres/rehearsal-store.ts';
import { createReplayStore } from '../../src/adapters/postgres/replay-store.ts';
import { campaignListSuite } from '../support/campaign-list-suite.ts';
import { createTestDatabase, inert, type TestDatabase } from '../support/database.ts';
import { directSuite } from '../support/direct-suite.ts';
import { redriveSuite } from '../support/redrive-suite.ts';
import { replaySuite } from '../support/replay-suite.ts';
import { type StoreUnderTest, storeSuite } from '../support/store-suite.ts';

let db: TestDatabase;
test.before(async () => {
  db = await createTestDatabase();
});
test.after.always(() => db?.drop());

const open = async (): Promise<StoreUnderTest> => {
  await db.pool.query(`TRUNCATE contacts, campaigns, campaign_events, campaign_recipients, idempotency_keys, leases,
    campaign_fanout, redrives, redriven_messages, redrive_campaigns, progress_offsets, progress_counts,
    direct_batches, direct_messages, replays`);
  let passed = 0;
  const clock = { now: () => Date.now() + passed, monotonicMs: () => performance.now() + passed };
  return {
    store: {
      campaigns: createCampaignStore(db.pool, inert),
      contacts: createContactStore(db.pool),
      outbox: createOutbox(db.pool),
      progress: createProgressStore(db.pool, inert),
      progressReader: createProgressReader(db.pool),
      leases: (owner) => createLeases(db.pool, owner, clock),
      fanout: (owner) => createFanoutStore(db.pool, owner, clock),
      direct: createDirectStore(db.pool, inert),
      redriveJobs: createRedriveJobs(db.pool),
      redrives: (owner, topic) => createRedriveStore(db.pool, { owner, clock, failpoints: inert, topic }),
      replays: createReplayStore(db.pool),
      replayLeases: (owner) =>
        createReplayLeases((sql, params) => ask(db.pool, sql, params), { owner, monotonicMs: clock.monotonicMs }),
    },
    // Times of leases are the store's own: they are made older where they stand.
    async passMs(ms) {
      passed += ms;
      await db.pool.query(`UPDATE leases SET expires_at = expires_at - $1 * interval '1 ms'`, [ms]);
      await db.pool.query(`UPDATE redrives SET lease_until = lease_until - $1 * interval '1 ms'`, [ms]);
      await db.pool.query(`UPDATE replays SET lease_until = lease_until - $1 * interval '1 ms'`, [ms]);
      await db.pool.query(`UPDATE direct_batches SET due_at = due_at - $1 * interval '1 ms'`, [ms]);
      await db.pool.query(`UPDATE campaign_fanout SET lease_until = lease_until - $1 * interval '1 ms'`, [ms]);
    },
  };
};
storeSuite(test, 'Postgres', open);
campaignListSuite(test, 'Postgres', open);
redriveSuite(test, 'Postgres', open);
directSuite(test, 'Postgres', open);
replaySuite(test, 'Postgres', open);

test.serial('migrations: again and from several processes at once they do nothing twice', async (t) => {
  t.deepEqual(await missingMigrations(db.pool), []);
  const applied = await Promise.all([migrate(db.url), migrate(db.url), migrate(db.url)]);
  t.deepEqual(applied, [[], [], []]);
  await db.pool.query("DELETE FROM volley_migrations WHERE name = '0002_fanout_and_progress'");
  t.deepEqual(await missingMigrations(db.pool), ['0002_fanout_and_progress']);
});

test.serial('an audience is forgotten whole, in pieces, and no other with it', async (t) => {
  await open();
  const freeze = (campaignId: string, rows: number) =>
    db.pool.query(
      `INSERT INTO campaign_recipients (campaign_id, ordinal, contact_id, recipient, name, tags, attributes)
       SELECT $1, n, gen_random_uuid(), 'a@example.org', NULL, '{}', '{}' FROM generate_series(1, $2) AS n`,
      [campaignId, rows],
    );
  const [one, another] = [v7(), v7()];
  await freeze(one, 50_001);
  await freeze(another, 2);
  await forgetAudience(db.pool, one);
  const { rows } = await db.pool.query('SELECT campaign_id, count(*)::int AS n FROM campaign_recipients GROUP BY 1');
  t.deepEqual(rows, [{ campaign_id: another, n: 2 }]);
  await t.notThrowsAsync(forgetAudience(db.pool, one));
});
