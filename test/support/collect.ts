import { createHash } from 'node:crypto';
import {
  createDecoder,
  DEAD_LETTER_HEADERS,
  HEADERS,
  headersWithoutPast,
  type Message,
  pastOf,
  type SchemaStore,
  type Topics,
} from '@volley/contract';
import type { StreamClient, StreamRecord } from '@volley/stream';
import type { CampaignView, StatsView } from './api-client.ts';
import type {
  Call,
  CommitSnapshot,
  DeadLetterAt,
  History,
  LogEvent,
  LogMessage,
  MovedMessage,
  Position,
  Receipt,
  RollupCell,
  StoredRow,
} from './history.ts';
import { marked } from './repeats.ts';
import { readTopic } from './topic-reader.ts';
import { until } from './until.ts';

/** Where the parts of a history come from. */
export interface Sources {
  readonly client: StreamClient;
  readonly topics: Topics;
  readonly schemas: SchemaStore;
  campaign(id: string): Promise<Pick<CampaignView, 'status'>>;
  stats(id: string): Promise<StatsView>;
  rows(id: string): Promise<StoredRow[]>;
  /** What ClickHouse has added up of them by minute and by hour. */
  rollups?(id: string): Promise<RollupCell[]>;
  /** All calls that the provider accepted, of any campaign. */
  receipts(): Receipt[];
  /** Rows of the frozen audience in Postgres. */
  frozen?(id: string): Promise<number>;
  /** The messages by state as ClickHouse counts them. */
  analytics?(id: string): Promise<Record<string, number>>;
  /** Where the groups stand in everything that they read. */
  positions?(): Promise<Position[]>;
}

/** What only the test knows. */
export interface Known {
  /** A process was killed, or a store: what reads behind it takes a while to be back. */
  readonly afterKill?: boolean;
  /** Nothing else is under way on this platform: the groups stand at the end of the log. */
  readonly drained?: boolean;
  readonly direct?: readonly string[];
  readonly unsure?: readonly string[];
  readonly calls?: readonly Call[];
  readonly maxAttempts?: number;
  readonly snapshots?: readonly CommitSnapshot[];
  /** Of providers of the test's own; otherwise the simulated one's journal. */
  readonly receipts?: readonly Receipt[];
  /** One reading for all campaigns of a trial, which have ended. */
  readonly log?: LogOfCampaigns;
}

/** The records of a topic under a campaign's key. */
export type LogOfCampaigns = (topic: string, campaignId: string) => Promise<readonly StreamRecord[]>;

/** Each topic is read once, when it is asked for first, and only what these campaigns have there is kept. */
export function logOf(client: StreamClient, campaignIds: readonly string[]): LogOfCampaigns {
  const keys = new Set(campaignIds);
  const topics = new Map<string, Promise<StreamRecord[]>>();
  return async (topic, campaignId) => {
    const reading = topics.get(topic) ?? readTopic(client, topic, keys);
    topics.set(topic, reading);
    return ofCampaign(await reading, campaignId);
  };
}

/**
 * The contract says 5 s after the terminal status, which the bench `freshness` measures. Here it is waited for: a machine
 * that is busy with something else makes it longer, and no test tells by the clock what a bench does.
 */
const SETTLE_MS = 20_000;
/** A sink that was just killed joins its group and reads first. */
const SETTLE_AFTER_KILL_MS = 30_000;

const header = (record: StreamRecord, name: string) => record.headers[name]?.toString() ?? '';
const ofCampaign = (records: readonly StreamRecord[], id: string) =>
  records.filter((record) => record.key?.toString() === id);

/** Added on the way: a dead letter's own headers, and a trace that a service begins where there was none. */
const ADDED: ReadonlySet<string> = new Set([...Object.values(DEAD_LETTER_HEADERS), HEADERS.traceparent]);

