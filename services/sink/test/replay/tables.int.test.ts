import type { ExecutionContext } from 'ava';
import { createComparing } from '../../src/adapters/replay-comparing-clickhouse.ts';
import { createReplayTables, openReplayClient } from '../../src/adapters/replay-tables-clickhouse.ts';
import { createClickHouseRowStore } from '../../src/adapters/row-store-clickhouse.ts';
import { suffixOf } from '../../src/core/replay/tables.ts';
import { COLUMNS } from '../../src/core/to-row.ts';
import type { Registered } from '../../src/replay-ports.ts';
import type { TestDatabase } from '../clickhouse.ts';
import { contentsOf, history } from '../tables/derived.ts';
import { START, type Written, withDatabase, write } from '../views.ts';

const ID = 'ab12cd34ef56';
const open = (nonce: string, generation = ID): Registered => ({ generation, register: { state: 'open', nonce } });
const closed = (nonce: string, generation = '0'): Registered => ({ generation, register: { state: 'closed', nonce } });

async function beside(t: ExecutionContext, db: TestDatabase) {
  const ch = openReplayClient({ url: db.url, database: db.name });
  const store = createClickHouseRowStore({
    url: db.url,
    database: db.name,
    columns: COLUMNS,
    insertTimeoutMs: 30_000,
    maxOpenConnections: 2,
    suffix: suffixOf(ID),
  });
  t.teardown(() => Promise.all([ch.close(), store.close()]));
  return { ch, store, tables: createReplayTables(ch, ID, Date.now), comparing: createComparing(ch, ID, Date.now) };
}

/** As `write`, into the tables beside. */
const writeBeside = (
  db: TestDatabase,
  store: TestDatabase['store'],
  from: number,
  events: readonly Written[],
  token = `b:${from}:2.${ID}`,
) => write({ ...db, store }, from, events, token);

withDatabase(
  'tables beside are made like the live ones, filled apart from them, and compared bit by bit',
  async (t, db) => {
    const { store, tables, comparing, ch } = await beside(t, db);
    const events = history(START - 86_400_000, 2, 60);
    const before = events.length;
    for (let from = 0; from < before; from += 100) await write(db, from, events.slice(from, from + 100));
    const contents = await contentsOf(db);

    t.is((await tables.look()).beside, undefined);
    await tables.make(open('n1'));
    await tables.make(open('n2'));
    const { live, beside: made } = await tables.look();
    t.deepEqual(
      made?.derived,
      live.derived.map((name) => `${name}${suffixOf(ID)}`),
    );
    t.is(made?.stamps.get(made.raw)?.register?.nonce, 'n1', 'what is there stays');
    t.deepEqual(await store.generation(), { ok: true, generation: ID });
    t.is(await tables.differentShape(), undefined);

    // In other ranges than the live ones.
    for (let from = 0; from < before; from += 173) await writeBeside(db, store, from, events.slice(from, from + 173));
    t.deepEqual(await contentsOf(db), contents, 'the live ones are untouched');
    const ranges = [{ partition: 0, from: 0, to: before }];
    const same = await comparing.compare({ ranges });
    t.like(same, { equal: true, rawEqual: true, rows: before, differing: 0, differences: [] });
    t.true(same.hours > 2 && same.keys > same.hours * 3, `${same.hours} hours, ${same.keys} keys`);

    // Live goes on: what lies in the ranges is still the same, and so is every hour that has nothing else.
    const later = history(START, 1, 20);
    await write(db, before, later);
    t.like(await comparing.compare({ ranges }), { equal: true, rows: before });
    const whole = [{ partition: 0, from: 0, to: before + later.length }];
    const behind = await comparing.compare({ ranges: whole });
    t.false(behind.rawEqual);
    t.is(behind.differences[0]?.table, 'delivery_raw');
    // Asked for by a process that is late, the ends of others say nothing that the tables beside do not hold.
    for (const offsets of [[before], [before - 7]]) await tables.bringEnds(offsets);
    t.deepEqual(await store.endOf(0), { ok: true, end: before });
    await tables.bringEnds([before + later.length + 9]);
    t.deepEqual(await store.endOf(0), { ok: true, end: before + later.length });
    await writeBeside(db, store, before, later);
    t.like(await comparing.compare({ ranges: whole }, { since: [before] }), { equal: true });

    // What is older than what everybody keeps is compared nowhere.
    await ch.run(
      `INSERT INTO delivery_by_hour SELECT * REPLACE (hour - INTERVAL 89 DAY AS hour) FROM delivery_by_hour LIMIT 1`,
    );
    t.like(await comparing.compare({ ranges: whole }), { equal: true });

    // One campaign, and some kinds.
    const campaignId = events[0]?.event.campaign_id as string;
    const some = { ranges: whole, tenantId: 'default', campaignId, kinds: ['failed', 'sent'] };
    t.like(await comparing.compare(some), { equal: true });

    for (const [what, table, statement] of [
      ['a state of another value', 'delivery_by_hour', 'INSERT INTO {} SELECT * FROM delivery_by_hour LIMIT 1'],
      ['a message that is missing', 'message_latest', 'DELETE FROM {} WHERE ordinal = 5'],
      ['a row that is missing', 'delivery_raw', 'DELETE FROM {} WHERE source_offset = 7'],
    ] as const) {
      await ch.run(statement.replace('{}', `${table}${suffixOf(ID)}`));
      const found = await comparing.compare({ ranges: whole });
      t.false(found.equal, what);
      t.is(found.rawEqual, table !== 'delivery_raw', what);
      t.true(
        found.differences.some((difference) => difference.table === table && difference.live !== null),
        what,
      );
    }
  },
);

