import { directMessageIdOf } from '@volley/contract';
import { type Plan, type Ran, residentMiB, runLoad, type System } from '@volley/load';
import { createApi } from '../../../apps/cli/src/api.ts';
import type { ServiceName } from '../../../apps/cli/src/platform.ts';
import { boundOf } from '../../support/history.ts';
import { growthText, type MemorySample, memoryGrowth } from '../kit/memory.ts';
import type { Family } from '../kit/scenario.ts';
import { analyticsOf } from '../kit/sinks.ts';
import type { Trial } from '../kit/trial.ts';
import { SLOTS } from '../kit/world.ts';

const LEAST_SECONDS = 20;
/** More than this, and the run takes longer in place of being faster. */
const MOST_PER_SECOND = 300;
/** Above so many messages: what the checker reads has to fit into memory, so it goes on for hours in place. */
const LONG = 200_000;
const LONG_PER_SECOND = 100;
/** Each is judged by itself, for which the whole log is looked at. */
const CAMPAIGNS = 40;
const CAMPAIGNS_OF_SHORT = 10;
/** Between two misfortunes, and up to twice as much. For hours longer, so that processes live for minutes before they are killed. */
const PAUSE_MS = 1_500;
const LONG_PAUSE_MS = 10_000;
const SERVICES: readonly ServiceName[] = ['ingest-api', 'dispatcher', 'sink'];
const SAMPLE_MS = 1_000;
/** In less than that the memory of processes that have just started says nothing. */
const MEMORY_JUDGED_FROM_S = 300;
const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What happens meanwhile: each begins, lasts, and leaves the world whole. */
interface Action {
  readonly name: string;
  run(trial: Trial): Promise<void>;
}

const killed = (service: ServiceName): Action => ({
  name: `${service} killed`,
  async run(trial) {
    const before = trial.p.kill(service);
    trial.died();
    await trial.p.untilRestarted(service, before, 60_000);
  },
});

const during = (name: string, begin: (t: Trial) => unknown, end: (t: Trial) => unknown): Action => ({
  name,
  async run(trial) {
    await begin(trial);
    try {
      await lasting(1_000 + trial.random(2_000));
    } finally {
      await end(trial);
    }
  },
});

const ACTIONS: readonly Action[] = [
  killed('dispatcher'),
  killed('sink'),
  killed('ingest-api'),
  during(
    'Postgres refuses',
    (t) => t.postgres.refuse(true),
    (t) => t.postgres.refuse(false),
  ),
  during(
    'connections to Postgres are cut',
    (t) => t.postgres.reset(),
    () => {},
  ),
  during(
    'the registry is silent',
    (t) => t.registry.set('blackhole'),
    (t) => t.registry.set('pass'),
  ),
  during(
    'ClickHouse hangs',
    (t) => analyticsOf(t).engine.freeze(),
    (t) => analyticsOf(t).engine.thaw(),
  ),
  {
    name: 'ClickHouse killed',
    async run(trial) {
      analyticsOf(trial).engine.kill();
      await lasting(500 + trial.random(1_500));
      await analyticsOf(trial).engine.restart();
    },
  },
  during(
    'inserts are done and not answered',
    (t) => analyticsOf(t).front.set({ kind: 'lose' }),
    (t) => analyticsOf(t).front.set(undefined),
  ),
];

/** All of them in an order by chance, then all again in another one, until it is over. Answers how often each was done. */
async function misfortunes(trial: Trial, pauseMs: number, isOver: () => boolean): Promise<Map<string, number>> {
  const done = new Map<string, number>();
  for (;;) {
    const deck = [...ACTIONS];
    for (let i = deck.length - 1; i > 0; i--) {
      const k = trial.random(i + 1);
      [deck[i], deck[k]] = [deck[k] as Action, deck[i] as Action];
    }
    for (const action of deck) {
      await lasting(pauseMs + trial.random(pauseMs));
      if (isOver()) return done;
      await action.run(trial);
      done.set(action.name, (done.get(action.name) ?? 0) + 1);
    }
  }
}

/** Resident memory of each service, until it is stopped. One that is dead just then is left out. */
function watchMemory({ p }: Trial) {
  const samples: MemorySample[] = [];
  const fromMs = performance.now();
  const sinceMs = () => performance.now() - fromMs;
  const timer = setInterval(() => {
    for (const service of SERVICES) {
      const mib = residentMiB(p.pid(service));
      if (mib !== undefined) samples.push({ service, atMs: sinceMs(), mib });
    }
  }, SAMPLE_MS);
  let runMs = 0;
  return {
    stop() {
      clearInterval(timer);
      runMs = sinceMs();
    },
    growth: () => memoryGrowth(samples, runMs),
  };
}

const planOf = (shape: 'direct' | 'campaigns', perSecond: number, seconds: number, perRequest: number): Plan => ({
  ...{ shape, stages: [{ perSecond, seconds, warmUp: false }], perRequest, readers: 1 },
  ...{ ids: shape === 'direct', unpaced: false, generators: 1, connections: 64 },
  ...{ timeoutMs: 10_000, drainMs: 300_000, maxLateMs: Number.POSITIVE_INFINITY },
});