/** Key, value and headers as they first arrived, in one short text. */
function digestOf(record: StreamRecord): string {
  const hash = createHash('sha256');
  const add = (bytes: Buffer | null) => hash.update(`${bytes?.length ?? -1}:`).update(bytes ?? '');
  add(record.key);
  add(record.value);
  const headers = Object.entries(headersWithoutPast(record)).filter(([name]) => !ADDED.has(name));
  for (const [name, value] of headers.sort(([a], [b]) => (a < b ? -1 : 1))) add(Buffer.from(name)) && add(value);
  return hash.digest('base64url').slice(0, 22);
}

type Decode<T> = (record: StreamRecord) => Promise<T | undefined>;

/** Undefined: somebody else wrote it there, and it is no record of ours. */
function decoderOf<N extends 'Message' | 'DeliveryEvent'>(name: N, schemas: SchemaStore) {
  const decode = createDecoder(name, schemas);
  return async (record: StreamRecord) => {
    let decoded = decode(record.value);
    if (!decoded.ok && decoded.reason === 'needs_schema') {
      await schemas.load(decoded.schemaId);
      decoded = decode(record.value);
    }
    return decoded.ok ? decoded.value : undefined;
  };
}

async function messageOf(record: StreamRecord, decode: Decode<Message>): Promise<LogMessage> {
  const message = await decode(record);
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    messageId: header(record, HEADERS.messageId),
    run: message?.run ?? 0,
    ordinal: message?.ordinal ?? 0,
    recipient: message?.recipient ?? '',
    digest: digestOf(record),
    redrive: header(record, HEADERS.redrive),
  };
}

async function movedOf(record: StreamRecord, decode: Decode<Message>, topics: Topics): Promise<MovedMessage> {
  const past = pastOf(record);
  return {
    ...(await messageOf(record, decode)),
    tier: record.topic === topics.held ? 'held' : (record.topic.split('.').at(-1) ?? ''),
    attempts: past?.attempts ?? -1,
    deferrals: past?.deferrals ?? -1,
    notBeforeMs: past?.notBeforeMs ?? 0,
    origin: past?.origin ?? '',
  };
}

async function eventsIn(sources: Sources, log: LogOfCampaigns, campaignId: string): Promise<LogEvent[]> {
  const decode = decoderOf('DeliveryEvent', sources.schemas);
  const events: LogEvent[] = [];
  for (const record of await log(sources.topics.deliveries, campaignId)) {
    const e = await decode(record);
    if (e === undefined) continue;
    events.push({
      partition: record.partition,
      offset: record.offset,
      messageId: e.message_id,
      run: e.run,
      recipient: e.recipient,
      kind: e.kind,
      previousKind: e.previous_kind,
      attempt: e.attempt,
      deferrals: e.deferrals,
      tier: e.tier,
      reason: e.reason,
      occurredAtMs: e.occurred_at,
      providerMs: e.provider_ms,
      dlqPartition: e.dlq_partition,
      dlqOffset: e.dlq_offset,
    });
  }
  return events;
}

async function letterOf(record: StreamRecord, decode: Decode<Message>): Promise<DeadLetterAt> {
  return {
    partition: record.partition,
    offset: record.offset,
    messageId: header(record, HEADERS.messageId),
    run: (await decode(record))?.run ?? 0,
    reason: header(record, DEAD_LETTER_HEADERS.reason),
    digest: digestOf(record),
    origin: header(record, DEAD_LETTER_HEADERS.origin),
    truncated: header(record, DEAD_LETTER_HEADERS.truncated) !== '',
  };
}

/** The places of the groups once they stand at the log's end, or as they are when they do not come there in time. */
async function drainedPositions(sources: Sources): Promise<Position[] | undefined> {
  if (sources.positions === undefined) return undefined;
  let positions: Position[] = [];
  const drained = async () => {
    positions = await (sources.positions as () => Promise<Position[]>)();
    return positions.every((p) => p.end === p.start || p.committed >= p.end || p.topic === sources.topics.held);
  };
  await until('the groups stand at the end of the log', drained, {
    timeoutMs: SETTLE_AFTER_KILL_MS,
    everyMs: 250,
  }).catch(() => {});
  return positions;
}

