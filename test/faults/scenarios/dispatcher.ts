import { isTerminal } from '@volley/contract';
import type { Running } from '../../support/faults.ts';
import { boundOf, type History } from '../../support/history.ts';
import { snapshotOf } from '../../support/platform-history.ts';
import { until } from '../../support/until.ts';
import { ownership, partitionOfCampaign, untilShared, watchCommits, withDispatcher } from '../kit/dispatchers.ts';
import { type Load, type LoadOptions, underLoad } from '../kit/load.ts';
import type { Family, Scenario } from '../kit/scenario.ts';
import type { Trial } from '../kit/trial.ts';
import { SLOTS } from '../kit/world.ts';

const SESSION_MS = 10_000;
const TAKEOVER_MS = 15_000;
/** With starting again, one in the storm is killed every six to eight seconds. */
const LIVES_MS = 3_000;
/** As many as partitions: each dispatcher works on some of them. */
const CAMPAIGNS = 12;
const ONE_DEATH = boundOf({ deaths: 1, slots: SLOTS });

const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const isFull = (trial: Trial) => trial.messages >= 5_000;
const answersReady = async (admin: string) =>
  (await fetch(`${admin}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;

/** Messages a second over so long; as a share of what was asked for it says how far a storm slows the work. */
async function rateOf(load: Load, during: () => Promise<void>): Promise<number> {
  const [from, sinceMs] = [await load.ended(), performance.now()];
  await during();
  return ((await load.ended()) - from) / ((performance.now() - sinceMs) / 1_000);
}

interface DeathAt {
  readonly id: string;
  readonly fault: string;
  readonly expected: string;
  readonly point: string;
  readonly short: boolean;
  readonly script?: (n: number) => string;
  /** The failpoint is met by one message in so many. */
  readonly oneIn: number;
  readonly judge?: (trial: Trial, histories: readonly History[], death: Death) => void;
}

interface Death {
  readonly atMs: number;
  readonly deliveriesEnds: readonly number[];
}

/** A dispatcher dies at a failpoint in the middle of the work, and starts again. */
function deathAt({ id, fault, expected, point, short, script, oneIn, judge }: DeathAt): Scenario {
  return {
    id,
    fault,
    expected,
    injected: `failpoint \`${point}:kill\` in mid-campaign`,
    short,
    async run(trial) {
      const { p } = trial;
      const hit = Math.ceil((trial.messages * 0.4) / oneIn);
      const armed = await p.arm('dispatcher', `${point}:kill:${hit}`);
      let death: Death | undefined;
      const options: LoadOptions = {
        perSecond: Math.max(600, trial.messages / 6),
        campaigns: 3,
        campaign: { provider: 'steady' },
        ...(script === undefined ? {} : { script }),
      };
      const campaigns = await underLoad(trial, options, async (load) => {
        await until(`it died at ${point}`, () => p.pid('dispatcher') !== armed, { timeoutMs: 60_000, everyMs: 5 });
        const atMs = Date.now();
        const snapshot = await snapshotOf(p, `after ${point}`);
        death = { atMs, deliveriesEnds: snapshot.deliveriesEnds };
        await trial.snapshot(`after ${point}`);
        trial.died();
        await p.untilRestarted('dispatcher', armed);
        trial.recovered(await load.untilDelivered(atMs));
      });
      const histories = await trial.judgeAll(campaigns, { allowed: ONE_DEATH });
      judge?.(trial, histories, death as Death);
    },
  };
}

/** Messages of which the log said before the death that they had ended, and which the provider got again after it. */
function nothingEndedIsRepeated(trial: Trial, histories: readonly History[], death: Death): void {
  const again = new Set(
    trial
      .receipts()
      .filter(({ atMs }) => (atMs ?? 0) > death.atMs)
      .map(({ messageId }) => messageId),
  );
  let known = 0;
  for (const { events } of histories) {
    const before = events.filter(
      ({ kind, partition, offset }) => isTerminal(kind) && offset < (death.deliveriesEnds[partition] ?? 0),
    );
    known += before.length;
    const repeated = before.filter(({ messageId }) => again.has(messageId));
    trial.must(
      repeated.length === 0,
      `${repeated.length} were sent again although their event was in the log: ${repeated[0]?.messageId}`,
    );
  }
  trial.must(known > 0, 'nothing had ended when it died: nothing was shown');
  trial.note(`${known} had ended before, none of them sent again`);
}

