import type { InsertFault } from '../../support/clickhouse-front.ts';
import { readTopic } from '../../support/topic-reader.ts';
import { until } from '../../support/until.ts';
import { underLoad } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import { analyticsOf, exact, logOfSink, readingOf, standingOf, untilStored, untilThisIsStored } from '../kit/sinks.ts';
import type { Trial } from '../kit/trial.ts';
import { INSERT_TIMEOUT_MS } from '../kit/world.ts';

const CAMPAIGNS = 6;
/** From the end of a fault to the next range that is stored: at most 5 s between two tries of an insert, and the insert. */
const BACK_WITHIN_S = 15;
const CATCH_UP = 5;

const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const isFull = (trial: Trial) => trial.messages >= 5_000;

const lettersIn = async ({ p }: Trial) => (await readTopic(p.client, p.topics.deliveriesDlq)).length;
const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);

/** While `during` runs nothing is given up and no offset passes what is not stored, and messages go out as before. */
async function standsStill(trial: Trial, what: string, perSecond: number, during: () => Promise<void>): Promise<void> {
  const reading = readingOf(trial);
  const letters = await lettersIn(trial);
  // What was stored just before is committed with the next tick.
  await lasting(1_500);
  const before = await standingOf(reading);
  const [sent, sinceMs] = [trial.receipts().length, performance.now()];
  await during();
  const after = await standingOf(reading);
  const moved = sumOf(after.committed) - sumOf(before.committed);
  trial.must(moved === 0, `${what}: ${moved} records were committed while nothing could be stored`);
  trial.must((await lettersIn(trial)) === letters, `${what}: events became dead letters`);
  const rate = (trial.receipts().length - sent) / ((performance.now() - sinceMs) / 1_000);
  trial.must(rate >= 0.7 * perSecond, `${what}: ${rate.toFixed(0)} messages a second went out, not ${perSecond}`);
}

/**
 * From the end of a fault until all that the log had then is stored; answers how many a second were stored from the first
 * range on.
 */
async function untilCaughtUp(trial: Trial, what: string): Promise<number> {
  const reading = readingOf(trial);
  const endedMs = performance.now();
  const then = await standingOf(reading);
  const from = sumOf(then.committed);
  let begunMs = 0;
  const to = await until(
    'what waited is stored',
    async () => {
      const { committed } = await standingOf(reading);
      if (begunMs === 0 && sumOf(committed) > from) {
        begunMs = performance.now();
        trial.recovered(begunMs - endedMs);
        const afterS = (begunMs - endedMs) / 1_000;
        trial.must(afterS < BACK_WITHIN_S, `${what}: nothing was stored for ${afterS.toFixed(1)} s after it`);
      }
      return committed.every((offset, partition) => offset >= (then.ends[partition] ?? 0)) && sumOf(committed);
    },
    { timeoutMs: 180_000, everyMs: 50 },
  );
  return (to - from) / Math.max(0.1, (performance.now() - begunMs) / 1_000);
}

interface Trouble {
  readonly what: string;
  /** As the sink's log has it. */
  readonly says: RegExp;
  begin(trial: Trial): Promise<void> | void;
  end(trial: Trial): Promise<void> | void;
}

/** Inserts meet this in front of the engine. */
const inFront = (what: string, says: RegExp, fault: InsertFault): Trouble => ({
  what,
  says,
  begin: (trial) => analyticsOf(trial).front.set(fault),
  end: (trial) => analyticsOf(trial).front.set(undefined),
});

const TROUBLES: readonly Trouble[] = [
  {
    what: 'too many parts (252)',
    says: /252 TOO_MANY_PARTS/,
    async begin({ p }) {
      await p.clickhouse.query('ALTER TABLE delivery_raw MODIFY SETTING parts_to_throw_insert = 1');
    },
    async end({ p }) {
      await p.clickhouse.query('ALTER TABLE delivery_raw RESET SETTING parts_to_throw_insert');
    },
  },
  inFront('out of memory (241)', /241 MEMORY_LIMIT_EXCEEDED/, {
    kind: 'set',
    settings: { max_memory_usage: '100000' },
  }),
  inFront('read-only (164)', /164 READONLY/, { kind: 'set', settings: { readonly: '1' } }),
  inFront('stored, and the status unknown (319)', /319 UNKNOWN_STATUS_OF_INSERT/, {
    kind: 'say',
    code: 319,
    name: 'UNKNOWN_STATUS_OF_INSERT',
    done: true,
  }),
];

