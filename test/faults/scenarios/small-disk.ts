import { boundOf } from '../../support/history.ts';
import { until } from '../../support/until.ts';
import { calling } from '../kit/calling.ts';
import { drafts, sendSurely, underLoad } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import { SLOTS } from '../kit/world.ts';

const CAMPAIGNS = 6;

export const SMALL_DISK: Family = {
  name: 'a broker without room',
  world: 'small-disk',
  scenarios: [
    {
      id: 'F12',
      fault: "the broker's disk is full",
      expected: `the dispatcher is not ready; commands are taken (202) and wait in Postgres; 0 lost; at most C (${SLOTS}) sent twice; goes on by itself once there is room and the broker is started again`,
      injected:
        'a file that takes the rest of its tmpfs; the broker ends by itself. Removed after 10 s, broker started',
      short: false,
      async run(trial) {
        const { p, disk } = trial;
        const [broker] = trial.brokers?.brokers ?? [];
        if (disk === undefined || broker === undefined) throw new Error('this scenario needs a small disk');
        const options = { perSecond: 400, campaigns: CAMPAIGNS };
        const [waiting] = await drafts(trial, 1, { ...options, size: 200 });
        if (waiting === undefined) throw new Error('no draft');
        const campaigns = await underLoad(trial, options, async (load) => {
          disk.fill();
          const fullMs = Date.now();
          await broker.ended(30_000);
          const api = calling(trial, load.sent[0]?.id as string);
          await sendSurely(trial, waiting.id);
          // Without a heartbeat for a session it ends, and waits for the log before it answers anybody.
          await until('the dispatcher is not ready', async () => (await p.readiness('dispatcher'))?.ready !== true);
          await until('it lasted ten seconds', () => Date.now() - fullMs >= 10_000);
          const answers = await api.stop();
          const refused = answers.filter(({ status }) => status < 200 || status >= 300);
          trial.must(
            refused.length === 0,
            `${refused.length} of ${answers.length} calls were refused: ${JSON.stringify(refused[0])}`,
          );
          trial.note(`${answers.length} calls answered while it was full`);
          const roomMs = Date.now();
          disk.free();
          await broker.start();
          trial.recovered(await load.untilDelivered(roomMs, 60_000));
          trial.note(`full for ${((roomMs - fullMs) / 1_000).toFixed(0)} s`);
        });
        await trial.judgeAll([...campaigns, waiting], {
          allowed: boundOf({ deaths: 1, slots: SLOTS }),
        });
      },
    },
  ],
};