/**
 * Direct messages by what is known of each. What got no answer is there once or not at all: when it has ended it counts as
 * accepted, and one that is counted and has not ended is missed in the sums.
 */
async function directOf({ p }: Trial, ran: Ran, campaignId: string): Promise<{ direct: string[]; unsure: string[] }> {
  const known = { direct: [] as string[], unsure: [] as string[] };
  for (let arrival = 0; arrival < ran.schedule.arrivals; arrival++) {
    const outcome = ran.recording.failed.get(arrival);
    const id = directMessageIdOf(campaignId, `${ran.run}-${arrival}`);
    if (outcome === undefined) known.direct.push(id);
    else if (outcome === 'unknown') {
      const { status } = await p.api.call('GET', `/v1/messages/${id}`);
      known[status === 200 ? 'direct' : 'unsure'].push(id);
    }
  }
  return known;
}

export const UNDER_LOAD: Family = {
  name: 'load',
  world: 'analytics',
  scenarios: [
    {
      id: 'S11',
      fault: 'everything that can fail does, in turns, under a constant load of direct messages and small campaigns',
      expected: `every accepted message in exactly one terminal state, rows and sums exact; at most C (${SLOTS}) sent twice for each death of a dispatcher`,
      injected:
        'services killed, Postgres, registry and ClickHouse cut, hung or killed, one after the other, by the seed',
      short: true,
      async run(trial) {
        const { p } = trial;
        const most = trial.messages > LONG ? LONG_PER_SECOND : MOST_PER_SECOND;
        const seconds = Math.max(LEAST_SECONDS, Math.ceil(trial.messages / most));
        // More than was asked for: what an outage of the API refuses is not accepted, and in a short run that is much of it.
        const isShort = seconds === LEAST_SECONDS;
        const perSecond = Math.ceil((trial.messages * (isShort ? 1.8 : 1.3)) / seconds / 2);
        const { api, api_key: key } = p.platform.describe();
        const { clickhouseDatabase: database } = p.stores;
        const system: System = { api: createApi(api, key), origin: api, key, database };
        let begun = 0;
        const load = (plan: Plan) => {
          let first = true;
          const live = () => {
            if (first) begun += 1;
            first = false;
          };
          return runLoad({ plan, system, signal: new AbortController().signal, log: () => {}, live });
        };
        const size = Math.max(10, Math.ceil((perSecond * seconds) / (isShort ? CAMPAIGNS_OF_SHORT : CAMPAIGNS)));
        let over = false;
        const memory = watchMemory(trial);
        const loads = Promise.all([
          load(planOf('direct', perSecond, seconds, 1)),
          load(planOf('campaigns', perSecond, seconds, size)),
        ]).finally(() => {
          over = true;
          memory.stop();
        });
        loads.catch(() => {});
        while (begun < 2 && !over) await lasting(50);
        // The last misfortune may outlast the arrivals: what is under way meets it too.
        const endMs = performance.now() + seconds * 1_000;
        const pauseMs = trial.messages > LONG ? LONG_PAUSE_MS : PAUSE_MS;
        const done = await misfortunes(trial, pauseMs, () => over || begun < 2 || performance.now() >= endMs);
        const [direct, campaigns] = await loads;
        await trial.heal();

        const deaths = done.get('dispatcher killed') ?? 0;
        trial.must(done.size >= 3, `only ${[...done.keys()].join(', ') || 'nothing'} happened: nothing was shown`);
        const allowed = boundOf({ deaths, slots: SLOTS });
        const timeoutMs = 180_000;
        for (const ran of [direct, campaigns])
          trial.must(ran.accounts.accounted, `the statistics do not add up: ${ran.accounts.problems.join('; ')}`);
        const id = direct.targets[0]?.campaignId ?? '';
        await trial.judge({ id, expected: 0 }, { allowed, timeoutMs, known: await directOf(trial, direct, id) });
        const stats = await Promise.all(campaigns.targets.map((target) => p.api.stats(target.campaignId)));
        // A draft whose `send` never came through has no message, and never will.
        const sent = campaigns.targets.flatMap(({ campaignId }, i) => {
          const total = stats[i]?.total ?? 0;
          return total === 0 ? [] : [{ id: campaignId, expected: total }];
        });
        await trial.judgeAll(sent, { allowed, timeoutMs });
        const growths = memory.growth();
        if (seconds >= MEMORY_JUDGED_FROM_S)
          for (const growth of growths)
            trial.must(!growth.grown, `memory grew from the first quarter to the last: ${growthText(growth)}`);
        trial.note(`memory of the first and the last quarter: ${growths.map(growthText).join(', ')}`);
        const { accepted, unknown } = direct.accounts;
        trial.note(
          `${accepted} direct messages and ${unknown} of which nobody knew, ${sent.length} campaigns of ${size}`,
        );
        trial.note([...done].map(([name, times]) => `${name} ${times}×`).join(', '));
      },
    },
  ],
};
