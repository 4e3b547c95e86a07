/**
 * How long an event takes from the log's acknowledgement to an answer of ClickHouse that has it, at a steady rate, with the
 * sink as a process of its own. Times are exact to the interval at which it is asked.
 * `VOLLEY_TEST_KAFKA=… VOLLEY_TEST_REGISTRY=… VOLLEY_TEST_CLICKHOUSE=… node bench/freshness.bench.ts [events/s] [seconds]`.
 */
import { event, newCampaignId } from '../test/support.ts';
import { inDatabase, openLog, PARTITIONS, programOf, startProgram } from './support.ts';

const perSecond = Number(process.argv[2] ?? 5_000);
const seconds = Number(process.argv[3] ?? 20);
const ASK_MS = 50;
const WRITE_MS = 50;
const log = await openLog();

const [p50, p95, worst] = await inDatabase(async (db) => {
  const sink = startProgram(programOf('../src/main.ts'), log.sinkEnv(db));
  const campaigns = Array.from({ length: PARTITIONS }, newCampaignId);
  /** When the log had them, by partition and offset. */
  const written: number[][] = campaigns.map(() => []);
  const delays: number[] = [];
  const seen = campaigns.map(() => 0);

  async function ask(): Promise<void> {
    sink.check();
    const found = await db.rows<{ p: number; next: string }>(
      'SELECT source_partition AS p, max(source_offset) + 1 AS next FROM delivery_raw GROUP BY p',
    );
    const nowMs = performance.now();
    for (const { p, next } of found) {
      const of = written[p] as number[];
      for (let offset = seen[p] as number; offset < Math.min(Number(next), of.length); offset++)
        delays.push(nowMs - (of[offset] as number));
      seen[p] = Math.max(seen[p] as number, Math.min(Number(next), of.length));
    }
  }

  let sent = 0;
  const total = perSecond * seconds;
  const startedMs = performance.now();
  const asking = (async () => {
    while (delays.length < total) {
      await ask();
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
  })();
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedMs) / 1_000) * perSecond));
    const records = Array.from({ length: due - sent }, (_, i) => {
      const n = sent + i;
      const partition = n % PARTITIONS;
      const value = log.encode(event(n + 1, { campaign_id: campaigns[partition] as string }));
      return { topic: log.topics.deliveries, partition, key: null, value };
    });
    sent = due;
    const acks = await log.producer.send(records);
    const nowMs = performance.now();
    for (const { partition, offset } of acks) (written[partition] as number[])[offset] = nowMs;
    await new Promise((resolve) => setTimeout(resolve, WRITE_MS));
  }
  await asking;
  await sink.stop();
  // The first seconds are the start of the process.
  const sorted = delays.slice(perSecond * 3).sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] as number;
  return [at(0.5), at(0.95), at(1)];
});
await log.close();
const rows = [
  { name: 'event to queryable, p50', value: p50, unit: 'ms' },
  { name: 'event to queryable, p95', value: p95, unit: 'ms', note: 'wanted: under 2,000' },
  { name: 'event to queryable, slowest', value: worst, unit: 'ms' },
];
process.stdout.write(`${JSON.stringify({ bench: `sink freshness at ${perSecond} events/s`, rows })}\n`, () =>
  process.exit(),
);
