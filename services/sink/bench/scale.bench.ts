/**
 * What more events cost: disk, the statistics of one campaign, a page of messages, the insert of a batch, at two sizes of
 * the same generated history. `npm run bench -- scale`, or with VOLLEY_TEST_CLICKHOUSE set:
 * node services/sink/bench/scale.bench.ts [events [events at first]]
 */

import { readFileSync } from 'node:fs';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { RowText } from '../src/core/row-text.ts';
import { COLUMNS } from '../src/core/to-row.ts';
import { createTestDatabase } from '../test/clickhouse.ts';
import { BESIDE, campaignIdSql, generatedEvents } from '../test/tables/generated-events.ts';

const total = Number(process.argv[2] ?? 5_000_000);
const first = Number(process.argv[3] ?? 1_000_000);
const MESSAGES = 100_000;
const BATCH = 50_000;
const BATCHES = 20;
const CHUNK = 500_000;
const QUESTIONS = 100;
const db = await createTestDatabase();
/** A filling takes as long as it takes. */
const patient = createClient({
  url: db.url,
  database: db.name,
  request_timeout: 600_000,
  log: { level: ClickHouseLogLevel.OFF },
});
const results: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];
const history = {
  messagesACampaign: MESSAGES,
  eventsASecond: 2_000,
  // Long enough ago that all of it lies in the past, and a whole number of days, so that runs are alike.
  startMs: (Math.floor(Date.now() / 86_400_000) - Math.ceil(total / 2_000 / 86_400) - 2) * 86_400_000,
};
const say = (line: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);