export const DISPATCHER: Family = {
  name: 'dispatchers',
  world: 'sending',
  scenarios: [
    {
      id: 'S01',
      fault: 'one of two dispatchers dies and stays away',
      expected: `the next delivery from each of its partitions within ${TAKEOVER_MS / 1_000} s; 0 lost; at most C (${SLOTS}) sent twice`,
      injected: 'SIGKILL of a second dispatcher that nobody starts again',
      short: true,
      async run(trial) {
        let deadPartitions = new Set<number>();
        let killedMs = 0;
        const stallOf = ({ id }: Running) => {
          const mine = trial.receipts().filter(({ messageId }) => messageId.startsWith(id.slice(0, 18)));
          const next = mine.find(({ atMs }) => (atMs ?? 0) > killedMs);
          return mine.some(({ atMs }) => (atMs ?? 0) <= killedMs) && next ? (next.atMs ?? 0) - killedMs : undefined;
        };
        const run = (extraPid: () => number) =>
          underLoad(trial, { perSecond: Math.max(150, trial.messages / 40), campaigns: CAMPAIGNS }, async (load) => {
            deadPartitions = new Set((await ownership(trial)).get(1));
            process.kill(extraPid(), 'SIGKILL');
            killedMs = Date.now();
            trial.died();
            await trial.snapshot('after the death');
            const waiting = load.sent.filter(({ id }) => deadPartitions.has(partitionOfCampaign(id)));
            await until(
              'each of its partitions delivers again',
              async () => {
                for (const running of waiting)
                  if (stallOf(running) === undefined && (await trial.p.api.campaign(running.id)).status === 'running')
                    return false;
                return true;
              },
              { timeoutMs: 3 * TAKEOVER_MS, everyMs: 100 },
            );
          });
        const campaigns = await withDispatcher(
          trial,
          1,
          async (extra) => {
            await untilShared(trial, [0, 1]);
            return run(extra.pid);
          },
          { restart: false },
        );
        const stalls = campaigns
          .filter(({ id }) => deadPartitions.has(partitionOfCampaign(id)))
          .flatMap((running) => stallOf(running) ?? []);
        trial.must(stalls.length > 0, 'nothing was under way on the partitions of the dead one: nothing was shown');
        const longestMs = Math.max(...stalls);
        trial.must(longestMs < TAKEOVER_MS, `a partition of the dead one stood still for ${longestMs} ms`);
        trial.recovered(longestMs);
        trial.note(`${deadPartitions.size} partitions taken over, first delivery after ${Math.min(...stalls)} ms`);
        await trial.judgeAll(campaigns, { allowed: ONE_DEATH });
      },
    },
    {
      id: 'F15',
      fault: 'rebalance storm: a second dispatcher joins and is killed, over and over',
      expected: `at least 20% of the normal progress; 0 lost; at most C (${SLOTS}) sent twice for each kill`,
      injected: 'SIGKILL 3 s after it has partitions, its supervisor starts it again; twenty times',
      short: false,
      async run(trial) {
        const { p } = trial;
        const kills = isFull(trial) ? 20 : 2;
        const options = { perSecond: 500, campaigns: CAMPAIGNS, round: Math.max(trial.messages, 4_000) };
        const campaigns = await underLoad(trial, options, async (load) => {
          const normal = await rateOf(load, () => lasting(4_000));
          await withDispatcher(trial, 1, async (extra) => {
            const storm = await rateOf(load, async () => {
              for (let i = 0; i < kills; i++) {
                await until('it is ready', () => answersReady(extra.admin), { timeoutMs: 40_000, everyMs: 50 });
                await untilShared(trial, [0, 1]);
                await lasting(LIVES_MS);
                const before = extra.pid();
                process.kill(before, 'SIGKILL');
                trial.died();
                await trial.snapshot(`after kill ${i + 1}`);
                await until('it is started again', () => extra.pid() !== before);
              }
            });
            trial.must(storm >= 0.2 * normal, `${storm.toFixed(0)} a second, ${normal.toFixed(0)} without the storm`);
            trial.note(`${storm.toFixed(0)} a second in the storm, ${normal.toFixed(0)} before it`);
          });
        });
        trial.must(p.exits('dispatcher').length > 0, 'nobody died');
        await trial.judgeAll(campaigns, { allowed: boundOf({ deaths: kills, slots: SLOTS }), timeoutMs: 180_000 });
      },
    },
    {
      id: 'F16',
      fault: 'a zombie: a dispatcher sleeps for two sessions, another one takes over, the first wakes up',
      expected: `its late commit is refused: no offset goes back; 0 lost; at most C (${SLOTS}) sent twice`,
      injected: `SIGSTOP for ${(2 * SESSION_MS) / 1_000} s, SIGCONT`,
      short: false,
      async run(trial) {
        const { p } = trial;
        await withDispatcher(trial, 1, async () => {
          await untilShared(trial, [0, 1]);
          const options = { perSecond: 400, campaigns: CAMPAIGNS, round: 6_000 };
          const campaigns = await underLoad(trial, options, async (load) => {
            const commits = watchCommits(trial);
            const asleep = p.signal('dispatcher', 'SIGSTOP');
            const stoppedMs = Date.now();
            try {
              const theirs = new Set((await ownership(trial)).get(0));
              const there = load.sent.filter(({ id }) => theirs.has(partitionOfCampaign(id)));
              await lasting(2 * SESSION_MS);
              trial.must(
                trial
                  .receipts()
                  .some(
                    ({ messageId, atMs }) =>
                      (atMs ?? 0) > stoppedMs + 1_000 && there.some(({ id }) => messageId.startsWith(id.slice(0, 18))),
                  ),
                'nobody delivered from its partitions while it slept',
              );
            } finally {
              process.kill(asleep, 'SIGCONT');
            }
            const wokenMs = Date.now();
            trial.died();
            await untilShared(trial, [0, 1]);
            trial.recovered(await load.untilDelivered(wokenMs));
            await lasting(2_000);
            const back = await commits.stop();
            trial.must(back.length === 0, `commits went back: ${back.slice(0, 3).join('; ')}`);
            trial.note(p.pid('dispatcher') === asleep ? 'it joined again' : 'it ended by itself and was started again');
          });
          await trial.judgeAll(campaigns, { allowed: ONE_DEATH, timeoutMs: 180_000 });
        });
      },
    },
    deathAt({
      id: 'F17',
      fault: 'a dispatcher dies after the provider has accepted, before the event',
      expected: `0 lost; at most C (${SLOTS}) sent twice, same id`,
      point: 'dispatch.afterAccept',
      short: false,
      oneIn: 1,
    }),
    deathAt({
      id: 'F18',
      fault: 'a dispatcher dies after the event, before the offset is committed',
      expected: `0 lost; nothing whose event is in the log is sent again; at most C (${SLOTS}) others`,
      point: 'dispatch.afterEvent',
      short: false,
      oneIn: 1,
      judge: nothingEndedIsRepeated,
    }),
    deathAt({
      id: 'F19',
      fault: 'a dispatcher dies after a message was written to a retry tier, before its event',
      expected: `0 lost; the second record of one move is not tried; at most C (${SLOTS}) sent twice`,
      point: 'dispatch.afterRetry',
      short: true,
      script: (n) => (n % 5 === 0 ? 'transient2' : ''),
      oneIn: 5,
      judge: nothingEndedIsRepeated,
    }),
    deathAt({
      id: 'F19',
      fault: 'a dispatcher dies after a dead letter was written, before its event',
      expected: `0 lost; at most C (${SLOTS}) letters twice, each message ends once`,
      point: 'dispatch.afterDlq',
      short: false,
      script: (n) => (n % 5 === 0 ? 'refuse' : ''),
      oneIn: 5,
      judge: nothingEndedIsRepeated,
    }),
  ],
};
