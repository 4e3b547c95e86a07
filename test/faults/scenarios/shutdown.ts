import { endedOf } from '../../support/api-client.ts';
import { boundOf } from '../../support/history.ts';
import { until } from '../../support/until.ts';
import { blockEventLoop } from '../kit/inspector.ts';
import { underLoad } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import { SLOTS } from '../kit/world.ts';

const SERVICES = ['dispatcher', 'sink', 'ingest-api'] as const;
const SESSION_MS = 10_000;

export const SHUTDOWN: Family = {
  name: 'stopping and stalling',
  world: 'stores',
  scenarios: [
    {
      id: 'F20',
      fault: 'SIGTERM in mid-campaign, each service in turn; then a second one while it stops',
      expected: '0 lost, 0 sent twice, exit code 0 within 25 s; the second signal ends it at once',
      injected: 'SIGTERM to the process',
      short: false,
      async run(trial) {
        const { p } = trial;
        const perSecond = Math.max(400, trial.messages / 8);
        const campaigns = await underLoad(trial, { perSecond, campaigns: 3 }, async (load) => {
          for (const service of SERVICES) {
            const before = p.signal(service, 'SIGTERM');
            const atMs = Date.now();
            await until(`${service} has ended`, () => p.pid(service) !== before, { timeoutMs: 25_000, everyMs: 5 });
            trial.must(p.exits(service).at(-1) === '0', `${service} ended with ${p.exits(service).at(-1)}, not with 0`);
            const tookMs = Date.now() - atMs;
            trial.note(`${service} stopped in ${(tookMs / 1_000).toFixed(1)} s`);
            await p.untilRestarted(service, before);
            trial.recovered(await load.untilDelivered(atMs + tookMs));
          }
        });
        await trial.judgeAll(campaigns);
        // Idle, it may be quicker than the second signal; a campaign that goes slowly keeps it waiting.
        const slow = await underLoad(
          { ...trial, messages: 100 },
          { perSecond: 20, round: 100, script: (n) => (n % 2 === 0 ? 'slow3000' : '') },
          async () => {
            const before = p.signal('dispatcher', 'SIGTERM');
            const until1100Ms = performance.now() + 1_100;
            await until('it is another signal, and not the same one again', () => performance.now() > until1100Ms);
            const again = p.pid('dispatcher') === before;
            if (again) p.signal('dispatcher', 'SIGTERM');
            const atMs = performance.now();
            await until('it has ended', () => p.pid('dispatcher') !== before, { timeoutMs: 25_000, everyMs: 5 });
            if (again) {
              trial.must(performance.now() - atMs < 2_000, 'the second SIGTERM did not end it at once');
              trial.died();
            }
            trial.note(again ? 'a second SIGTERM ended it at once' : 'it had stopped before the second SIGTERM');
          },
        );
        await trial.judgeAll(slow, { allowed: boundOf({ deaths: 1, slots: SLOTS }) });
      },
    },
    {
      id: 'F22',
      fault: 'a bug: something is thrown where nothing may be, in each service',
      expected: `the process ends with another code than 0 within 5 s; 0 lost; at most C (${SLOTS}) sent twice, same id`,
      injected: 'failpoints `…:throw` in mid-campaign',
      short: false,
      async run(trial) {
        const { p } = trial;
        const bound = boundOf({ deaths: 1, slots: SLOTS });
        const POINTS = [
          ['dispatcher', 'dispatch.afterEvent:throw:200'],
          ['dispatcher', 'dispatch.beforeSend:throw:200'],
          ['sink', 'sink.afterInsert:throw:2'],
        ] as const;
        for (const [service, point] of POINTS) {
          const armed = await p.arm(service, point);
          const share = { ...trial, messages: Math.ceil(trial.messages / POINTS.length) };
          const campaigns = await underLoad(share, { perSecond: 800 }, async (load) => {
            await until(`${service} met ${point}`, () => p.pid(service) !== armed, {
              timeoutMs: 20_000,
              everyMs: 5,
              seen: () => p.logTail(service, 5),
            });
            const atMs = Date.now();
            const code = p.exits(service).at(-1);
            trial.must(code !== '0' && code !== undefined, `${service} ended with ${code} at ${point}`);
            trial.died();
            await trial.snapshot(`after ${point}`);
            await p.untilRestarted(service, armed);
            trial.recovered(await load.untilDelivered(atMs));
          });
          await trial.judgeAll(campaigns, { allowed: bound });
        }
      },
    },
    {
      id: 'F23',
      fault: 'the event loop of a dispatcher stands still for two sessions',
      expected: `its partitions move or it ends by itself; 0 lost; at most C (${SLOTS}) sent twice, same id`,
      injected: 'a busy loop of 20 s through the inspector',
      short: false,
      async run(trial) {
        const { p } = trial;
        const campaigns = await underLoad(trial, { perSecond: 400, round: 4_000 }, async (load) => {
          const before = p.pid('dispatcher');
          const atMs = Date.now();
          await blockEventLoop(before, () => p.logTail('dispatcher', 200), 2 * SESSION_MS);
          await until('it has seen that it was away, and ended', () => p.pid('dispatcher') !== before, {
            timeoutMs: 2 * SESSION_MS + 15_000,
            seen: () => p.logTail('dispatcher', 5),
          });
          trial.must(p.exits('dispatcher').at(-1) === '1', `it ended with ${p.exits('dispatcher').at(-1)}`);
          trial.died();
          await p.untilRestarted('dispatcher', before);
          trial.recovered((await load.untilDelivered(atMs + 2 * SESSION_MS)) as number);
        });
        await trial.judgeAll(campaigns, { allowed: boundOf({ deaths: 1, slots: SLOTS }) });
        for (const { id } of campaigns) trial.must(endedOf(await p.api.stats(id)) > 0, 'nothing ended');
      },
    },
  ],
};
