import { groupsOf } from '@volley/contract';
import type { Broker, BrokerSet } from '../../support/broker-set.ts';
import { API } from '../../support/fault-proxy.ts';
import { boundOf } from '../../support/history.ts';
import { until } from '../../support/until.ts';
import { calling } from '../kit/calling.ts';
import { type Load, underLoad } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import type { Trial } from '../kit/trial.ts';
import { SLOTS } from '../kit/world.ts';

const CAMPAIGNS = 6;

const bound = (deaths: number) => boundOf({ deaths, slots: SLOTS });

function setOf({ brokers }: Trial): BrokerSet {
  if (brokers === undefined) throw new Error('this scenario needs brokers of its own');
  return brokers;
}

/** Time in which a condition about the past can have come true: faults last so long, and nothing is waited for meanwhile. */
const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function restart(trial: Trial, broker: Broker, how: 'kill' | 'stop', load: Load): Promise<number> {
  await broker[how]();
  const atMs = Date.now();
  const stallMs = await load.untilDelivered(atMs, 30_000);
  await broker.start();
  await setOf(trial).untilInSync();
  return stallMs;
}

export const BROKERS: Family = {
  name: 'the log',
  world: 'brokers',
  scenarios: [
    {
      id: 'F07',
      fault: 'answers to produce requests are lost after the append, while other sends wait',
      expected:
        '0 lost, 0 sent twice; what kafkajs writes to another broker again meanwhile is recognised and counts once',
      injected: 'proxies cut the connection in place of one produce answer in ten, of every service',
      short: false,
      async run(trial) {
        const set = setOf(trial);
        let lost = 0;
        const campaigns = await underLoad(
          trial,
          { perSecond: Math.max(400, trial.messages / 8), campaigns: CAMPAIGNS },
          async (load) => {
            const from = await load.ended();
            for (const { proxy } of set.brokers)
              proxy.onAnswer = (apiKey) => (apiKey === API.produce && trial.random(10) === 0 ? 'drop' : undefined);
            await until('most went through it', async () => (await load.ended()) >= from + trial.messages * 0.6, {
              timeoutMs: 120_000,
            });
            lost = set.brokers.reduce((sum, { proxy }) => sum + proxy.faults(), 0);
            for (const { proxy } of set.brokers) await proxy.heal();
          },
        );
        trial.must(lost >= 10, `only ${lost} answers were lost`);
        trial.note(`${lost} answers lost`);
        await trial.judgeAll(campaigns);
      },
    },
    {
      id: 'F08',
      fault: 'the leader of a partition dies under batches of several partitions; each broker in turn',
      expected: `0 lost; at most C (${SLOTS}) sent twice for each death that moves partitions`,
      injected: 'SIGKILL of the leader of the lane, started again, next one; RF 3, min ISR 2',
      short: true,
      async run(trial) {
        const set = setOf(trial);
        const deaths = trial.messages >= 5_000 ? 3 : 1;
        const campaigns = await underLoad(
          trial,
          { perSecond: 500, campaigns: CAMPAIGNS, round: Math.max(1_500, trial.messages / 2) },
          async (load) => {
            for (let i = 0; i < deaths; i++) {
              const leader = await set.leaderOf(trial.p.topics.messages.bulk, trial.random(12));
              trial.recovered(await restart(trial, leader, 'kill', load));
              trial.died();
            }
          },
        );
        await trial.judgeAll(campaigns, { allowed: bound(deaths) });
      },
    },
    {
      id: 'F09',
      fault: 'all brokers are gone (30 s; 10 minutes in the matrix)',
      expected: `commands are taken (202) and wait in Postgres; 0 lost; at most C (${SLOTS}) sent twice; drained after`,
      injected: 'SIGKILL of all three, started again together',
      short: false,
      async run(trial) {
        const { p } = trial;
        const set = setOf(trial);
        const campaigns = await underLoad(trial, { perSecond: 500, campaigns: CAMPAIGNS }, async (load) => {
          const waiting = load.sent[0]?.id as string;
          await Promise.all(set.brokers.map((broker) => broker.kill()));
          const goneMs = Date.now();
          const api = calling(trial, waiting);
          const later = await p.api.create({ segment_rule: 'nobody-there', name: 'sent while the log is away' });
          await lasting(30_000);
          const answers = await api.stop();
          trial.must((await p.api.campaign(later)).status === 'draft', 'a draft made meanwhile is there');
          const refused = answers.filter(({ status }) => status < 200 || status >= 300);
          trial.must(
            refused.length === 0,
            `${refused.length} of ${answers.length} calls were refused: ${JSON.stringify(refused[0])}`,
          );
          trial.note(`${answers.length} calls answered while it was away`);
          const backMs = Date.now();
          await Promise.all(set.brokers.map((broker) => broker.start()));
          await set.untilInSync();
          trial.recovered(await load.untilDelivered(backMs, 60_000));
          trial.note(`away ${((backMs - goneMs) / 1_000).toFixed(0)} s`);
        });
        await trial.judgeAll(campaigns, { allowed: bound(1) });
      },
    },
    {
      id: 'F10',
      fault: 'fewer replicas than min ISR: two of three brokers stand still',
      expected: `no 5xx, producers wait; 0 lost; at most C (${SLOTS}) sent twice, and only if partitions moved`,
      injected: 'SIGSTOP of two brokers for 15 s, SIGCONT',
      short: false,
      async run(trial) {
        const set = setOf(trial);
        const campaigns = await underLoad(trial, { perSecond: 500, campaigns: CAMPAIGNS }, async (load) => {
          const [first, second] = set.brokers as [Broker, Broker, Broker];
          const api = calling(trial, load.sent[0]?.id as string);
          for (const broker of [first, second]) broker.freeze();
          await lasting(trial.messages >= 5_000 ? 15_000 : 8_000);
          for (const broker of [first, second]) broker.thaw();
          const thawedMs = Date.now();
          const answers = await api.stop();
          const failed = answers.filter(({ status }) => status >= 500 || status === 0);
          trial.must(
            failed.length === 0,
            `${failed.length} of ${answers.length} calls failed: ${JSON.stringify(failed[0])}`,
          );
          await set.untilInSync();
          trial.recovered(await load.untilDelivered(thawedMs));
          trial.note(`${answers.length} calls answered meanwhile`);
        });
        await trial.judgeAll(campaigns, { allowed: bound(1) });
      },
    },
    {
      id: 'F11',
      fault: 'brokers restart one after the other, five rounds, clean and hard in turn',
      expected: `each pause at most 30 s; 0 lost; at most C (${SLOTS}) sent twice for each restart`,
      injected: 'SIGTERM or SIGKILL, start, all replicas in sync, next',
      short: false,
      async run(trial) {
        const set = setOf(trial);
        let restarts = 0;
        const campaigns = await underLoad(
          trial,
          { perSecond: 300, campaigns: CAMPAIGNS, round: 3_000 },
          async (load) => {
            for (let round = 0; round < 5; round++)
              for (const broker of set.brokers) {
                const stallMs = await restart(trial, broker, round % 2 === 0 ? 'stop' : 'kill', load);
                trial.must(stallMs <= 30_000, `a pause of ${stallMs} ms`);
                trial.recovered(stallMs);
                restarts += 1;
              }
          },
        );
        trial.died(restarts);
        trial.note(`${restarts} restarts`);
        await trial.judgeAll(campaigns, {
          allowed: bound(restarts),
          timeoutMs: 180_000,
        });
      },
    },
    {
      id: 'F22',
      fault: 'the group refuses a consumer for good (kafkajs: CRASH without restart)',
      expected: `the process ends with another code than 0 within 5 s, it is never deaf and up; 0 lost; at most C (${SLOTS}) sent twice`,
      injected: 'proxies answer a heartbeat with GROUP_AUTHORIZATION_FAILED',
      short: false,
      async run(trial) {
        const { p } = trial;
        const set = setOf(trial);
        const campaigns = await underLoad(trial, { perSecond: 500, campaigns: CAMPAIGNS }, async (load) => {
          const before = (['dispatcher', 'sink'] as const).map((service) => ({ service, pid: p.pid(service) }));
          const refusedAtMs = new Map<string, number>();
          for (const { proxy } of set.brokers)
            proxy.onAnswer = (apiKey, request) => {
              const group = groupOf(apiKey, request);
              if (!/\.(dispatcher|sink)$/.test(group) || refusedAtMs.has(group)) return undefined;
              refusedAtMs.set(group, Date.now());
              return refuseHeartbeat;
            };
          await until('both met it', () => refusedAtMs.size === 2);
          const ends = before.map(async ({ service, pid }) => {
            await until(`${service} has ended`, () => p.pid(service) !== pid, { timeoutMs: 10_000, everyMs: 5 });
            const tookMs = Date.now() - (refusedAtMs.get(groupsOf(p.stores.namespace)[service]) ?? 0);
            trial.must(tookMs <= 6_000, `${service} ended ${tookMs} ms after it was refused`);
            trial.must(p.exits(service).at(-1) !== '0', `${service} ended with 0`);
            await p.untilRestarted(service, pid);
          });
          await Promise.all(ends);
          trial.died(2);
          trial.recovered(await load.untilDelivered(Math.max(...refusedAtMs.values())));
        });
        await trial.judgeAll(campaigns, {
          allowed: bound(1),
        });
      },
    },
  ],
};

/** Heartbeat, versions 0 to 3 (not flexible): header with client id, then the group. */
function groupOf(apiKey: number, request: Buffer): string {
  if (apiKey !== API.heartbeat) return '';
  const at = 12 + 2 + Math.max(0, request.readInt16BE(12));
  return request.toString('utf8', at + 2, at + 2 + request.readInt16BE(at));
}

const GROUP_AUTHORIZATION_FAILED = 30;

/** From version 1 on a throttle time stands before the error code, which ends the answer. */
function refuseHeartbeat(answer: Buffer): Buffer {
  const changed = Buffer.from(answer);
  changed.writeInt16BE(GROUP_AUTHORIZATION_FAILED, answer.length - 2);
  return changed;
}