withDatabase(
  'a register is taken from where it was found, and keeps out what is not of its generation',
  async (t, db) => {
    const { store, tables } = await beside(t, db);
    const events = history(START, 1, 10);
    await write(db, 0, events, 'c:t:0:0:30:2');
    await tables.register('delivery_raw', undefined, open('n1', '0'));
    await t.throwsAsync(tables.register('delivery_raw', undefined, closed('late')), { message: /already exists/ });
    const error = await t.throwsAsync(write(db, 1_000, history(START, 1, 5), 'c:t:0:1000:1015:2.another'));
    t.regex(error?.message ?? '', /VIOLATED_CONSTRAINT/);
    await write(db, 1_000, history(START, 1, 5), 'c:t:0:1000:1015:2');
    await tables.register('delivery_raw', open('n1', '0'), closed('n2'));
    await t.throwsAsync(tables.register('delivery_raw', open('n1', '0'), closed('n3')), {
      message: /Cannot find constraint/,
    });
    await t.throwsAsync(write(db, 2_000, history(START, 1, 5), 'c:t:0:2000:2015:2'));
    // Also a range that is there: it is refused and not kept out, so nothing of it reaches a rollup.
    const before = await contentsOf(db);
    await t.throwsAsync(write(db, 0, events, 'c:t:0:0:30:2'));
    t.deepEqual(await contentsOf(db), before);
    const [known] = [await db.store.generation()];
    t.false(known?.ok);
    await tables.register('delivery_raw', closed('n2'), open('n4', '0'));
    t.deepEqual(await db.store.generation(), { ok: true, generation: '0' });
    await write(db, 2_000, history(START, 1, 5), 'c:t:0:2000:2015:2');

    await tables.make(open('b1'));
    await writeBeside(db, store, 0, events);
    await t.throwsAsync(writeBeside(db, store, 100, events, 'c:t:0:100:130:2'));
    await t.throwsAsync(tables.stamp('message_latest__replay_ab12cd34ef56', '0'), { message: /already exists/ });
  },
);

withDatabase(
  'an exchange happens with its ticket and not without; views and readers follow the names',
  async (t, db) => {
    const { store, tables, ch } = await beside(t, db);
    const [old, made] = [history(START, 1, 12), history(START - 7_200_000, 1, 30)];
    await write(db, 0, old, 'c:t:0:0:9:2');
    await tables.make(open('b1'));
    await writeBeside(db, store, 0, made);
    const { live } = await tables.look();
    for (const table of live.derived) await tables.stamp(table, '0');
    await tables.register('delivery_raw', undefined, closed('n1'));
    const pairs = [live.raw, ...live.derived].map((name) => ({ live: name, beside: `${name}${suffixOf(ID)}` }));
    const countOf = async (table: string) =>
      Number((await db.rows<{ n: string }>(`SELECT count() AS n FROM ${table}`))[0]?.n);

    await t.throwsAsync(tables.exchange(`${ID}_none`, pairs), { message: /ticket_ab12cd34ef56_none.* doesn't exist/ });
    t.is(await countOf('delivery_events'), old.length);
    await tables.makeTicket(`${ID}_1`);
    await tables.dropTickets();
    await t.throwsAsync(tables.exchange(`${ID}_1`, pairs));
    t.is(await countOf('delivery_events'), old.length, 'and nothing of it was done');

    // Half of it, as a death of the engine leaves it: whoever is about to plan an insert waits.
    await tables.makeTicket(`${ID}_2`);
    await tables.exchange(`${ID}_2`, pairs.slice(0, 3));
    t.false((await db.store.generation()).ok);
    await tables.dropTickets();
    await tables.makeTicket(`${ID}_3`);
    await tables.exchange(`${ID}_3`, pairs.slice(3));
    await tables.dropTickets();
    t.deepEqual(await db.store.generation(), { ok: true, generation: ID });
    t.is(await countOf('delivery_events'), made.length);
    t.is(await countOf(`delivery_raw${suffixOf(ID)}`), old.length);

    // What comes now is counted in the new tables, and what was meant for the old ones is refused.
    await t.throwsAsync(write(db, 0, old, 'c:t:0:0:9:2'), { message: /VIOLATED_CONSTRAINT/ });
    await t.throwsAsync(writeBeside(db, store, 5_000, old), { message: /VIOLATED_CONSTRAINT/ });
    await write(db, 10_000, old, `c:t:0:10000:10009:2.${ID}`);
    await write(db, 10_000, old, `c:t:0:10000:10009:2.${ID}`);
    const [hours] = await db.rows<{ n: string }>('SELECT sum(events) AS n FROM delivery_by_hour');
    const [raw] = await db.rows<{ n: string }>('SELECT count() AS n FROM delivery_raw WHERE NOT is_repeat');
    t.is(hours?.n, raw?.n);

    await t.throwsAsync(tables.drop(`${ID}_3`), { message: /does not exist|doesn't exist/ });
    await tables.makeTicket(`${ID}_4`);
    await tables.drop(`${ID}_4`);
    await tables.dropTickets();
    t.is((await tables.look()).beside, undefined);
    const left = (await ch.found()).filter(({ name }) => name.includes('replay'));
    t.deepEqual(left, []);
  },
);
