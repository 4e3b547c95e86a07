/**
 * 1, 2 and 3 sinks with the same backlog behind: how fast it becomes queryable, and what an event costs the sinks and the engine.
 * `npm run bench -- sinks`. The engine and the log are on the same cores, so costs say more than rates.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { sinkGroup } from '../src/adapters/sink-group.ts';
import { event, newCampaignId } from '../test/support.ts';
import { inDatabase, openLog, PARTITIONS, programOf, startProgram } from './support.ts';

const EACH = 20_000;
const TOTAL = EACH * PARTITIONS;
const MOST = 3;
const ROUNDS = 3;
/** Of each partition; stored before anything is measured, so that code is compiled and connections are made. */
const WARM_UP = 5_000;
/** Sinks that stand still for longer than this may lose their partitions (the session is 10 s). */
const STILL_MS = 8_000;
/** From the last member's arrival until all of them have their partitions. */
const SETTLED_MS = 3_000;

const { clickhouse: enginePid } = JSON.parse(process.env.VOLLEY_TEST_PIDS ?? '{}') as { clickhouse?: number };
function engineCpuMs(): number {
  if (enginePid === undefined) return Number.NaN;
  const stat = readFileSync(`/proc/${enginePid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

interface Measured {
  readonly perSecond: number;
  /** Of all sinks together. */
  readonly sinkUs: number;
  readonly engineUs: number;
}

/** A log of its own each time: offsets of the group belong to it. */
async function measure(sinks: number): Promise<Measured> {
  const log = await openLog();
  const startMs = Date.now() - 600_000;
  const keys = Array.from({ length: PARTITIONS }, newCampaignId);
  const batchOf = (batch: number) =>
    keys.flatMap((key, partition) =>
      Array.from({ length: 500 }, (_, i) => {
        const n = batch * 500 + i + 1;
        const times = { occurred_at: startMs + Math.floor((n * 600_000) / EACH), queued_at: startMs };
        const value = log.encode(event(n, { campaign_id: key, ...times, provider_ms: 5 + (n % 11), e2e_ms: 40 + n }));
        return { topic: log.topics.deliveries, partition, key, value };
      }),
    );
  const batches = Array.from({ length: (WARM_UP + EACH) / 500 }, (_, batch) => batchOf(batch));
  try {
    return await inDatabase(async (db) => {
      const program = programOf('../src/main.ts');
      const running = Array.from({ length: sinks }, (_, slot) =>
        startProgram(program, { ...log.sinkEnv(db), VOLLEY_SLOT: String(slot) }),
      );
      const { kafka, namespace } = log;
      for (let members = 0; members < sinks; await sleep(200)) {
        for (const sink of running) sink.check();
        members = (await sinkGroup({ brokers: [kafka], namespace })).members.length;
      }
      await sleep(SETTLED_MS);
      const until = async (count: number) => {
        for (;;) {
          for (const sink of running) sink.check();
          const [found] = await db.rows<{ n: string }>('SELECT count() AS n FROM delivery_raw');
          const rows = Number(found?.n);
          const sinkMs = running.reduce((sum, sink) => sum + sink.usage().cpuMs, 0);
          if (rows >= count) return { atMs: performance.now(), rows, sinkMs, engineMs: engineCpuMs() };
          await sleep(20);
        }
      };
      const warm = WARM_UP * PARTITIONS;
      for (const batch of batches.splice(0, WARM_UP / 500)) await log.producer.send(batch);
      await until(warm);
      // They stand still while the log is filled, so that all of them begin at the same moment with all of it behind.
      const stillMs = performance.now();
      for (const sink of running) sink.signal('SIGSTOP');
      for (const batch of batches) await log.producer.send(batch);
      if (performance.now() - stillMs > STILL_MS)
        throw new Error('the log was filled too slowly: nothing was measured');
      const from = await until(warm);
      for (const sink of running) sink.signal('SIGCONT');
      const to = await until(warm + TOTAL);
      await Promise.all(running.map((sink) => sink.stop()));
      if (to.rows !== warm + TOTAL) throw new Error(`${to.rows} rows of ${warm + TOTAL} events`);
      const rows = to.rows - from.rows;
      const usOf = (ms: number) => (ms * 1_000) / rows;
      return {
        perSecond: rows / ((to.atMs - from.atMs) / 1_000),
        sinkUs: usOf(to.sinkMs - from.sinkMs),
        engineUs: usOf(to.engineMs - from.engineMs),
      };
    });
  } finally {
    await log.close();
  }
}

const runs = Array.from({ length: MOST }, (): Measured[] => []);
for (let round = 0; round < ROUNDS; round++)
  for (let sinks = 1; sinks <= MOST; sinks++) {
    const measured = await measure(sinks);
    runs[sinks - 1]?.push(measured);
    process.stderr.write(`${sinks}: ${Math.round(measured.perSecond)} events/s\n`);
  }
const median = (of: readonly number[]) => [...of].sort((a, b) => a - b)[of.length >> 1] as number;
const rowsOf = (name: string, unit: string, of: (measured: Measured) => number) =>
  runs.map((each, i) => ({
    ...{ name: `${i + 1}${name}`, value: median(each.map(of)), unit },
    ...(i === 0 ? {} : { floor: `1${name}` }),
  }));
const rows = [
  ...rowsOf(' at work', 'events/s', (m) => m.perSecond),
  ...rowsOf(', CPU of the sinks', 'µs an event', (m) => m.sinkUs),
  ...rowsOf(', CPU of the engine', 'µs an event', (m) => m.engineUs),
];
const bench = `1, 2 and 3 sinks, ${TOTAL.toLocaleString('en-US')} events behind, median of ${ROUNDS}`;
process.stdout.write(`${JSON.stringify({ bench, rows })}\n`, () => process.exit());