export const CLICKHOUSE: Family = {
  name: 'ClickHouse',
  world: 'analytics',
  scenarios: [
    {
      id: 'F30',
      fault: 'ClickHouse dies, is away for a minute, and comes back',
      expected: `delivery as before; no dead letter, no commit; statistics answer or say 503; then at least ${CATCH_UP} times as fast as the load; all exact`,
      injected: 'SIGKILL of the engine under load; started again over the same data',
      short: true,
      async run(trial) {
        const { p } = trial;
        const { engine } = analyticsOf(trial);
        const awayMs = isFull(trial) ? 60_000 : 4_000;
        const perSecond = isFull(trial) ? 300 : 200;
        const round = Math.max(trial.messages, Math.ceil((perSecond * (awayMs + 15_000)) / 1_000));
        const campaigns = await underLoad(trial, { perSecond, campaigns: CAMPAIGNS, round }, async (load) => {
          engine.kill();
          trial.died();
          const id = load.sent[0]?.id as string;
          const answers: number[] = [];
          await standsStill(trial, 'away', perSecond, async () => {
            const endMs = performance.now() + awayMs;
            while (performance.now() < endMs) {
              const startedMs = performance.now();
              const { status, headers } = await p.api.call('GET', `/v1/campaigns/${id}/stats`, { timeoutMs: 10_000 });
              const clear = status === 200 || (status === 503 && headers.get('retry-after') !== null);
              trial.must(clear, `the statistics of a campaign were answered with ${status}`);
              trial.must(performance.now() - startedMs < 5_000, 'the statistics kept their reader waiting');
              answers.push(status);
              await lasting(500);
            }
          });
          await engine.restart();
          const rate = await untilCaughtUp(trial, 'away');
          if (isFull(trial))
            trial.must(rate >= CATCH_UP * perSecond, `${rate.toFixed(0)} a second behind a load of ${perSecond}`);
          const said = [...new Set(answers)].map((s) => `${answers.filter((a) => a === s).length} times ${s}`);
          trial.note(`caught up with ${rate.toFixed(0)} a second; statistics meanwhile: ${said.join(', ')}`);
        });
        await trial.judgeAll(campaigns, { timeoutMs: 120_000 });
        await exact(trial, campaigns);
      },
    },
    {
      id: 'F31',
      fault: 'ClickHouse hangs: it is frozen, then a front takes inserts and never answers',
      expected: 'each insert has a deadline and is repeated under its token; delivery as before; all exact',
      injected: `SIGSTOP of the engine for three deadlines of ${INSERT_TIMEOUT_MS / 1_000} s, SIGCONT; a blackhole as long`,
      short: false,
      async run(trial) {
        const { engine, front } = analyticsOf(trial);
        const perSecond = 300;
        const options = { perSecond, campaigns: CAMPAIGNS, round: Math.max(trial.messages, 14_000) };
        const campaigns = await underLoad(trial, options, async () => {
          const before = front.repeats();
          engine.freeze();
          await standsStill(trial, 'frozen', perSecond, () => lasting(3 * INSERT_TIMEOUT_MS));
          trial.must(front.repeats() > before, 'no insert was repeated while it was frozen: nothing was shown');
          engine.thaw();
          trial.note(`frozen: caught up with ${(await untilCaughtUp(trial, 'frozen')).toFixed(0)} a second`);

          const met = front.faults();
          front.set({ kind: 'blackhole' });
          await standsStill(trial, 'silent', perSecond, () => lasting(3 * INSERT_TIMEOUT_MS));
          trial.must(front.faults() - met >= 2, 'fewer than two inserts went into the blackhole: nothing was shown');
          front.heal();
          trial.note(`silent: caught up with ${(await untilCaughtUp(trial, 'silent')).toFixed(0)} a second`);
        });
        await trial.judgeAll(campaigns, { timeoutMs: 120_000 });
        await exact(trial, campaigns);
        trial.note(`${front.repeats()} inserts came again under their token`);
      },
    },
    {
      id: 'F32',
      fault: 'an insert is cut in the middle of its body; another one is done, and its answer lost',
      expected: 'all rows of a range or none, once: rows, minutes and hours exact',
      injected:
        'a front resets the connections after 400 bytes of the body, or in place of the answer, of every third insert',
      short: true,
      async run(trial) {
        const { front } = analyticsOf(trial);
        const times = isFull(trial) ? 30 : 6;
        const options = { perSecond: Math.max(300, trial.messages / 20), campaigns: CAMPAIGNS };
        const before = front.repeats();
        const campaigns = await underLoad(trial, options, async () => {
          const faults: InsertFault[] = [{ kind: 'cut', afterBytes: 400 }, { kind: 'lose' }];
          for (let n = 0; n < times; n++) {
            const met = front.faults();
            front.set(faults[n % faults.length], 1);
            await until('an insert met it', () => front.faults() > met, { timeoutMs: 60_000 });
          }
          front.set(undefined);
          trial.recovered(await untilThisIsStored(readingOf(trial)));
        });
        await trial.judgeAll(campaigns);
        await exact(trial, campaigns);
        const repeated = front.repeats() - before;
        trial.must(repeated >= times, `${repeated} inserts were repeated, not ${times}: nothing was shown`);
        trial.note(`${times} inserts cut or unanswered, ${repeated} repeated`);
      },
    },
    {
      id: 'F33',
      fault: `ClickHouse refuses inserts: ${TROUBLES.map(({ what }) => what).join(', ')}`,
      expected: 'no dead letter, no commit, delivery as before; larger batches afterwards; all exact',
      injected:
        'a table setting; settings of the insert (max_memory_usage, readonly), which the engine then fails by itself; an answer of a front after the insert',
      short: false,
      async run(trial) {
        const { p } = trial;
        const lastsMs = isFull(trial) ? 8_000 : 3_000;
        const troubles = isFull(trial) ? TROUBLES : TROUBLES.slice(0, 2);
        const perSecond = isFull(trial) ? 300 : 200;
        const round = Math.max(trial.messages, Math.ceil((perSecond * troubles.length * (lastsMs + 8_000)) / 1_000));
        const campaigns = await underLoad(trial, { perSecond, campaigns: CAMPAIGNS, round }, async () => {
          for (const { what, says, begin, end } of troubles) {
            const linesBefore = logOfSink(trial, 0).length;
            await begin(trial);
            try {
              await standsStill(trial, what, perSecond, () => lasting(lastsMs));
            } finally {
              await end(trial);
            }
            const said = logOfSink(trial, 0).slice(linesBefore);
            trial.must(says.test(said), `${what}: the sink never heard of it: nothing was shown\n${said.slice(-500)}`);
            const rate = await untilCaughtUp(trial, what);
            trial.note(`${what}: caught up with ${rate.toFixed(0)} a second`);
          }
        });
        await untilStored(readingOf(trial));
        await trial.judgeAll(campaigns, { timeoutMs: 120_000 });
        await exact(trial, campaigns);
        trial.must((await p.readiness('sink'))?.ready === true, 'the sink is not ready');
      },
    },
  ],
};
