import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Running } from '../../support/faults.ts';
import { boundOf } from '../../support/history.ts';
import { people } from '../../support/people.ts';
import { until } from '../../support/until.ts';
import { untilShared, withDispatcher } from '../kit/dispatchers.ts';
import { sendSurely } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import type { Trial } from '../kit/trial.ts';
import { SLOTS } from '../kit/world.ts';

const CAMPAIGNS = 3;
/** Some until nothing else is done again, two until everybody is careful, three of the record alone. */
const MOST_DEATHS = 15;
const SMALL_HEAP = [
  '--max-old-space-size=192',
  `--import=${pathToFileURL(join(import.meta.dirname, '..', 'kit', 'hungry.ts'))}`,
  '--inspect-port=127.0.0.1:0',
].join(' ');

/** One of them has somebody in its middle whose variables are too much for a small heap. */
async function draftsWithOneTooMany({ p, tag, messages }: Trial): Promise<Running[]> {
  const size = Math.ceil(messages / CAMPAIGNS);
  const well = `${tag}well`;
  const audience = people(tag, size + 1).map((person, i) =>
    i === Math.floor(size / 2) ? { ...person, city: 'takes-all-memory' } : { ...person, tags: [tag, well] },
  );
  await p.api.importContacts(audience);
  const campaigns: Running[] = [];
  for (let i = 0; i < CAMPAIGNS; i++) {
    const [segment_rule, expected] = i === 0 ? [tag, size + 1] : [well, size];
    const rate_per_second = Math.max(150, expected / 10);
    const template = 'Hi {{name}} from {{city}}';
    campaigns.push({
      id: await p.api.create({ segment_rule, template, provider: 'steady', rate_per_second }),
      expected,
    });
  }
  return campaigns;
}

export const OUT_OF_MEMORY: Family = {
  name: 'out of memory',
  world: 'sending',
  scenarios: [
    {
      id: 'F21',
      fault: 'a message takes more memory than there is, whoever handles it',
      expected: `after at most ${MOST_DEATHS} deaths it ends as \`crashed\` and nobody else does; 0 lost; at most C (${SLOTS}) sent twice for each death`,
      injected: 'one recipient in the middle of a campaign whose variables fill a heap of 192 MiB',
      short: false,
      async run(trial) {
        const { p } = trial;
        await withDispatcher(
          trial,
          1,
          async () => {
            await untilShared(trial, [0, 1]);
            // The other one has enough memory: it sleeps, and what is its comes to the small one.
            const asleep = p.signal('dispatcher', 'SIGSTOP');
            try {
              await untilShared(trial, [1]);
              const campaigns = await draftsWithOneTooMany(trial);
              const before = p.exits('dispatcher').length;
              const deaths = () => p.exits('dispatcher').length - before;
              const sentMs = Date.now();
              for (const { id } of campaigns) await sendSurely(trial, id);
              await until('it died', () => deaths() > 0, { timeoutMs: 60_000 });
              await trial.snapshot('after the first death');
              for (const { id } of campaigns) await p.api.untilEnded(id, 240_000);
              trial.recovered(Date.now() - sentMs);
              trial.died(deaths());
              const allowed = boundOf({ deaths: deaths(), slots: SLOTS });
              const histories = await trial.judgeAll(campaigns, { allowed });
              const dead = histories.flatMap(({ events }) => events.filter(({ kind }) => kind === 'dead'));
              const crashed = dead.filter(({ reason }) => reason === 'crashed');
              trial.must(
                crashed.length === 1 && dead.length === 1,
                `${crashed.length} of ${dead.length} dead had crashed`,
              );
              trial.must(deaths() <= MOST_DEATHS, `${deaths()} deaths`);
              trial.must(p.exits('dispatcher').slice(before).includes('SIGABRT'), `ended by ${p.exits('dispatcher')}`);
            } finally {
              process.kill(asleep, 'SIGCONT');
            }
            await untilShared(trial, [0, 1]);
          },
          { env: { NODE_OPTIONS: SMALL_HEAP } },
        );
      },
    },
  ],
};