/** CPU time of the engine so far: on a machine that does other things as well it says more than the clock. */
const { clickhouse: enginePid } = JSON.parse(process.env.VOLLEY_TEST_PIDS ?? '{}') as { clickhouse?: number };
function engineCpuMs(): number {
  if (enginePid === undefined) return Number.NaN;
  const stat = readFileSync(`/proc/${enginePid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

let written = 0;
async function fillTo(events: number): Promise<void> {
  const before = performance.now();
  const from = written;
  for (; written < events; written += CHUNK) {
    const rows = Math.min(CHUNK, events - written);
    await patient.command({
      query: `INSERT INTO delivery_raw (${COLUMNS.join(', ')}) ${generatedEvents({ ...history, from: written, rows })}`,
      // Blocks as large as the largest insert of the sink; the engine's own defaults take more memory than it has here.
      clickhouse_settings: { max_block_size: '65536', min_insert_block_size_rows: '100000', max_insert_threads: '1' },
    });
    if (written % 10_000_000 === 0) say(`${written} events`);
  }
  written = events;
  say(`${events} events, ${Math.round((events - from) / ((performance.now() - before) / 1_000))} a second`);
}

/** Merges go on after a filling: figures are of a table at rest. */
async function atRest(): Promise<void> {
  const started = performance.now();
  for (let quiet = 0; quiet < 5 && performance.now() - started < 600_000; ) {
    const [running] = await db.rows<{ n: string }>(
      `SELECT count() AS n FROM system.merges WHERE database = '${db.name}'`,
    );
    quiet = Number(running?.n) === 0 ? quiet + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const sorted = (times: number[]) => times.sort((a, b) => a - b);
const at = (times: readonly number[], level: number) =>
  times[Math.min(times.length - 1, Math.floor(level * times.length))] as number;

interface Taken {
  /** Milliseconds of each, sorted. */
  readonly times: number[];
  /** The same by the engine's own clock: without HTTP, the connection and its settings. */
  readonly atEngine: number[];
  /** Of the engine for each, merges included. */
  readonly cpuMs: number;
}

/** Milliseconds of each, asked for different campaigns, after three that open what has to be opened. */
async function timesOf(question: (campaign: string, i: number) => string): Promise<Taken> {
  const ended = Math.floor(written / (MESSAGES * 1.1 * BESIDE)) * BESIDE;
  const campaigns = await db.rows<{ id: string }>(
    `SELECT ${campaignIdSql('number')} AS id FROM numbers(${Math.max(BESIDE, ended)})`,
  );
  const times: number[] = [];
  const atEngine: number[] = [];
  let cpuMs = 0;
  for (let i = -3; i < QUESTIONS; i++) {
    if (i === 0) cpuMs = engineCpuMs();
    const campaign = campaigns[(Math.abs(i) * 7_919) % campaigns.length]?.id as string;
    const before = performance.now();
    const answer = await db.client.query({ query: question(campaign, Math.abs(i)), format: 'JSONEachRow' });
    await answer.json();
    if (i < 0) continue;
    times.push(performance.now() - before);
    atEngine.push(Number(JSON.parse(String(answer.response_headers['x-clickhouse-summary'])).elapsed_ns) / 1e6);
  }
  return { times: sorted(times), atEngine: sorted(atEngine), cpuMs: (engineCpuMs() - cpuMs) / QUESTIONS };
}

async function insertBatches(): Promise<Omit<Taken, 'atEngine'>> {
  const times: number[] = [];
  let cpuMs = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    const from = written + batch * BATCH;
    const answer = await db.client.query({
      query: `SELECT * FROM (${generatedEvents({ ...history, from, rows: BATCH })})`,
      format: 'JSONCompactEachRow',
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    });
    const lines = (await answer.text()).split('\n').filter(Boolean);
    const cpuBefore = engineCpuMs();
    const before = performance.now();
    const range = { partition: 0, from, to: from + BATCH, token: `batch:${from}` };
    const stored = await db.store.insert({ ...range, rows: RowText.of(lines) });
    if (!stored.ok) throw new Error(stored.error);
    times.push(performance.now() - before);
    cpuMs += engineCpuMs() - cpuBefore;
  }
  written += BATCHES * BATCH;
  return { times: sorted(times), cpuMs: cpuMs / BATCHES };
}

const WHERE = "tenant_id = 'default' AND campaign_id =";
const measured = new Set<string>();
async function measure(): Promise<void> {
  const inserts = await insertBatches();
  await atRest();
  const events = written;
  const size = `${(events / 1e6).toFixed(0)} M events`;
  const add = (name: string, value: number, unit: string, note?: string) => {
    const floor = [...measured].find((known) => known.startsWith(`${name}, `));
    results.push({ name: `${name}, ${size}`, value, unit, ...(floor ? { floor } : {}), ...(note ? { note } : {}) });
    if (!floor) measured.add(`${name}, ${size}`);
    say(`${name}, ${size}: ${value.toFixed(2)} ${unit} ${note ?? ''}`);
  };
  const insertNote = `batches of ${BATCH}, median of ${BATCHES}, CPU ${inserts.cpuMs.toFixed(0)} ms a batch`;
  add('insert rate', Math.round(BATCH / (at(inserts.times, 0.5) / 1_000)), 'rows/s', insertNote);
  const parts = await db.rows<{ table: string; bytes: string; rows: string; parts: string }>(
    `SELECT table, sum(bytes_on_disk) AS bytes, sum(rows) AS rows, count() AS parts FROM system.parts
     WHERE database = '${db.name}' AND active AND table != 'schema_migrations' GROUP BY table ORDER BY bytes DESC`,
  );
  const bytes = parts.reduce((sum, p) => sum + Number(p.bytes), 0);
  add(
    'disk',
    bytes / events,
    'bytes/event',
    parts.map((p) => `${p.table} ${(Number(p.bytes) / events).toFixed(2)} in ${p.parts} parts`).join(', '),
  );
  const questions: [string, (campaign: string, i: number) => string][] = [
    ['no question at all', () => 'SELECT 1'],
    [
      'stats of one campaign',
      // As the API asks.
      (c) => `WITH quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(e2e_ms) AS percentiles
        SELECT percentiles[1] AS p50_ms, percentiles[2] AS p95_ms, percentiles[3] AS p99_ms
        FROM delivery_by_campaign WHERE ${WHERE} '${c}' AND kind = 'sent' HAVING count() > 0`,
    ],
    ['all columns of campaign_stats', (c) => `SELECT * FROM campaign_stats WHERE ${WHERE} '${c}'`],
    [
      'page of messages',
      (c, i) =>
        `SELECT * FROM message_list WHERE ${WHERE} '${c}' AND ordinal > ${(i * 997) % MESSAGES} ORDER BY ordinal, message_id LIMIT 100`,
    ],
    [
      'page of failed messages',
      (c, i) =>
        `SELECT * FROM message_list WHERE ${WHERE} '${c}' AND ordinal > ${(i * 997) % MESSAGES} AND state = 'failed' ORDER BY ordinal, message_id LIMIT 100`,
    ],
    ['failures by reason', (c) => `SELECT * FROM failure_reasons WHERE ${WHERE} '${c}'`],
    [
      'dead letters of one campaign',
      (c) => `SELECT * FROM dead_letters WHERE ${WHERE} '${c}' ORDER BY campaign_id, message_id LIMIT 100`,
    ],
    [
      'latency per minute of one campaign',
      (c) => `SELECT * FROM latency_per_minute WHERE ${WHERE} '${c}' ORDER BY minute`,
    ],
    [
      'stats of one campaign from raw rows',
      (c) => `SELECT state, count() FROM message_states WHERE ${WHERE} '${c}' GROUP BY state`,
    ],
    [
      'throughput of all campaigns, last hour',
      () =>
        `SELECT minute, sum(sent) FROM throughput_per_minute WHERE minute > fromUnixTimestamp64Milli(${Math.floor(history.startMs + events / 2 - 3_600_000)}) GROUP BY minute`,
    ],
  ];
  for (const [name, question] of questions) {
    const { times, atEngine, cpuMs } = await timesOf(question);
    const note = `p50 ${at(times, 0.5).toFixed(2)}, at the engine p50 ${at(atEngine, 0.5).toFixed(2)}, p95 ${at(atEngine, 0.95).toFixed(2)}, CPU ${cpuMs.toFixed(1)} ms, ${QUESTIONS} questions over HTTP`;
    add(`${name}, p95`, at(times, 0.95), 'ms', note);
  }
}

await fillTo(first - BATCHES * BATCH > 0 ? first - BATCHES * BATCH : first);
await atRest();
await measure();
await fillTo(total - BATCHES * BATCH);
await atRest();
await measure();
await patient.close();
await db.drop();
for (const { name, value, unit, note } of results)
  process.stderr.write(`${name.padEnd(52)} ${value.toFixed(2).padStart(12)} ${unit}  ${note ?? ''}\n`);
process.stdout.write(`${JSON.stringify({ bench: 'sink scale', rows: results })}\n`);
