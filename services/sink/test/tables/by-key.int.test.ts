import type { TestDatabase } from '../clickhouse.ts';
import { MINUTE_MS, START, withDatabase } from '../views.ts';
import { DERIVED } from './derived.ts';
import { campaignIdSql, generatedEvents } from './generated-events.ts';

const MESSAGES = 50;
const CAMPAIGNS = 8_000;
const EVENTS = ((CAMPAIGNS * MESSAGES) / 10) * 11;
const DIRECT = 90_000;
/** Of each table that a question asks. The smallest has fourteen granules; a campaign, or a moment, lies in one or two. */
const SHARE = 1 / 4;

const SINCE = `fromUnixTimestamp64Milli(${START - 5 * MINUTE_MS})`;
const QUESTIONS: [view: string, question: string][] = [
  ['delivery_events', 'SELECT * FROM delivery_events WHERE {campaign}'],
  ['delivery_events', 'SELECT * FROM delivery_events WHERE {campaign} AND ordinal = 50'],
  ['campaign_stats', 'SELECT * FROM campaign_stats WHERE {campaign}'],
  ['failure_reasons', 'SELECT * FROM failure_reasons WHERE {campaign}'],
  ['undelivered_messages', 'SELECT * FROM undelivered_messages WHERE {campaign}'],
  ['dead_letters', 'SELECT * FROM dead_letters WHERE {campaign} ORDER BY campaign_id, message_id LIMIT 50'],
  [
    'message_list',
    'SELECT * FROM message_list WHERE {campaign} AND ordinal > 10 ORDER BY ordinal, message_id LIMIT 50',
  ],
  ['campaign_audit', 'SELECT * FROM campaign_audit WHERE {campaign}'],
  ['throughput_per_minute', 'SELECT * FROM throughput_per_minute WHERE {campaign}'],
  ['latency_per_minute', 'SELECT * FROM latency_per_minute WHERE {campaign}'],
  ['throughput_per_hour', 'SELECT * FROM throughput_per_hour WHERE {campaign}'],
  ['latency_per_hour', 'SELECT * FROM latency_per_hour WHERE {campaign}'],
  ['latency_histogram_per_minute', 'SELECT * FROM latency_histogram_per_minute WHERE {campaign}'],
  ['failure_reasons_per_minute', 'SELECT * FROM failure_reasons_per_minute WHERE {campaign}'],
  // Of a moment, over all campaigns: what alerts and the overview ask.
  ['provider_health', `SELECT * FROM provider_health WHERE minute >= ${SINCE}`],
  ['throughput_per_minute', `SELECT * FROM throughput_per_minute WHERE minute >= ${SINCE}`],
  ['failure_reasons_per_minute', `SELECT * FROM failure_reasons_per_minute WHERE minute >= ${SINCE}`],
  ['latency_histogram_per_minute', `SELECT * FROM latency_histogram_per_minute WHERE minute >= ${SINCE}`],
  ['throughput_per_hour', `SELECT * FROM throughput_per_hour WHERE hour >= toStartOfHour(${SINCE})`],
];

/** Rows by table that the engine expects to read. */
const estimated = async (db: TestDatabase, question: string) =>
  new Map(
    (
      await db.rows<{ table: string; rows: string }>(
        `SELECT table, sum(rows) AS rows FROM (EXPLAIN ESTIMATE ${question}) GROUP BY table`,
      )
    ).map(({ table, rows }) => [table, Number(rows)]),
  );

/** Every second message fails, so that the tables of failures and of latency both are large. */
const events = (from: number, rows: number) => `SELECT * REPLACE (
    if(kind = 'sent' AND ordinal % 2 = 0, if(ordinal % 4 = 0, 'failed', 'dead'), kind) AS kind)
  FROM (${generatedEvents({ from, rows, messagesACampaign: MESSAGES, startMs: START - 2 * 86_400_000, eventsASecond: EVENTS / 172_800 })})`;

