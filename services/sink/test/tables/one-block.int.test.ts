import { event, newCampaignId } from '../support.ts';
import { START, type Written, withDatabase, write } from '../views.ts';
import { contentsOf, DERIVED, history } from './derived.ts';

const DAY_MS = 86_400_000;
const TABLES = ['delivery_raw', ...DERIVED] as const;

withDatabase('a range that is inserted twice under its token changes no table', async (t, db) => {
  const events = history(START - DAY_MS, 1, 200);
  const half = Math.floor(events.length / 2);
  await write(db, 0, events.slice(0, half), 'a');
  await write(db, half, events.slice(half), 'b');
  const before = await contentsOf(db);
  const rows = async () => (await db.rows<{ n: string }>('SELECT count() AS n FROM delivery_raw'))[0]?.n;
  const stored = await rows();
  for (const again of [0, 1]) {
    await write(db, half, events.slice(half), 'b');
    if (again) await write(db, 0, events.slice(0, half), 'a');
    t.is(await rows(), stored);
    t.deepEqual(await contentsOf(db), before);
  }
  // Each table has a memory of its own: one that has lost it counts again, the others do not.
  await db.client.command({ query: 'TRUNCATE TABLE delivery_by_hour' });
  await write(db, half, events.slice(half), 'b');
  const after = await contentsOf(db);
  t.notDeepEqual(after.delivery_by_hour, before.delivery_by_hour);
  t.deepEqual({ ...after, delivery_by_hour: [] }, { ...before, delivery_by_hour: [] });
});

withDatabase('the largest range at its widest is one part of raw, and of each table one a month', async (t, db) => {
  const campaigns = Array.from({ length: 40 }, () => newCampaignId());
  // Appended on the second of a month: what occurred may be of seven days before and of one after.
  const now = new Date(START);
  const appended = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 2, 12);
  const lines: Written[] = Array.from({ length: 50_000 }, (_, i) => ({
    event: event(i + 1, {
      campaign_id: campaigns[i % 40] as string,
      occurred_at: appended - 7 * DAY_MS + Math.floor((i * 8 * DAY_MS) / 50_000),
      queued_at: appended - 8 * DAY_MS,
      kind: i % 50 === 0 ? 'failed' : 'sent',
      e2e_ms: 1 + ((i * 7_919) % 100_000),
    }),
  }));
  await write(db, 0, lines, 'widest', appended);
  // As they were inserted; one that has been merged since is still listed.
  const partsOf = async () =>
    db.rows<{ table: string; months: string; parts: string }>(
      `SELECT table, uniqExact(partition) AS months, count() AS parts FROM system.parts
       WHERE database = '${db.name}' AND min_block_number = max_block_number AND table IN ('${TABLES.join("', '")}')
       GROUP BY table ORDER BY table`,
    );
  const parts = await partsOf();
  t.deepEqual(
    parts.map(({ table }) => table),
    [...TABLES].sort(),
  );
  for (const { table, months, parts: n } of parts) {
    t.is(Number(n), table === 'delivery_raw' ? 1 : 2, table);
    t.is(Number(months), table === 'delivery_raw' ? 1 : 2, table);
  }
  const before = await contentsOf(db);
  await write(db, 0, lines, 'widest', appended);
  t.deepEqual(await partsOf(), parts);
  t.deepEqual(await contentsOf(db), before);
  const [found] = await db.rows<Record<string, string>>('SELECT * FROM partition_audit');
  t.is(Number(found?.raw_rows), 50_000);
  t.is(Number(found?.missing), 0);
});
