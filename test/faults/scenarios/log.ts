import { DEFAULT_TOPIC_SETTINGS, groupsOf, HEADERS, topicDefinitions, topicsOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import type { ServiceName } from '../../../apps/cli/src/platform.ts';
import { withLogOperator } from '../../../packages/stream/test/kafka-operator.ts';
import { endedOf } from '../../support/api-client.ts';
import type { Running } from '../../support/faults.ts';
import { boundOf } from '../../support/history.ts';
import { readTopic } from '../../support/topic-reader.ts';
import { until } from '../../support/until.ts';
import { PARTITIONS, partitionOfCampaign, withDispatcher } from '../kit/dispatchers.ts';
import { drafts, sendSurely, underLoad } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import type { Trial } from '../kit/trial.ts';
import { SLOTS } from '../kit/world.ts';

const SERVICES: readonly ServiceName[] = ['ingest-api', 'dispatcher', 'sink'];
const MORE_PARTITIONS = 16;

/** Stopped as a machine that hangs is: its members leave their groups when the sessions are over. */
const freeze = ({ p }: Trial, services: readonly ServiceName[]) => {
  for (const service of services) p.signal(service, 'SIGSTOP');
};

/** Dies where it stands, and is started again. Answers the pids that there were. */
function kill(trial: Trial, services: readonly ServiceName[]): Map<ServiceName, number> {
  trial.died(services.length);
  return new Map(services.map((service) => [service, trial.p.kill(service)]));
}

async function restart(trial: Trial, services: readonly ServiceName[]): Promise<void> {
  const killed = kill(trial, services);
  for (const [service, before] of killed) await trial.p.untilRestarted(service, before);
}

/** Started again, it is up and says that it is not ready, in these words. */
async function refusesOne(trial: Trial, service: ServiceName, before: number, words: RegExp): Promise<void> {
  const { p } = trial;
  let body = '';
  await until(
    `${service} says ${words}`,
    async () => {
      const answer = p.pid(service) === before ? undefined : await p.readiness(service);
      body = answer?.body ?? body;
      return answer?.ready === false && words.test(body);
    },
    { timeoutMs: 40_000, everyMs: 100, seen: () => body },
  );
}

/** Where a group stands in one partition, and the log. */
async function standing({ p }: Trial, group: string, topic: string, partition: number) {
  const admin = await p.client.admin();
  try {
    const committed = (await admin.committed(group, topic))[partition]?.offset ?? -1;
    const bounds = (await admin.logBounds(topic))[partition] ?? { start: 0, end: 0 };
    return { committed, ...bounds };
  } finally {
    await admin.close();
  }
}

/** Two campaigns that will be harmed, in partitions of their own, and as many others as are to be judged. */
async function apart(trial: Trial, others: number) {
  const size = Math.max(1_000, Math.ceil(trial.messages / others));
  const one = async () =>
    (await drafts(trial, 1, { perSecond: 100, size, campaign: { provider: 'steady' } }))[0] as Running;
  const [unsent, halved] = [await one(), await one()];
  const taken = new Set([partitionOfCampaign(unsent.id)]);
  let second = halved;
  while (taken.has(partitionOfCampaign(second.id))) second = await one();
  taken.add(partitionOfCampaign(second.id));
  const judged: Running[] = [];
  while (judged.length < others) {
    const next = await one();
    if (!taken.has(partitionOfCampaign(next.id))) judged.push(next);
  }
  return { unsent, uncounted: second, judged };
}

/** Everything that a service of its own says before it gives up; it must, and soon. */
async function refusal(trial: Trial, service: ServiceName, env: Record<string, string>): Promise<string> {
  const startedMs = performance.now();
  const said = await trial.p.startExtra(service, 7, { env, restart: false }).then(
    async (extra) => {
      await extra.stop();
      return '';
    },
    (error: Error) => error.message,
  );
  const tookMs = performance.now() - startedMs;
  trial.must(said !== '', `${service} runs although a topic is missing`);
  trial.must(tookMs < 30_000, `${service} took ${(tookMs / 1_000).toFixed(1)} s to refuse`);
  return said;
}

/** The topics and schemas of another namespace on the same log, without one of the topics. */
async function namespaceWithout(trial: Trial, namespace: string, missing: string): Promise<() => Promise<void>> {
  const { p } = trial;
  const settings = { ...DEFAULT_TOPIC_SETTINGS, partitions: PARTITIONS };
  const definitions = topicDefinitions(topicsOf(namespace), settings);
  const registry = createRegistry({ url: p.stores.registry, clientId: namespace, nowMs: () => performance.now() });
  await registry.registerAll(topicsOf(namespace));
  const admin = await p.client.admin();
  await admin.ensureTopics(definitions.filter(({ topic }) => topic !== missing));
  return async () => {
    await admin.ensureTopics(definitions);
    await admin.close();
  };
}

export const LOG: Family = {
  name: 'what the log is asked to keep',
  world: 'log',
  scenarios: [
    {
      id: 'F13',
      fault: 'the offsets of all groups are deleted while everything is stopped',
      expected: `everything but the sink reads its log from the beginning, never from its end; the sink says what it has and stops, until an operator gives it its offsets; 0 lost; at most C (${SLOTS}) sent twice`,
      injected:
        'SIGSTOP for one session, DeleteGroups, SIGKILL and start; offsets of the sink set by hand from `partition_audit`',
      short: false,
      async run(trial) {
        const { p } = trial;
        const campaigns = await underLoad(trial, { perSecond: 400, campaigns: 6 }, async (load) => {
          const groups = Object.values(groupsOf(p.stores.namespace)) as string[];
          // What the sink says of an offset that is gone, it says of partitions of which it has stored something.
          await until('the sink has stored something', async () => (await storedOf(trial)).length > 0);
          freeze(trial, SERVICES);
          await withLogOperator(p.stores.kafka, (operator) => operator.deleteGroups(groups));
          const startMs = Date.now();
          const sink = kill(trial, ['sink']).get('sink') as number;
          await restart(trial, ['ingest-api', 'dispatcher']);
          trial.recovered(await load.untilDelivered(startMs));
          await refusesOne(
            trial,
            'sink',
            sink,
            /rows up to offset \d+ are stored, and by the group.s offset 0 would come next/,
          );
          await giveOffsetsBack(trial);
        });
        await trial.judgeAll(campaigns, { allowed: boundOf({ deaths: 1, slots: SLOTS }) });
      },
    },
    {
      id: 'F14',
      fault: 'a topic is missing when a service starts',
      expected: 'it ends within 30 s over a sentence that names the topic, and starts when the topic is there',
      injected: 'another namespace on the same log, all of its topics but one',
      short: false,
      async run(trial) {
        const { p } = trial;
        const campaigns = await underLoad(trial, { perSecond: 300, campaigns: 6 }, async () => {
          const namespace = `${p.stores.namespace}-gap`;
          const { held, deliveries } = topicsOf(namespace);
          const env = { VOLLEY_NAMESPACE: namespace };
          const before = `${namespace}-less`;
          const complete = await namespaceWithout(trial, namespace, held);
          const completeDeliveries = await namespaceWithout(trial, before, topicsOf(before).deliveries);
          const without = { VOLLEY_NAMESPACE: before };
          const said = [
            [held, await refusal(trial, 'dispatcher', env)],
            [topicsOf(before).deliveries, await refusal(trial, 'dispatcher', without)],
            [topicsOf(before).deliveries, await refusal(trial, 'sink', without)],
            [topicsOf(before).deliveries, await refusal(trial, 'ingest-api', { ...without, VOLLEY_ROLES: 'progress' })],
          ] as const;
          for (const [topic, sentence] of said)
            trial.must(sentence.includes(`there is no topic ${topic}: run the set-up step`), `it says: ${sentence}`);
          await complete();
          await completeDeliveries();
          await (await p.startExtra('dispatcher', 7, { env })).stop();
          trial.note(`${said.length} refusals; ${deliveries} was there`);
          const admin = await p.client.admin();
          for (const name of [namespace, before])
            await admin.deleteTopics(topicDefinitions(topicsOf(name), DEFAULT_TOPIC_SETTINGS).map((d) => d.topic));
          await admin.close();
        });
        await trial.judgeAll(campaigns);
      },
    },
    {
      id: 'F14',
      fault: 'partitions are added to running topics: to a lane first, then to all; then campaigns use them',
      expected: `everything runs on with the numbers that its campaign was sent with; later campaigns use the new ones; 0 lost; at most C (${SLOTS}) sent twice for each death`,
      injected: `CreatePartitions, ${PARTITIONS} to ${MORE_PARTITIONS}; partitions move, services restart, another API has the new number`,
      short: false,
      async run(trial) {
        const { p } = trial;
        const { topics } = p;
        const all = [
          topics.deliveries,
          ...topics.retry,
          topics.held,
          topics.dlq,
          topics.deliveriesDlq,
          topics.campaigns,
        ];
        const grow = (names: readonly string[]) =>
          withLogOperator(p.stores.kafka, async (operator) => {
            for (const name of names) await operator.addPartitions(name, MORE_PARTITIONS);
          });
        const campaigns = await underLoad(trial, { perSecond: 300, campaigns: 6, round: 3_000 }, async (load) => {
          await grow([topics.messages.bulk]);
          // The assignment is made anew, and has numbers that the deliveries do not have.
          await withDispatcher(trial, 2, async () => {
            await load.untilDelivered(Date.now());
          });
          await restart(trial, ['dispatcher']);
          await load.untilDelivered(Date.now());
          await grow([...all, topics.messages.transactional]);
          await restart(trial, ['dispatcher', 'sink', 'ingest-api']);
          trial.recovered(await load.untilDelivered(Date.now()));
        });
        const old = new Set(campaigns.map(({ id }) => partitionOfCampaign(id)));
        trial.must(Math.max(...old) < PARTITIONS, 'a campaign uses a number that it was not sent with');
        await trial.judgeAll(campaigns, { allowed: boundOf({ deaths: 2, slots: SLOTS }) });

        const larger = await p.startExtra('ingest-api', 1, { env: { VOLLEY_PARTITIONS: String(MORE_PARTITIONS) } });
        const share = { ...trial, p: { ...p, api: larger.api }, messages: Math.ceil(trial.messages / 5) };
        const later = await underLoad(share, { perSecond: 1_000, campaigns: 20 }, async () => {});
        await trial.judgeAll(later);
        const bounds = await readTopic(p.client, topics.messages.bulk);
        const beyond = bounds.filter(({ partition }) => partition >= PARTITIONS).length;
        trial.must(beyond > 0, 'no campaign came to use a new partition: nothing was shown');
        trial.note(`${beyond} messages in new partitions`);
        await larger.stop();
      },
    },
    {
      id: 'F13',
      fault:
        'the log drops records that a group has not read: of a lane for the dispatcher, of the deliveries for sink and progress',
      expected:
        'that partition stops, readiness is red and names it; nothing jumps over the gap; the others go on; 0 lost elsewhere; goes on where an operator says',
      injected: 'DeleteRecords above the committed offset while the reader is stopped; then offsets set by hand',
      short: false,
      async run(trial) {
        await recordsAreDropped(trial);
      },
    },
  ],
};

const storedOf = ({ p }: Trial) =>
  p.clickhouse.query<{ partition: number; last: number }>(
    'SELECT source_partition AS partition, last_offset AS last FROM partition_audit',
  );

/** As the runbook says: after the last row that is stored of each partition. */
async function giveOffsetsBack(trial: Trial): Promise<void> {
  const { p } = trial;
  freeze(trial, ['sink']);
  const stored = await storedOf(trial);
  trial.must(stored.length > 0, 'nothing was stored: nothing was shown');
  await withLogOperator(p.stores.kafka, async (operator) => {
    for (const { partition, last } of stored)
      await operator.setOffset(groupsOf(p.stores.namespace).sink, p.topics.deliveries, partition, last + 1);
  });
  await restart(trial, ['sink']);
}

async function recordsAreDropped(trial: Trial): Promise<void> {
  const { p, db } = trial;
  const { bulk } = p.topics.messages;
  const { deliveries } = p.topics;
  const groups = groupsOf(p.stores.namespace);
  const { unsent, uncounted, judged } = await apart(trial, 5);
  const [lane, counted] = [partitionOfCampaign(unsent.id), partitionOfCampaign(uncounted.id)];
  for (const { id } of [unsent, uncounted, ...judged]) await sendSurely(trial, id);
  for (const { id } of [unsent, uncounted]) await p.api.untilSomeEnded(id, 100);

  // 1 The dispatcher: records that it has not handled are gone from a lane.
  freeze(trial, ['dispatcher']);
  const behind = await until('the lane is ahead of the dispatcher', async () => {
    const at = await standing(trial, groups.dispatcher, bulk, lane);
    return at.end - at.committed >= 300 && at;
  });
  const laneStart = behind.committed + 250;
  const dropped = (await readTopic(p.client, bulk))
    .filter(({ partition, offset }) => partition === lane && offset < laneStart)
    .map(({ headers }) => headers[HEADERS.messageId]?.toString() ?? '')
    .filter((id) => id.startsWith(unsent.id.slice(0, 18)));
  await withLogOperator(p.stores.kafka, (operator) => operator.deleteRecords(bulk, lane, laneStart));
  const first = kill(trial, ['dispatcher']).get('dispatcher') as number;
  const said = `offset ${behind.committed} was expected and the log (starts at|gave) ${laneStart}`;
  await refusesOne(trial, 'dispatcher', first, new RegExp(`${bulk}/${lane} stopped: ${said}`));
  const stoppedMs = Date.now();

  // 2 Sink and progress: the same of the deliveries, of another partition.
  freeze(trial, ['sink', 'ingest-api']);
  const saved = async () => {
    const { rows } = await db.query<{ next: string }>(
      'SELECT next_offset AS next FROM progress_offsets WHERE topic = $1 AND partition = $2',
      [deliveries, counted],
    );
    return Number(rows[0]?.next ?? 0);
  };
  const unread = await until('deliveries are ahead of sink and progress', async () => {
    const sink = await standing(trial, groups.sink, deliveries, counted);
    const progress = await standing(trial, groups.progress, deliveries, counted);
    const most = Math.max(sink.committed, progress.committed, await saved());
    return sink.end - most >= 50 && { sink, progress, start: most + 30 };
  });
  await withLogOperator(p.stores.kafka, (operator) => operator.deleteRecords(deliveries, counted, unread.start));
  const second = kill(trial, ['sink', 'ingest-api']);
  const gap = new RegExp(`partition ${counted} stopped: offset ${unread.sink.committed} was expected`);
  await refusesOne(trial, 'sink', second.get('sink') as number, gap);
  const few = new RegExp(`1 partitions of ${deliveries} are stopped`);
  await refusesOne(trial, 'ingest-api', second.get('ingest-api') as number, few);

  // 3 The others have ended; what stopped has not moved, also after one more start.
  for (const { id } of judged) await p.api.untilEnded(id, 120_000);
  const third = kill(trial, ['dispatcher']).get('dispatcher') as number;
  await refusesOne(trial, 'dispatcher', third, new RegExp(`${bulk}/${lane} stopped: ${said}`));
  const still = [
    [groups.dispatcher, bulk, lane, behind.committed],
    [groups.sink, deliveries, counted, unread.sink.committed],
    [groups.progress, deliveries, counted, unread.progress.committed],
  ] as const;
  for (const [group, topic, partition, before] of still) {
    const { committed } = await standing(trial, group, topic, partition);
    trial.must(committed === before, `${group} went from ${before} to ${committed} in ${topic} ${partition}`);
  }
  const ofUnsent = () => trial.receipts().filter(({ messageId }) => messageId.startsWith(unsent.id.slice(0, 18)));
  const after = ofUnsent().filter(({ atMs }) => (atMs ?? 0) > stoppedMs);
  trial.must(after.length === 0, `${after.length} messages of the stopped partition were sent beyond the gap`);

  // 4 An operator has seen what is missing, and says from where to go on.
  freeze(trial, SERVICES);
  await withLogOperator(p.stores.kafka, async (operator) => {
    await operator.setOffset(groups.dispatcher, bulk, lane, laneStart);
    await operator.setOffset(groups.sink, deliveries, counted, unread.start);
    await operator.setOffset(groups.progress, deliveries, counted, unread.start);
  });
  await db.query('UPDATE progress_offsets SET next_offset = $3 WHERE topic = $1 AND partition = $2', [
    deliveries,
    counted,
    unread.start,
  ]);
  await restart(trial, SERVICES);

  // 5 Everybody of whom a record was left has got it, once; who is missing is known by id.
  const got = new Set(ofUnsent().map(({ messageId }) => messageId));
  const missing = dropped.filter((id) => !got.has(id)).length;
  const left = unsent.expected - missing;
  await until(`${left} of ${unsent.expected} have ended`, async () => endedOf(await p.api.stats(unsent.id)) === left, {
    timeoutMs: 60_000,
    everyMs: 100,
    seen: () => ofUnsent().length,
  });
  trial.must(missing > 0, 'all that was dropped had been sent: nothing was shown');
  trial.note(
    `${missing} messages dropped before they were sent, ${unread.start - unread.sink.committed} events before they were stored`,
  );
  await until(
    'the other harmed campaign is sent',
    async () => {
      const of = trial.receipts().filter(({ messageId }) => messageId.startsWith(uncounted.id.slice(0, 18)));
      return new Set(of.map(({ messageId }) => messageId)).size === uncounted.expected;
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );
  await trial.judgeAll(judged, { allowed: boundOf({ deaths: 3, slots: SLOTS }) });
}
