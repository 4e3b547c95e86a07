import { readFileSync } from 'node:fs';
import { groupsOf } from '@volley/contract';
import { until } from '../../support/until.ts';
import { partitionOfCampaign } from '../kit/dispatchers.ts';
import { createStranger, type Hostile, LETTER_MS, type Stranger } from '../kit/hostile.ts';
import { decoyMessage, type Ground, type HostileRow, untilSent } from '../kit/hostile-ground.ts';
import { type Load, sendSurely, underLoad } from '../kit/load.ts';
import type { Family, Scenario } from '../kit/scenario.ts';
import { lasting } from '../kit/side-by-side.ts';
import type { Trial } from '../kit/trial.ts';
import { UNREADABLE } from './hostile-bytes.ts';
import { MISLEADING } from './hostile-words.ts';

const SERVICES = ['dispatcher', 'sink', 'ingest-api'] as const;
/** Of the dispatcher. It reads ahead 8 MiB, and node itself takes about 150. */
const MOST_MIB = 700;
const AWAY_MS = 4_000;
/** More than the guard's thousand in a row, and fewer than would stop the partition again when it is read on. */
const POISON = 1_200;

async function asStranger(trial: Trial, run: (stranger: Stranger) => Promise<void>): Promise<void> {
  const stranger = await createStranger(trial.p);
  try {
    await run(stranger);
  } finally {
    await stranger.close();
  }
}

/** A campaign that takes direct messages and is never closed: a stranger's messages for it spoil nobody's sums. */
async function decoyFor({ p, tag }: Trial, provider: 'steady' | 'mail'): Promise<string> {
  const channel = provider === 'mail' ? { channel: 'smtp', subject: 'Hi {{name}}' } : { channel: 'simulated' };
  const id = await p.api.create({ template: 'Hi {{name}}', lane: 'bulk', provider, ...channel });
  const json = { id: 'first', to: `first.${tag}@example.org`, vars: { name: 'First' } };
  await p.api.ok('POST', `/v1/campaigns/${id}/messages`, { json });
  return id;
}

async function groundOf(trial: Trial, stranger: Stranger, load: Load): Promise<Ground> {
  const running = load.sent.map(({ id }) => id);
  const partition = partitionOfCampaign(running[0] as string);
  const [decoy, mailDecoy] = [await decoyFor(trial, 'steady'), await decoyFor(trial, 'mail')];
  return { trial, stranger, partition, running, decoy, mailDecoy };
}

async function committedIn({ p }: Trial, partition: number): Promise<number> {
  const admin = await p.client.admin();
  try {
    const committed = await admin.committed(groupsOf(p.stores.namespace).dispatcher, p.topics.messages.bulk);
    return committed[partition]?.offset ?? -1;
  } finally {
    await admin.close();
  }
}

/** Peak of the process's memory so far. */
const peakMib = (pid: number) =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;

/** Whoever starts from now on reads all of it again: ledger, repeat windows, the topics behind a lost commit. */
async function startOver(trial: Trial): Promise<void> {
  const { p, tag } = trial;
  for (const [service, before] of SERVICES.map((service) => [service, p.kill(service)] as const))
    await p.untilRestarted(service, before, 60_000);
  trial.died(SERVICES.length);
  await p.api.importContacts(
    Array.from({ length: 50 }, (_, i) => ({
      email: `p${i}.${tag}after@example.org`,
      name: 'A',
      tags: [`${tag}after`],
    })),
  );
  const id = await p.api.create({ segment_rule: `${tag}after`, provider: 'steady' });
  await sendSurely(trial, id);
  await trial.judge({ id, expected: 50 });
}

