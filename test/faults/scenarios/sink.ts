import { DEAD_LETTER_HEADERS } from '@volley/contract';
import type { ExtraService } from '../../support/extra-service.ts';
import { readTopic } from '../../support/topic-reader.ts';
import { until } from '../../support/until.ts';
import { PARTITIONS, partitionOfCampaign } from '../kit/dispatchers.ts';
import { underLoad } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import {
  analyticsOf,
  exact,
  partitionsOf,
  readingOf,
  standingOf,
  untilSinksShare,
  untilStored,
  untilThisIsStored,
  watchSinks,
  withSink,
} from '../kit/sinks.ts';
import type { Trial } from '../kit/trial.ts';

const SESSION_MS = 10_000;
/** As many as partitions: every insert is of one partition. */
const CAMPAIGNS = 12;
const KILLS = 20;
/** After the plan is committed, after the dead letters, after the insert: README of the sink, *Crashes*. */
const POINTS = ['sink.afterPlan', 'sink.beforeInsert', 'sink.afterInsert'] as const;

const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const isFull = (trial: Trial) => trial.messages >= 5_000;

/** Something that is no event into every partition: ranges with a gap, and dead letters on their way when a sink dies. */
async function writeGarbage({ p, tag }: Trial, round: number): Promise<number> {
  const producer = await p.client.producer({ clientId: `${tag}-stranger` });
  try {
    await producer.send(
      Array.from({ length: PARTITIONS }, (_, partition) => ({
        topic: p.topics.deliveries,
        partition,
        key: 'nobody',
        value: Buffer.from(`${tag} ${round} ${partition} is no event`),
      })),
    );
    return PARTITIONS;
  } finally {
    await producer.close();
  }
}

/** Distinct places of this trial's dead letters, and how many letters there are. */
async function lettersOf({ p, tag }: Trial): Promise<{ places: number; letters: number }> {
  const all = await readTopic(p.client, p.topics.deliveriesDlq);
  const mine = all.filter(({ value }) => value?.toString().startsWith(`${tag} `));
  const origins = new Set(mine.map(({ headers }) => headers[DEAD_LETTER_HEADERS.origin]?.toString()));
  return { places: origins.size, letters: mine.length };
}

/** Kills one of the sinks at moments of nobody's choice. */
async function killAtRandom(trial: Trial, pids: readonly (() => number)[], kills: number): Promise<void> {
  const killed = new Set<number>();
  for (let n = 0; n < kills; ) {
    await lasting(200 + trial.random(2_300));
    const pid = (pids[trial.random(pids.length)] as () => number)();
    // One that is about to be started again is no process to kill.
    if (pid === 0 || killed.has(pid)) continue;
    process.kill(pid, 'SIGKILL');
    killed.add(pid);
    trial.died();
    n += 1;
  }
}

