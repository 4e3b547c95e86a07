/**
 * Statistics from the log once more: `npm run bench -- replay`, with `--events 5000000` (or VOLLEY_BENCH_EVENTS) for more.
 * - read and decoded, a core: the replay's own fill without a store, beside bare kafkajs and the decoder;
 * - into tables beside the live ones, beside the sink with the same backlog in the same run;
 * - the whole of it: compared, swapped with a sink that goes on, taken back. Fails when the tables are not equal.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { shortIdOf, suffixOf } from '../src/core/replay/tables.ts';
import type { TestDatabase } from '../test/clickhouse.ts';
import { openJobsTable } from '../test/replay/jobs-table.ts';
import { event, newCampaignId } from '../test/support.ts';
import { inDatabase, openLog, PARTITIONS, type Program, programOf, startProgram } from './support.ts';

const asked = /--events[= ](\d+)/.exec(process.argv.slice(2).join(' '))?.[1] ?? process.env.VOLLEY_BENCH_EVENTS;
const EACH = Math.floor(Number(asked ?? 1_200_000) / PARTITIONS);
const total = EACH * PARTITIONS;
const WARM_UP = 0.2;
const log = await openLog();
const say = (line: string) => process.stderr.write(`${line}\n`);

/** A campaign a partition and hour, as days of them would be. */
const campaigns = Array.from({ length: PARTITIONS }, newCampaignId);
const startMs = Date.now() - 4 * 3_600_000;
const eventOf = (partition: number, n: number) =>
  event(n, {
    campaign_id: campaigns[partition] as string,
    detail: `250 2.0.0 accepted as ${n}`,
    occurred_at: startMs + Math.floor((n * 4 * 3_600_000) / EACH),
    queued_at: startMs,
    provider_ms: 5 + (n % 11),
    e2e_ms: 40 + ((n * 7_919) % 900),
  });

async function fill(): Promise<void> {
  for (let from = 1; from <= EACH; from += 500)
    await log.producer.send(
      campaigns.flatMap((key, partition) =>
        Array.from({ length: Math.min(500, EACH - from + 1) }, (_, i) => {
          const value = log.encode(eventOf(partition, from + i));
          return { topic: log.topics.deliveries, partition, key, value };
        }),
      ),
    );
}

interface Rate {
  readonly perSecond: number;
  readonly cpuUs: number;
}

/** A program that says at its end what it came to. */
async function alone(program: string, place: object): Promise<Rate> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disable-warning=TimeoutNegativeWarning', programOf(program)],
    { env: { ...process.env, BARE: JSON.stringify({ ...place, total: String(total) }) }, maxBuffer: 1 << 20 },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Rate;
}

/** From the first rows of a table to all of them, without the first part. */
async function filled(db: TestDatabase, table: string, program: Program): Promise<Rate> {
  const until = async (count: number) => {
    for (;;) {
      program.check();
      const [found] = await db.rows<{ n: string }>(`SELECT count() AS n FROM ${table}`).catch(() => []);
      if (Number(found?.n ?? 0) >= count)
        return { atMs: performance.now(), count: Number(found?.n), cpuMs: program.usage().cpuMs };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const [from, to] = [await until(total * WARM_UP), await until(total)];
  const count = to.count - from.count;
  return { perSecond: count / ((to.atMs - from.atMs) / 1_000), cpuUs: ((to.cpuMs - from.cpuMs) * 1_000) / count };
}

const seconds = (fromMs: number) => (performance.now() - fromMs) / 1_000;

say(`writing ${total} events`);
await fill();
const place = { kafka: log.kafka, topic: log.topics.deliveries, namespace: log.namespace, registry: log.registry };
say('bare kafkajs, decoded');
const bare = await alone('./bare-decode.ts', { ...place, group: `${log.namespace}-bare` });
say('the replay, without a store');
const read = await alone('./replay-read.ts', place);

const jobs = await openJobsTable();
const shown = await inDatabase(async (db) => {
  const env = { ...log.sinkEnv(db), VOLLEY_POSTGRES_URL: jobs.url };
  say('the sink');
  const sink = startProgram(programOf('../src/main.ts'), env);
  const plain = await filled(db, 'delivery_raw', sink);
  say('the replay, beside an idle sink');
  const replay = startProgram(programOf('../src/replay.ts'), env);
  const startedMs = performance.now();
  const ranges = campaigns.map((_, partition) => ({ topic: log.topics.deliveries, partition, from: 0, to: EACH }));
  const id = await jobs.ask(ranges);
  const beside = await filled(db, `delivery_raw${suffixOf(shortIdOf(id))}`, replay);
  const filledS = seconds(startedMs);
  const { result, error } = await jobs.ended(id, 3_600_000);
  const swappedS = seconds(startedMs);
  if (result?.equal !== true || result.swapped !== true)
    throw new Error(`not swapped: ${error} ${JSON.stringify(result)}`);
  say('taken back');
  const undoneMs = performance.now();
  await jobs.request(id, 'undo_requested');
  const back = await jobs.ended(id, 3_600_000);
  if (back.result?.undone !== true) throw new Error(`not taken back: ${back.error}`);
  const undoS = seconds(undoneMs);
  const { peakMib } = replay.usage();
  await replay.stop();
  await sink.stop();
  return { plain, beside, filledS, swappedS, undoS, heldMs: result.held_ms ?? 0, peakMib };
});
await jobs.drop();
await log.close();
const rows = [
  { name: 'bare consume and decode, a core', value: 1e6 / bare.cpuUs, unit: 'events/s', note: 'by its CPU time' },
  {
    name: 'replay: read and decoded, a core',
    value: 1e6 / read.cpuUs,
    unit: 'events/s',
    floor: 'bare consume and decode, a core',
    note: 'also marked, made into rows and batched; by its CPU time',
  },
  { name: 'bare consume and decode', value: bare.perSecond, unit: 'events/s', note: 'by the clock' },
  { name: 'replay: read and decoded', value: read.perSecond, unit: 'events/s', floor: 'bare consume and decode' },
  { name: 'sink', value: shown.plain.perSecond, unit: 'events/s', note: 'the same backlog, into the live tables' },
  {
    name: 'replay',
    value: shown.beside.perSecond,
    unit: 'events/s',
    floor: 'sink',
    note: 'into tables beside, idle sink',
  },
  { name: 'sink, CPU', value: shown.plain.cpuUs, unit: 'µs an event' },
  { name: 'replay, CPU', value: shown.beside.cpuUs, unit: 'µs an event', floor: 'sink, CPU' },
  { name: 'filled after', value: shown.filledS, unit: 's' },
  { name: 'compared and swapped after', value: shown.swappedS, unit: 's' },
  { name: 'sinks stood still', value: shown.heldMs, unit: 'ms' },
  { name: 'taken back in', value: shown.undoS, unit: 's' },
  { name: 'replay, memory', value: shown.peakMib, unit: 'MiB', note: 'peak' },
];
process.stdout.write(`${JSON.stringify({ bench: `replay of analytics, ${total} events`, rows })}\n`, () =>
  process.exit(),
);
