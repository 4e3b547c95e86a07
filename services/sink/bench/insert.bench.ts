/**
 * From encoded event to queryable row, beside the bare client inserting the same rows and beside a loop without any
 * guarantee, all in one run on one engine. `npm run bench -- insert`, or with VOLLEY_TEST_CLICKHOUSE set:
 * node services/sink/bench/insert.bench.ts [rows]
 */

import { Readable } from 'node:stream';
import { createDecoder, RECORD_TYPES } from '@volley/contract';
import { createFailpoints, createLogger, createMetrics, sleep, systemClock } from '@volley/runtime';
import type { TrackedRecord } from '@volley/stream';
import { RowText } from '../src/core/row-text.ts';
import { COLUMNS, toRow } from '../src/core/to-row.ts';
import { CATALOGUE } from '../src/metrics.ts';
import { createPipeline } from '../src/pipeline.ts';
import type { RowStore } from '../src/ports.ts';
import { createTestDatabase } from '../test/clickhouse.ts';
import { encode, event, newCampaignId } from '../test/support.ts';

const rows = Number(process.argv[2] ?? 300_000);
const BATCH = 50_000;
const PARTITIONS = 4;
const FETCH = 2_000;
const db = await createTestDatabase();
const results: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];

const campaign = newCampaignId();
const source = (i: number) => ({
  partition: i % PARTITIONS,
  offset: Math.floor(i / PARTITIONS),
  timestampMs: Date.now(),
});
const records: TrackedRecord[] = Array.from({ length: rows }, (_, i) => {
  const detail = `250 2.0.0 accepted as ${i}`;
  const kind = i % 10 === 0 ? 'deferred' : 'sent';
  const value = encode(event(i + 1, { campaign_id: campaign, detail, kind, e2e_ms: 40 + ((i * 7_919) % 900) }));
  const record = { topic: 'deliveries', key: Buffer.from(campaign), value, headers: {}, ...source(i) };
  return { record, epoch: 1, bytes: value.length };
});
const decode = createDecoder('DeliveryEvent', { get: () => RECORD_TYPES.DeliveryEvent, load: async () => {} });
const decoded = records.map(({ record }) => {
  const result = decode(record.value);
  if (!result.ok) throw new Error(result.reason);
  return { value: result.value, record };
});
const lineOf = ({ value, record }: (typeof decoded)[number]) => {
  const row = toRow(value, record, false);
  if (!row.ok) throw new Error(row.detail);
  return row.line;
};

async function measure(
  name: string,
  floor: string | undefined,
  work: () => void | Promise<void>,
  stored = true,
): Promise<void> {
  if (stored)
    for (const table of ['delivery_raw', 'delivery_by_minute'])
      await db.client.command({ query: `TRUNCATE TABLE ${table}` });
  const cpu = process.cpuUsage();
  const before = performance.now();
  await work();
  const seconds = (performance.now() - before) / 1_000;
  const used = process.cpuUsage(cpu);
  if (stored) {
    const [found] = await db.rows<{ n: string }>('SELECT count() AS n FROM delivery_raw');
    if (Number(found?.n) !== rows) throw new Error(`${name}: ${found?.n} of ${rows} rows`);
  }
  const cpuSeconds = ((used.user + used.system) / 1e6).toFixed(2);
  results.push({
    name,
    value: Math.round(rows / seconds),
    unit: 'rows/s',
    ...(floor ? { floor } : {}),
    note: `${cpuSeconds} s CPU of this process`,
  });
}

/** The pipeline as main wires it, fed from memory; resolves when every record is settled. */
async function throughPipeline(store: RowStore): Promise<void> {
  let left = rows;
  const watermarks = new Map(Array.from({ length: PARTITIONS }, (_, partition) => [partition, 0]));
  let done = () => {};
  const settled = new Promise<void>((resolve) => {
    done = resolve;
  });
  const pipeline = createPipeline({
    cluster: `bench-${performance.now()}`,
    topic: 'deliveries',
    deadLetterTopic: 'deliveries-dlq',
    limits: { maxRows: BATCH, maxBytes: 16_777_216, lingerMs: 500, maxInserts: 2, pressedBytes: 16_777_216 },
    schemas: { get: () => RECORD_TYPES.DeliveryEvent, load: async () => ({ ok: true }) },
    store,
    deadLetters: { send: async () => ({ ok: true }) },
    progress: {
      settleTo({ partition, to }) {
        left -= to - (watermarks.get(partition) ?? 0);
        watermarks.set(partition, to);
        if (left === 0) done();
      },
      commitNow: async () => {
        // What a commit does: it asks each partition for what is to stand beside its offset.
        for (const [partition, watermark] of watermarks)
          pipeline.handler.metadata({ topic: 'deliveries', partition }, watermark, false);
        return 'committed';
      },
      isMember: () => true,
      release: () => {},
      stopPartition(partition, why) {
        throw new Error(`${partition}: ${why}`);
      },
    },
    clock: systemClock,
    waitBefore: () => 100,
    sleep,
    failpoints: createFailpoints(undefined),
    metrics: createMetrics(CATALOGUE, false).m,
    log: { startOf: async () => ({ ok: true, start: 0 }), read: async () => ({ ok: true }) },
    logger: createLogger('bench', 'silent'),
    onFatal: (error) => {
      throw error;
    },
  });
  pipeline.handler.onAssigned(
    [...watermarks.keys()].map((partition) => ({
      topic: 'deliveries',
      partition,
      committed: 0,
      metadata: '',
      logEnd: 0,
    })),
    1,
  );
  const byPartition = [...Map.groupBy(records, ({ record }) => record.partition).values()];
  for (let at = 0; at < rows / PARTITIONS; at += FETCH) {
    for (const own of byPartition) pipeline.handler.onRecords(own.slice(at, at + FETCH), rows);
    // A fetch is a turn of the event loop: the inserts go on beside it.
    await new Promise((resolve) => setImmediate(resolve));
  }
  pipeline.flush();
  await settled;
  pipeline.close();
}

