/**
 * From the log to queryable, the sink as a process of its own with a backlog behind, beside
 * - the bare engine: the same rows, already text in memory, inserted in batches of the same size;
 * - a bare loop: consume, decode, insert, commit, without any guarantee.
 * All into tables with the same rollups, in one run. Machines that are shared are slow by turns: the loop and the sink go one
 * after the other, ROUNDS times, and the pair with the median ratio is told. `VOLLEY_TEST_KAFKA=… VOLLEY_TEST_REGISTRY=… VOLLEY_TEST_CLICKHOUSE=…
 * node bench/sink.bench.ts [events]`. `VOLLEY_BENCH_NODE_ARGS=--cpu-prof` profiles both processes.
 */
import { Readable } from 'node:stream';
import { groupsOf } from '@volley/contract';
import { COLUMNS, toRow } from '../src/core/to-row.ts';
import type { TestDatabase } from '../test/clickhouse.ts';
import { event, newCampaignId } from '../test/support.ts';
import { inDatabase, medianOf, openLog, PARTITIONS, programOf, startProgram } from './support.ts';

const total = Math.floor(Number(process.argv[2] ?? 600_000) / PARTITIONS) * PARTITIONS;
const EACH = total / PARTITIONS;
const BATCH = 50_000;
const ROUNDS = 5;
/** Until then code is compiled and connections are made. */
const WARM_UP = 0.2;
const log = await openLog();
const say = (line: string) => process.stderr.write(`${line}\n`);

const campaigns = Array.from({ length: PARTITIONS }, newCampaignId);
const startMs = Date.now() - 600_000;
const eventOf = (partition: number, n: number) =>
  event(n, {
    campaign_id: campaigns[partition] as string,
    detail: `250 2.0.0 accepted as ${n}`,
    occurred_at: startMs + Math.floor((n * 600_000) / EACH),
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

/** Runs a program until every row can be read; the first part of them is its warm-up. */
async function run(program: string, env: Record<string, string>, db: TestDatabase) {
  const child = startProgram(program, env);
  const until = async (count: number) => {
    for (;;) {
      child.check();
      const [found] = await db.rows<{ n: string }>('SELECT count() AS n FROM delivery_raw');
      const now = Number(found?.n);
      if (now >= count) return { atMs: performance.now(), count: now, cpuMs: child.usage().cpuMs };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const from = await until(total * WARM_UP);
  const to = await until(total);
  const { peakMib } = child.usage();
  await child.stop();
  const count = to.count - from.count;
  const cpuUs = ((to.cpuMs - from.cpuMs) * 1_000) / count;
  return { perSecond: count / ((to.atMs - from.atMs) / 1_000), peakMib, cpuUs };
}

const sink = () => inDatabase((db) => run(programOf('../src/main.ts'), log.sinkEnv(db), db));
const bare = (round: number) =>
  inDatabase((db) => {
    const { kafka, topics } = log;
    const place = {
      kafka,
      topic: topics.deliveries,
      group: `${log.namespace}-bare-${round}`,
      clickhouse: db.url,
      database: db.name,
    };
    return run(programOf('./bare-sink.ts'), { BARE: JSON.stringify({ ...place, batch: BATCH }) }, db);
  });

/** A batch is one partition's, as the sink's are. */
const engine = () =>
  inDatabase(async (db) => {
    const texts: Buffer[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++)
      for (let from = 0; from < EACH; from += BATCH) {
        const lines = Array.from({ length: Math.min(BATCH, EACH - from) }, (_, i) => {
          const offset = from + i;
          const row = toRow(eventOf(partition, offset + 1), { partition, offset, timestampMs: Date.now() }, false);
          if (!row.ok) throw new Error(row.detail);
          return row.line;
        });
        texts.push(Buffer.from(`${lines.join('\n')}\n`));
      }
    const query = `INSERT INTO delivery_raw (${COLUMNS.join(', ')}) FORMAT JSONCompactEachRow`;
    const startedMs = performance.now();
    for (const text of texts) {
      const { stream } = await db.client.exec({ query, values: Readable.from([text], { objectMode: false }) });
      for await (const _ of stream);
    }
    return total / ((performance.now() - startedMs) / 1_000);
  });

say(`writing ${total} events`);
await fill();
say('bare engine');
const inserted = await engine();
const pairs: { floor: Awaited<ReturnType<typeof bare>>; ours: Awaited<ReturnType<typeof sink>> }[] = [];
for (let round = 1; round <= ROUNDS; round++) {
  const floor = await bare(round);
  const ours = await sink();
  await log.forget(groupsOf(log.namespace).sink);
  pairs.push({ floor, ours });
  say(`round ${round}: bare loop ${Math.round(floor.perSecond)}, sink ${Math.round(ours.perSecond)} events/s`);
}
await log.close();
const ratioOf = ({ floor, ours }: (typeof pairs)[number]) => ours.perSecond / floor.perSecond;
const { floor, ours } = medianOf(pairs, ratioOf);
const ratios = pairs.map((pair) => ratioOf(pair).toFixed(2)).join(', ');
const loop = 'bare loop';
const rows = [
  { name: 'bare engine', value: inserted, unit: 'rows/s', note: `text in memory, inserts of up to ${BATCH}` },
  {
    name: loop,
    value: floor.perSecond,
    unit: 'events/s',
    floor: 'bare engine',
    note: 'consume, decode, insert, commit',
  },
  {
    name: 'sink',
    value: ours.perSecond,
    unit: 'events/s',
    floor: loop,
    note: `from the log to queryable; by rounds ${ratios}`,
  },
  { name: 'bare loop, CPU', value: floor.cpuUs, unit: 'µs an event' },
  { name: 'sink, CPU', value: ours.cpuUs, unit: 'µs an event', floor: 'bare loop, CPU' },
  { name: 'bare loop, memory', value: floor.peakMib, unit: 'MiB', note: 'peak' },
  { name: 'sink, memory', value: ours.peakMib, unit: 'MiB', floor: 'bare loop, memory', note: 'peak' },
];
process.stdout.write(`${JSON.stringify({ bench: `sink on a real log, ${total} behind`, rows })}\n`, () =>
  process.exit(),
);
