import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '../../../apps/cli/src/platform.ts';
import { untilShared, withDispatcher } from '../kit/dispatchers.ts';
import { shiftWallClock } from '../kit/inspector.ts';
import { latenessOf } from '../kit/lateness.ts';
import { underLoad } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';

const HOURS_MS = 2 * 3_600_000;
/** Longer than a session, in which somebody who does not speak is put out of the group. */
const EACH_MS = 14_000;
const MOST_LATE_MS = 5_000;
const SERVICES: readonly ServiceName[] = ['ingest-api', 'dispatcher', 'sink'];
const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export const CLOCKS: Family = {
  name: 'clocks',
  world: 'sending',
  scenarios: [
    {
      id: 'F41',
      fault: 'the wall clock of every process but one dispatcher goes 2 h ahead, then 2 h behind, then right',
      expected: 'no retry early or 5 s late; nobody leaves his group or ends; 0 lost, nothing twice',
      injected: `\`Date\` of the process through its inspector, ${EACH_MS / 1_000} s each`,
      short: false,
      async run(trial) {
        const { p } = trial;
        const log = (name: string) => readFileSync(join(p.folder, 'logs', `${name}.log`), 'utf8');
        /** Lines that tell of an assignment that is over, or of a consumer that begins anew. */
        const departures = () =>
          [...SERVICES, 'dispatcher-1']
            .flatMap((name) => log(name).split('\n'))
            .filter((line) => /"msg":"(revoked|the consumer ended)|no heartbeat was answered/.test(line));
        await withDispatcher(trial, 1, async () => {
          await untilShared(trial, [0, 1]);
          const options = {
            perSecond: 400,
            campaigns: 12,
            round: 6_000,
            script: (n: number) => (n % 5 === 0 ? 'transient2' : ''),
            campaign: { provider: 'steady' },
          };
          const campaigns = await underLoad(trial, options, async (load) => {
            const pids = SERVICES.map((service) => p.pid(service));
            const before = departures().length;
            for (const shiftMs of [HOURS_MS, -HOURS_MS, 0]) {
              for (const service of SERVICES) await shiftWallClock(p.pid(service), () => log(service), shiftMs);
              const shiftedMs = Date.now();
              await lasting(EACH_MS);
              trial.recovered(await load.untilDelivered(shiftedMs));
            }
            SERVICES.forEach((service, i) => void trial.must(p.pid(service) === pids[i], `${service} ended`));
            const left = departures().slice(before);
            trial.must(left.length === 0, `${left.length} left their groups: ${left[0]}`);
          });
          const histories = await trial.judgeAll(campaigns, { timeoutMs: 120_000 });
          const { records, early, mostMs, p99Ms } = latenessOf(histories);
          trial.must(records > 0, 'nothing went through a retry tier: nothing was shown');
          trial.must(early.length === 0, `${early.length} were tried early: ${early[0]}`);
          trial.must(mostMs < MOST_LATE_MS, `a retry was ${mostMs} ms late`);
          trial.note(`${records} retries through a tier, none early, late by ${p99Ms} ms (p99), ${mostMs} ms at most`);
        });
      },
    },
  ],
};