/** A row can be seen a moment before its insert has reached every table; what does not come in time is the checker's. */
async function settledRollups(
  { rollups: read }: Sources,
  campaignId: string,
  events: readonly LogEvent[],
): Promise<RollupCell[] | undefined> {
  if (read === undefined) return undefined;
  const counted = marked(events).filter(({ isRepeat }) => !isRepeat).length;
  let cells: RollupCell[] = [];
  const complete = async () => {
    cells = await read(campaignId);
    const sum = (unit: RollupCell['unit']) =>
      cells.reduce((total, cell) => total + (cell.unit === unit ? cell.events : 0), 0);
    return sum('minute') >= counted && sum('hour') >= counted;
  };
  await until('the rollups are complete', complete, { timeoutMs: SETTLE_MS, everyMs: 100 }).catch(() => {});
  return cells;
}

/** Reads everything that is known of a campaign that has ended, once the analytics have caught up with the log. */
export async function collectHistory(
  sources: Sources,
  campaignId: string,
  expected: number,
  known: Known = {},
): Promise<History> {
  const positions = known.drained ? await drainedPositions(sources) : undefined;
  const { client, topics } = sources;
  const log = known.log ?? logOf(client, [campaignId]);
  const events = await eventsIn(sources, log, campaignId);
  const places = new Set(events.map((e) => `${e.partition}/${e.offset}`));
  let rows: StoredRow[] = [];
  await until(
    `all ${places.size} events of ${campaignId} are in ClickHouse`,
    async () => {
      rows = await sources.rows(campaignId);
      return new Set(rows.map((r) => `${r.partition}/${r.offset}`)).size >= places.size;
    },
    { timeoutMs: known.afterKill ? SETTLE_AFTER_KILL_MS : SETTLE_MS, everyMs: 100, seen: () => rows.length },
  );
  const rollups = await settledRollups(sources, campaignId, events);
  const read = async (names: readonly string[]) =>
    (await Promise.all(names.map((name) => log(name, campaignId)))).flat();
  const decode = decoderOf('Message', sources.schemas);
  const lanes = await read([topics.messages.bulk, topics.messages.transactional]);
  const moved = await read([...topics.retry, topics.held]);
  const letters = await read([topics.dlq]);
  const { direct, unsure, calls, maxAttempts, snapshots } = known;
  return {
    campaignId,
    expected,
    ...defined({ direct, unsure, calls, maxAttempts, snapshots, positions, rollups }),
    ...defined({ frozen: await sources.frozen?.(campaignId), analytics: await sources.analytics?.(campaignId) }),
    status: (await sources.campaign(campaignId)).status,
    stats: await sources.stats(campaignId),
    messages: await inTurn(lanes, (record) => messageOf(record, decode)),
    moved: await inTurn(moved, (record) => movedOf(record, decode, topics)),
    events,
    deadLetters: await inTurn(letters, (record) => letterOf(record, decode)),
    rows,
    receipts: receiptsOf(known.receipts ?? sources.receipts(), campaignId),
  };
}

async function inTurn<T, R>(items: readonly T[], make: (item: T) => Promise<R>): Promise<R[]> {
  const made: R[] = [];
  for (const item of items) made.push(await make(item));
  return made;
}

const defined = <T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;

/** Message ids share 64 bits with their campaign's, those of direct messages too. */
const receiptsOf = (receipts: readonly Receipt[], campaignId: string): Receipt[] =>
  receipts.filter((receipt) => receipt.messageId.startsWith(campaignId.slice(0, 18)));

/** The simulated provider's journal: `message id, attempt, epoch ms`, a line each acceptance. */
export const receiptsIn = (journal: string): Receipt[] =>
  journal
    .split('\n')
    // A kill in the middle of a write leaves a last line without its end.
    .filter((line) => /^\S+ \d+ \d+$/.test(line))
    .map((line) => {
      const [messageId = '', attempt = '0', atMs = '0'] = line.split(' ');
      return { messageId, attempt: Number(attempt), accepted: true, atMs: Number(atMs) };
    });