/** Strangers write while good messages are under way: those of the rows end as they should, the good ones as if alone. */
async function amongGoodOnes(trial: Trial, rows: readonly HostileRow[]): Promise<void> {
  const { p } = trial;
  await asStranger(trial, async (stranger) => {
    const before = SERVICES.map((service) => p.pid(service));
    const options = { perSecond: Math.max(150, trial.messages / 10), campaigns: 3, campaign: { provider: 'steady' } };
    const campaigns = await underLoad(trial, options, async (load) => {
      const ground = await groundOf(trial, stranger, load);
      for (const row of rows) {
        const flaws = await stranger.write(await row.records(ground), row.withinMs);
        for (const flaw of flaws) trial.must(false, `${row.id} ${flaw}`);
        await row.after?.(ground);
      }
    });
    const mib = peakMib(p.pid('dispatcher'));
    trial.must(mib < MOST_MIB, `the dispatcher took ${mib.toFixed(0)} MiB`);
    trial.note(`dispatcher at most ${mib.toFixed(0)} MiB`);
    const died = SERVICES.filter((service, i) => p.pid(service) !== before[i]);
    trial.must(died.length === 0, `${died.join(', ')} died of it: ${p.exits(died[0] ?? 'sink').at(-1)}`);
    const forged = rows.reduce((sum, { forges = 0 }) => sum + forges, 0);
    await trial.judgeAll(campaigns, { allowed: { doubledEvents: forged, doubledMessages: forged } });
    await startOver(trial);
  });
}

const ROWS = [...UNREADABLE, ...MISLEADING];
const INJECTED =
  'written into lanes, tiers and deliveries in mid-campaign; then all three services start again over it';

const scenarioOf = (row: HostileRow): Scenario => ({
  id: row.id,
  fault: row.fault,
  expected: `${row.expected}; original bytes in the dead-letter topic within ${(row.withinMs ?? LETTER_MS) / 1_000} s; 0 lost, nothing twice${row.forges ? ' but the forged' : ''}`,
  injected: INJECTED,
  short: false,
  run: (trial) => amongGoodOnes(trial, [row]),
});

const garbage = (partition: number, topic: string, what: string): Hostile => ({
  what,
  ends: 'undecodable',
  topic,
  partition,
  key: null,
  value: Buffer.from('This is no message.'),
});