export const SINK: Family = {
  name: 'sinks',
  world: 'analytics',
  scenarios: [
    {
      id: 'F32',
      fault:
        'a sink dies after each numbered step: the plan is committed, the dead letters are written, the rows are stored',
      expected: 'the same range under the same token again: rows, minutes and hours exact; dead letters at most twice',
      injected: `failpoints ${POINTS.map((point) => `\`${point}:kill\``).join(', ')} under load, bytes that are no event among the events`,
      short: true,
      async run(trial) {
        const { p } = trial;
        const { front } = analyticsOf(trial);
        const rounds = isFull(trial) ? 3 : 1;
        let garbage = 0;
        const before = front.repeats();
        const options = { perSecond: Math.max(300, trial.messages / 20), campaigns: CAMPAIGNS };
        const campaigns = await underLoad(trial, options, async () => {
          for (let round = 0; round < rounds; round++)
            for (const point of POINTS) {
              const armed = await p.arm('sink', `${point}:kill:${1 + trial.random(8)}`);
              garbage += await writeGarbage(trial, garbage);
              await until(`it died at ${point}`, () => p.pid('sink') !== armed, { timeoutMs: 60_000, everyMs: 5 });
              // Once where it was armed, once at the failpoint.
              trial.died(2);
              trial.recovered(await untilThisIsStored(readingOf(trial)));
            }
        });
        await trial.judgeAll(campaigns);
        await exact(trial, campaigns);
        const { places, letters } = await lettersOf(trial);
        trial.must(places === garbage, `${places} of ${garbage} records without an event have a dead letter`);
        const repeated = front.repeats() - before;
        trial.must(repeated >= rounds, `${repeated} inserts came again under their token: nothing was shown`);
        trial.note(`${repeated} inserts repeated, ${letters} dead letters of ${garbage} records`);
      },
    },
    {
      id: 'S05',
      fault: 'one of two sinks is killed at random, under load, over and over',
      expected: 'rows, marks of repeats, sums, minutes and hours exact, whoever inserts a range again',
      injected: `SIGKILL every 0.2 to 2.5 s, ${KILLS} times; supervisors start them again`,
      short: false,
      async run(trial) {
        const { p } = trial;
        const { front } = analyticsOf(trial);
        const kills = isFull(trial) ? KILLS : 4;
        const before = front.repeats();
        const run = (extra: ExtraService) =>
          underLoad(trial, { perSecond: 500, campaigns: CAMPAIGNS }, async () => {
            await killAtRandom(trial, [() => p.pid('sink'), extra.pid], kills);
            trial.recovered(await untilThisIsStored(readingOf(trial)));
          });
        const campaigns = await withSink(trial, 1, run);
        await trial.judgeAll(campaigns, { timeoutMs: 120_000 });
        await exact(trial, campaigns);
        const repeated = front.repeats() - before;
        if (isFull(trial)) trial.must(repeated > 0, 'no insert had to be repeated: nothing was shown');
        trial.note(`${repeated} inserts repeated`);
      },
    },
    {
      id: 'S06',
      fault:
        'a zombie: a sink sleeps for two sessions in the middle of an insert, which arrives after its successor has moved on',
      expected:
        'the old insert is kept out by its token, the commit is refused: rows, minutes and hours exact, no offset back',
      injected: `SIGSTOP for ${(2 * SESSION_MS) / 1_000} s, its insert held in a proxy; then the insert passes, SIGCONT`,
      short: false,
      async run(trial) {
        const { p } = trial;
        const { front } = analyticsOf(trial);
        const run = () =>
          underLoad(trial, { perSecond: 400, campaigns: CAMPAIGNS, round: 12_000 }, async (load) => {
            const commits = watchSinks(readingOf(trial));
            // Only where something is delivered is there something to insert.
            const busy = new Set(load.sent.map(({ id }) => partitionOfCampaign(id)));
            const theirs = partitionsOf(trial, 0).filter((partition) => busy.has(partition));
            const held = await front.hold(theirs);
            const asleep = p.signal('sink', 'SIGSTOP');
            const [partition = -1, , to = -1] = held.token.split(':').slice(-4).map(Number);
            const stoppedMs = performance.now();
            try {
              await until(
                'its successor has committed what it held',
                async () => ((await standingOf(readingOf(trial))).committed[partition] ?? 0) >= to,
                { timeoutMs: 120_000, everyMs: 100 },
              );
              trial.recovered(performance.now() - stoppedMs);
              await lasting(Math.max(0, 2 * SESSION_MS - (performance.now() - stoppedMs)));
              const status = await held.release().catch((error: Error) => error.message);
              trial.must(status === 200, `the insert that came late was answered with ${status}`);
            } finally {
              process.kill(asleep, 'SIGCONT');
            }
            trial.died();
            await untilSinksShare(trial, [0, 1]);
            await lasting(2_000);
            const back = await commits.stop();
            trial.must(back.length === 0, `commits went back: ${back.slice(0, 3).join('; ')}`);
            trial.note(`partition ${partition} up to ${to} came late and was kept out`);
            trial.note(p.pid('sink') === asleep ? 'it joined again' : 'it ended by itself and was started again');
          });
        const campaigns = await withSink(trial, 1, run);
        await untilStored(readingOf(trial));
        await trial.judgeAll(campaigns, { timeoutMs: 120_000 });
        await exact(trial, campaigns);
      },
    },
  ],
};