withDatabase(
  'a question about one campaign or one moment reads by key or index, in every public view',
  async (t, db) => {
    for (let from = 0; from < EVENTS; from += EVENTS / 4)
      await db.client.command({ query: `INSERT INTO delivery_raw ${events(from, EVENTS / 4)}` });
    const TABLES = ['delivery_raw', ...DERIVED];
    for (const table of TABLES) await db.client.command({ query: `OPTIMIZE TABLE ${table} FINAL` });
    const [one] = await db.rows<{ id: string }>(`SELECT ${campaignIdSql(`toUInt64(${CAMPAIGNS / 2 + 1})`)} AS id`);
    const campaign = `tenant_id = 'default' AND campaign_id = '${one?.id}'`;
    const [found] = await db.rows<{ n: string }>(`SELECT count() AS n FROM delivery_raw WHERE ${campaign}`);
    t.is(Number(found?.n), (MESSAGES / 10) * 11);
    const whole = new Map<string, number>();
    for (const table of TABLES) whole.set(table, (await estimated(db, `SELECT * FROM ${table}`)).get(table) ?? 0);

    for (const [, question] of QUESTIONS) {
      const read = await estimated(db, question.replace('{campaign}', campaign));
      t.true(read.size > 0, question);
      for (const [table, rows] of read) {
        const all = whole.get(table) ?? 0;
        t.true(rows > 0 && rows <= all * SHARE, `${question}: ${rows} rows of ${all} in ${table}`);
      }
    }
    const views = await db.rows<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = '${db.name}' AND engine = 'View' AND name IN (
       SELECT table FROM system.columns WHERE database = '${db.name}' AND name IN ('campaign_id', 'minute', 'hour')) ORDER BY name`,
    );
    const asked = new Set([...QUESTIONS.map(([view]) => view), 'message_states']);
    t.deepEqual(
      views.map(({ name }) => name).filter((name) => !asked.has(name)),
      [],
    );
  },
);

withDatabase('one direct message among many of its campaign is found by its id', async (t, db) => {
  const random = "leftPad(lower(hex(sipHash64(message_id))), 16, '0')";
  const generated = {
    from: 0,
    rows: DIRECT,
    messagesACampaign: DIRECT,
    startMs: START - MINUTE_MS,
    eventsASecond: DIRECT,
  };
  await db.client.command({
    query: `INSERT INTO delivery_raw SELECT * EXCEPT campaign REPLACE (toInt64(0) AS ordinal, campaign AS campaign_id,
        toUUID(concat(substring(campaign, 1, 19), 'a', substring(${random}, 1, 3), '-', substring(${random}, 4, 12))) AS message_id)
      FROM (SELECT *, ${campaignIdSql('toUInt64(3)')} AS campaign FROM (${generatedEvents(generated)}))`,
  });
  await db.client.command({ query: 'OPTIMIZE TABLE delivery_raw FINAL' });
  const [one] = await db.rows<{ id: string; campaign: string }>(
    'SELECT message_id AS id, campaign_id AS campaign FROM delivery_events ORDER BY occurred_at LIMIT 1 OFFSET 50000',
  );
  const campaign = `tenant_id = 'default' AND campaign_id = '${one?.campaign}' AND ordinal = 0`;
  const question = `SELECT kind FROM delivery_events WHERE ${campaign} AND message_id = '${one?.id}'`;
  t.true((await db.rows(question)).length > 0);
  t.is((await estimated(db, `SELECT kind FROM delivery_events WHERE ${campaign}`)).get('delivery_raw'), DIRECT);
  const read = (await estimated(db, question)).get('delivery_raw') ?? 0;
  // Its granule, and one of twenty that is read for nothing.
  t.true(read > 0 && read <= 3 * 8_192, `${read} rows of ${DIRECT}`);
});

withDatabase('a page of messages follows the key from where the last one ended', async (t, db) => {
  const messages = 20_000;
  const rows = (messages / 10) * 11 * 8;
  const generated = { from: 0, rows, messagesACampaign: messages, startMs: START - 86_400_000, eventsASecond: 20_000 };
  await db.client.command({ query: `INSERT INTO delivery_raw ${generatedEvents(generated)}` });
  const [one] = await db.rows<{ id: string }>(`SELECT ${campaignIdSql('toUInt64(3)')} AS id`);
  const page = (after: number) => `SELECT ordinal, message_id, state FROM message_list
    WHERE tenant_id = 'default' AND campaign_id = '${one?.id}' AND ordinal > ${after} ORDER BY ordinal, message_id LIMIT 100`;
  const seen: number[] = [];
  for (let after = 15_000; seen.length < 300; after = seen.at(-1) as number)
    seen.push(...(await db.rows<{ ordinal: string }>(page(after))).map(({ ordinal }) => Number(ordinal)));
  t.deepEqual(
    seen,
    Array.from({ length: 300 }, (_, i) => 15_001 + i),
  );
  // In the order of the key: reading ends with the page, and nothing is sorted.
  const plan = await db.rows<{ explain: string }>(`SELECT explain FROM (EXPLAIN actions = 1 ${page(15_000)})`);
  const text = plan.map(({ explain }) => explain).join('\n');
  t.regex(text, /Read ?type: InOrder/i);
});