export const POISON_RECORDS: Family = {
  name: 'hostile records',
  world: 'sending',
  scenarios: [
    {
      id: 'F38',
      fault: 'a record that nobody can read in the middle of a partition; then nothing but such records',
      expected: `dead letter within ${LETTER_MS / 1_000} s; at 1,000 in a row, or a fifth of what came last, that partition stops and readiness is red, others go on; 0 lost, nothing twice`,
      injected: `one, then ${POISON} in a row into the lane of one campaign; a restart once they are believed to be over`,
      short: false,
      async run(trial) {
        const { p } = trial;
        await asStranger(trial, async (stranger) => {
          const topic = p.topics.messages.bulk;
          const options = { perSecond: trial.messages / 15, campaigns: 6, campaign: { provider: 'steady' } };
          const campaigns = await underLoad(trial, options, async (load) => {
            const poisoned = partitionOfCampaign(load.sent[0]?.id as string);
            const one = await stranger.write([garbage(poisoned, topic, 'one of many')]);
            trial.must(one.length === 0, one.join('; '));
            const writing = stranger.write(
              Array.from({ length: POISON }, (_, i) => garbage(poisoned, topic, `poison ${i}`)),
              120_000,
            );
            // Heard of below; a trial that ends before that must not end the run.
            writing.catch(() => {});
            const [sinceMs, before] = [Date.now(), p.pid('dispatcher')];
            const red = await until('readiness is red', async () => {
              const readiness = await p.readiness('dispatcher');
              return readiness?.ready === false ? readiness : undefined;
            });
            trial.must(
              red.body.includes(`${topic}/${poisoned} stopped`),
              `it is red, and does not say which partition stopped: ${red.body}`,
            );
            trial.note(`stopped after ${Date.now() - sinceMs} ms`);
            const countOf = (poisonedOnes: boolean) => {
              const some = load.sent.filter(({ id }) => (partitionOfCampaign(id) === poisoned) === poisonedOnes);
              const prefixes = new Set(some.map(({ id }) => id.slice(0, 18)));
              return trial.receipts().filter(({ messageId }) => prefixes.has(messageId.slice(0, 18))).length;
            };
            const others = countOf(false);
            await until('the other partitions go on', () => countOf(false) > others + 20);
            // What came before is sent, and nothing passes the place where it stopped: the 1,000th in a row, or earlier where
            // these are a fifth of what came last.
            let committed = 0;
            await until('all before it is committed', async () => {
              const before = committed;
              committed = await committedIn(trial, poisoned);
              return committed === before && committed > (await stranger.lastPlace()) - POISON;
            });
            trial.must(committed < (await stranger.lastPlace()), 'it did not stop before the last of them');
            await lasting(1_000);
            trial.must(
              (await committedIn(trial, poisoned)) === committed,
              'something passed the place where it stopped',
            );
            const its = countOf(true);
            trial.must(p.pid('dispatcher') === before, 'the dispatcher died of it');
            const atMs = Date.now();
            await p.untilRestarted('dispatcher', p.signal('dispatcher', 'SIGTERM'));
            const flaws = await writing;
            trial.must(flaws.length === 0, flaws.slice(0, 3).join('; '));
            await until('its partition goes on', () => countOf(true) > its, { timeoutMs: 60_000 });
            trial.recovered(Date.now() - atMs);
          });
          await trial.judgeAll(campaigns);
        });
      },
    },
    {
      id: 'K03',
      fault:
        'a record under an id that nobody has seen, while the registry cannot be asked: refused, silent, 500, HTML',
      expected:
        'its partition waits and readiness is red, others go on; never a dead letter because of it; 0 lost, nothing twice',
      injected: 'a front before the registry, each for 4 s',
      short: false,
      async run(trial) {
        const { p, registry } = trial;
        await asStranger(trial, async (stranger) => {
          const schema = new URL('../../../schemas/compatible/message-string-array-added.avsc', import.meta.url);
          const newer = JSON.parse(readFileSync(schema, 'utf8')) as object;
          const options = { perSecond: trial.messages / 12, campaigns: 6, campaign: { provider: 'steady' } };
          const campaigns = await underLoad(trial, options, async (load) => {
            const ground = await groundOf(trial, stranger, load);
            const place = { topic: p.topics.messages.bulk, partition: ground.partition };
            for (const [i, mood] of (['refuse', 'blackhole', 'error', 'html'] as const).entries()) {
              const name = `k03-${mood}`;
              const body = stranger.message(decoyMessage(ground, name)).subarray(5);
              const fresh = await stranger.register(JSON.stringify({ ...newer, doc: `${trial.tag} ${mood}` }));
              await registry.set(mood);
              const value = stranger.framed(fresh, Buffer.concat([body, Buffer.from([0])]));
              const sent = Date.now();
              const writing = stranger.write(
                [
                  { ...place, what: `${name} of a newer writer`, key: ground.decoy, value, ends: undefined },
                  {
                    ...place,
                    what: `${name} of nobody`,
                    key: null,
                    value: stranger.framed(8_000_000 + i, body),
                    ends: 'unknown_schema',
                  },
                ],
                AWAY_MS + 35_000,
              );
              let over = false;
              void writing.then(
                () => {
                  over = true;
                },
                () => {},
              );
              await until(`readiness is red while it is away (${mood})`, async () =>
                (await p.readiness('dispatcher'))?.body.includes('registry'),
              );
              await load.untilDelivered(Date.now());
              await lasting(Math.max(0, AWAY_MS - (Date.now() - sent)));
              trial.must(!over, `a dead letter was written while the registry was away (${mood})`);
              await registry.set('pass');
              const backMs = Date.now();
              for (const flaw of await writing) trial.must(false, flaw);
              await untilSent(ground, decoyMessage(ground, name).message_id);
              trial.recovered(Date.now() - backMs);
            }
          });
          await trial.judgeAll(campaigns);
        });
      },
    },
    ...ROWS.map(scenarioOf),
    {
      id: 'K00',
      fault: 'all hostile records of K01 to K14 over the same campaigns',
      expected: `each ends as its row says, within ${LETTER_MS / 1_000} s; 0 lost, nothing twice but the forged`,
      injected: INJECTED,
      short: false,
      run: (trial) => amongGoodOnes(trial, ROWS),
    },
  ],
};