const batches = async (insert: (from: number) => Promise<unknown>) => {
  for (let from = 0; from < rows; from += BATCH) await insert(from);
};
/** The other text that both sides take: what toRow would cost as TabSeparated. */
const TO_ESCAPE = /[\\\t\n\r\0\b\f]/;
const cell = (value: unknown) => {
  if (value === null) return '\\N';
  const text = String(value);
  return TO_ESCAPE.test(text) ? text.replace(/[\\\t\n\r]/g, (c) => `\\${c}`) : text;
};
const tabbedOf = ({ value: e, record: r }: (typeof decoded)[number]) =>
  `${e.message_id}\t${e.run}\t${cell(e.tenant_id)}\t${cell(e.campaign_id)}\t${e.ordinal}\t${cell(e.recipient)}\t${e.kind}\t${cell(e.previous_kind)}\t` +
  `${e.attempt}\t${e.deferrals}\t${cell(e.tier)}\t${cell(e.lane)}\t${cell(e.channel)}\t${cell(e.provider)}\t${cell(e.reason)}\t${cell(e.detail)}\t` +
  `${e.queued_at}\t${e.occurred_at}\t${e.provider_ms}\t${e.e2e_ms}\t${cell(e.dlq_partition)}\t${cell(e.dlq_offset)}\t` +
  `${r.partition}\t${r.offset}\t${r.timestampMs}\tfalse\n`;
const lines = decoded.map(lineOf);
const tabbed = decoded.map(tabbedOf);
const arrays = lines.map((line) => JSON.parse(line) as unknown[]);
const BARE = 'bare client, rows in memory';
const LOOP = 'bare loop, no guarantee';

for (const round of ['warm-up', 'measured']) {
  results.length = 0;
  await measure(BARE, undefined, () =>
    batches((from) =>
      db.client.insert({
        table: `delivery_raw (${COLUMNS.join(', ')})`,
        values: arrays.slice(from, from + BATCH),
        format: 'JSONCompactEachRow',
      }),
    ),
  );
  await measure(LOOP, BARE, () =>
    batches((from) =>
      db.client.insert({
        table: 'delivery_raw',
        values: records.slice(from, from + BATCH).map(({ record }) => {
          const result = decode(record.value);
          if (!result.ok) throw new Error(result.reason);
          const { partition, offset, timestampMs } = record;
          return { ...result.value, source_partition: partition, source_offset: offset, appended_at: timestampMs };
        }),
        format: 'JSONEachRow',
      }),
    ),
  );
  await measure('row store, lines in memory', BARE, () =>
    batches(async (from) => {
      const to = Math.min(from + BATCH, rows);
      const token = `${round}:${from}`;
      const answer = await db.store.insert({ partition: 0, from, to, rows: RowText.of(lines.slice(from, to)), token });
      if (!answer.ok) throw new Error(answer.error);
    }),
  );
  await measure('as TabSeparated, lines in memory', BARE, () =>
    batches((from) =>
      db.client.insert({
        table: `delivery_raw (${COLUMNS.join(', ')})`,
        values: Readable.from([Buffer.from(tabbed.slice(from, from + BATCH).join(''))], { objectMode: false }),
        format: 'TabSeparated',
        clickhouse_settings: { input_format_parallel_parsing: 0 },
      }),
    ),
  );
  await measure('the sink, from encoded events', LOOP, () => throughPipeline(db.store));
  const nowhere: RowStore = { ...db.store, insert: async () => ({ ok: true }) };
  await measure('the sink without a store: decode, row, batch', undefined, () => throughPipeline(nowhere), false);
  await measure('row text alone', undefined, () => void decoded.map(lineOf), false);
  await measure('row text as TabSeparated alone', undefined, () => void decoded.map(tabbedOf), false);
}
await db.drop();
for (const { name, value, note, floor } of results) {
  const ratio = floor ? ` ${(value / (results.find((r) => r.name === floor)?.value ?? 1)).toFixed(2)} x ${floor}` : '';
  process.stderr.write(`${name.padEnd(48)} ${String(value).padStart(9)} rows/s  ${note}${ratio}\n`);
}
process.stdout.write(`${JSON.stringify({ bench: 'sink insert', rows: results })}\n`);
