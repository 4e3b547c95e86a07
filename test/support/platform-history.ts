import { groupsOf, TERMINAL_KINDS, topicsOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import pg from 'pg';
import { collectHistory, type Known, receiptsIn, type Sources } from './collect.ts';
import type { CommitSnapshot, History, Position, RollupCell, StoredRow } from './history.ts';
import type { TestPlatform } from './test-platform.ts';

/** What throughput is counted by, a column each. */
const COUNTED_KINDS = [
  ...TERMINAL_KINDS,
  'deferred',
  'redriven',
  'delivered',
  'bounced',
  'opened',
  'clicked',
  'complained',
];

/** What the dispatcher reads: lanes, tiers and held. */
const messageTopics = (p: TestPlatform): string[] => {
  const { messages, retry, held } = p.topics;
  return [messages.bulk, messages.transactional, ...retry, held];
};

async function positionsOf(p: TestPlatform): Promise<Position[]> {
  const groups = groupsOf(p.stores.namespace);
  const admin = await p.client.admin();
  try {
    const positions: Position[] = [];
    const reads: [group: string, topic: string][] = [
      ...messageTopics(p).map((topic): [string, string] => [groups.dispatcher, topic]),
      [groups.sink, p.topics.deliveries],
      [groups.progress, p.topics.deliveries],
    ];
    for (const [group, topic] of reads) {
      const committed = await admin.committed(group, topic);
      const bounds = await admin.logBounds(topic);
      for (const [partition, { start, end }] of bounds.entries())
        positions.push({ topic, partition, committed: committed[partition]?.offset ?? -1, start, end });
    }
    return positions;
  } finally {
    await admin.close();
  }
}

/** The dispatcher's commits now, and after them where the deliveries end: what I8 compares. */
export async function snapshotOf(p: TestPlatform, when: string): Promise<CommitSnapshot> {
  const group = groupsOf(p.stores.namespace).dispatcher;
  const admin = await p.client.admin();
  try {
    const commits = (
      await Promise.all(
        messageTopics(p).map(async (topic) =>
          (
            await admin.committed(group, topic)
          ).map(({ offset }, partition) => ({ topic, partition, committed: offset })),
        ),
      )
    ).flat();
    const ends = await admin.logBounds(p.topics.deliveries);
    return { when, commits, deliveriesEnds: ends.map(({ end }) => end) };
  } finally {
    await admin.close();
  }
}

async function frozenIn(postgres: string, campaignId: string): Promise<number> {
  const db = new pg.Client({ connectionString: postgres });
  await db.connect();
  try {
    const { rows } = await db.query<{ n: string }>(
      'SELECT count(*) AS n FROM campaign_recipients WHERE campaign_id = $1',
      [campaignId],
    );
    return Number(rows[0]?.n);
  } finally {
    await db.end();
  }
}

async function rollupsOf(p: TestPlatform, id: string): Promise<RollupCell[]> {
  const kinds = `['${COUNTED_KINDS.join("', '")}']`;
  const cellsOf = (unit: RollupCell['unit']) =>
    p.clickhouse.query<RollupCell>(
      `SELECT '${unit}' AS unit, toUnixTimestamp64Milli(${unit}) AS "atMs", counted.1 AS kind, sum(counted.2) AS events
       FROM throughput_per_${unit}
       ARRAY JOIN arrayZip(${kinds}, [${COUNTED_KINDS.join(', ')}]) AS counted
       WHERE campaign_id = {id:String} AND counted.2 > 0
       GROUP BY "atMs", kind`,
      { id },
    );
  return [...(await cellsOf('minute')), ...(await cellsOf('hour'))];
}

/** The sources of a running platform: its API, its log, its ClickHouse, its Postgres and its provider's journal. */
function sourcesOf(p: TestPlatform): Sources {
  const registry = createRegistry({
    url: p.stores.registry,
    clientId: `${p.stores.namespace}-test`,
    nowMs: () => performance.now(),
  });
  return {
    client: p.client,
    topics: topicsOf(p.stores.namespace),
    schemas: registry.store,
    campaign: p.api.campaign,
    stats: p.api.stats,
    rows: (id) =>
      p.clickhouse.query<StoredRow>(
        `SELECT source_partition AS partition, source_offset AS offset, message_id AS "messageId", kind, is_repeat AS "isRepeat"
         FROM delivery_events WHERE campaign_id = {id:String}`,
        { id },
      ),
    rollups: (id) => rollupsOf(p, id),
    receipts: () => receiptsIn(p.journal()),
    frozen: (id) => frozenIn(p.stores.postgres, id),
    async analytics(id) {
      const [row] = await p.clickhouse.query<Record<string, number>>(
        `SELECT ${TERMINAL_KINDS.join(', ')} FROM campaign_stats WHERE campaign_id = {id:String}`,
        { id },
      );
      return row ?? {};
    },
    positions: () => positionsOf(p),
  };
}

export const historyOf = (p: TestPlatform, campaignId: string, expected: number, known: Known = {}): Promise<History> =>
  collectHistory(sourcesOf(p), campaignId, expected, known);
