import { SCHEMA_TEXTS, subjectOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import type { StreamProducer, StreamRecord } from '@volley/stream';
import pg from 'pg';
import { endedOf } from '../../support/api-client.ts';
import type { Running } from '../../support/faults.ts';
import { boundOf } from '../../support/history.ts';
import type { RegistryMood } from '../../support/registry-front.ts';
import { readTopic } from '../../support/topic-reader.ts';
import { until } from '../../support/until.ts';
import { partitionOfCampaign } from '../kit/dispatchers.ts';
import { drafts, sendSurely, underLoad } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import type { Trial } from '../kit/trial.ts';
import { SLOTS } from '../kit/world.ts';

const isFull = ({ messages }: Trial) => messages >= 5_000;

/** How long after a registry is back everything goes on. */
const REGISTRY_BACK_MS = 30_000;
const MOODS: readonly Exclude<RegistryMood, 'pass'>[] = ['refuse', 'blackhole', 'error', 'html'];
/** Drafts cost nothing; with so many of them one falls on the partition that is wanted (1 - (11/12)^60 > 99%). */
const MOST_DRAFTS = 60;

/** The frame of a later version of Message: one more field, which has a default, at the end; ours is not in it. */
async function registerLaterMessage(trial: Trial, field: string): Promise<(value: Buffer) => Buffer> {
  const { p } = trial;
  const registry = createRegistry({ url: p.stores.registry, clientId: 'later', nowMs: () => performance.now() });
  const schema = JSON.parse(SCHEMA_TEXTS.Message) as { fields: unknown[] };
  schema.fields.push({ name: field, type: ['null', 'string'], default: null });
  const id = await registry.register(subjectOf(p.topics.messages.bulk, 'Message'), JSON.stringify(schema));
  return (value) => {
    const later = Buffer.concat([value, Buffer.of(0)]);
    later.writeInt32BE(id, 1);
    return later;
  };
}

/** A draft whose messages will lie in this partition, or in any other one. */
async function draftIn(trial: Trial, size: number, wanted: (partition: number) => boolean): Promise<Running> {
  for (let i = 0; i < MOST_DRAFTS; i++) {
    const [running] = await drafts(trial, 1, { size, perSecond: size });
    if (running !== undefined && wanted(partitionOfCampaign(running.id))) return running;
  }
  throw new Error('no draft fell on the partition');
}

const endedIn = async ({ p }: Trial, { id }: Running) => endedOf(await p.api.stats(id));

/** Sends once more what has ended long ago, in words that the dispatcher has not met; answers how many it wrote. */
async function writeStranger(trial: Trial, producer: StreamProducer, old: StreamRecord, field: string) {
  const inLaterWords = await registerLaterMessage(trial, field);
  return async () => {
    const { topic, partition, key, headers, value } = old;
    await producer.send([{ topic, partition, key, headers, value: inLaterWords(value as Buffer) }]);
  };
}

/** Known ids flow, an unknown one holds its partition and nothing else, and all goes on when the registry is back. */
async function awayWhileRunning(
  trial: Trial,
  mood: RegistryMood,
  write: () => Promise<void>,
  partition: number,
  size: number,
) {
  const { p, registry } = trial;
  const behind = await draftIn(trial, size, (at) => at === partition);
  const beside = await draftIn(trial, size, (at) => at !== partition);
  await registry.set(mood);
  await write();
  for (const { id } of [behind, beside]) await sendSurely(trial, id);
  await until('campaigns of other partitions end', async () => (await endedIn(trial, beside)) === size);
  await until('the dispatcher says what it waits for', async () => {
    const readiness = await p.readiness('dispatcher');
    return readiness?.ready === false && /registry/.test(readiness.body);
  });
  trial.must((await endedIn(trial, behind)) === 0, `${mood}: something behind the unknown schema was delivered`);
  const backMs = Date.now();
  await registry.set('pass');
  await until('the partition goes on', async () => (await endedIn(trial, behind)) > 0, {
    timeoutMs: 2 * REGISTRY_BACK_MS,
  });
  const tookMs = Date.now() - backMs;
  trial.must(tookMs <= REGISTRY_BACK_MS, `${mood}: the partition went on after ${tookMs} ms`);
  trial.recovered(tookMs);
  return [behind, beside];
}

/** All three services start while it is away: commands are taken, nothing is delivered, nothing is given up. */
async function awayAtTheStart(trial: Trial, mood: RegistryMood) {
  const { p, registry } = trial;
  const [running] = await drafts(trial, 1, { size: Math.ceil(trial.messages / 8), perSecond: trial.messages });
  if (running === undefined) throw new Error('no draft');
  await registry.set(mood);
  const before = (['ingest-api', 'dispatcher', 'sink'] as const).map((service) => [service, p.kill(service)] as const);
  trial.died(before.length);
  await until('the API answers without it', async () => (await p.api.call('GET', '/v1/campaigns')).status === 200);
  await sendSurely(trial, running.id);
  const faults = registry.faults();
  await until('it was asked again', () => mood === 'refuse' || registry.faults() > faults + 2);
  trial.must((await p.readiness('dispatcher'))?.ready !== true, `${mood}: the dispatcher said that it was ready`);
  trial.must((await endedIn(trial, running)) === 0, `${mood}: something was delivered`);
  const backMs = Date.now();
  await registry.set('pass');
  await until('messages are delivered', async () => (await endedIn(trial, running)) > 0, {
    timeoutMs: 2 * REGISTRY_BACK_MS,
  });
  for (const [service, pid] of before) await p.untilRestarted(service, pid, REGISTRY_BACK_MS);
  const tookMs = Date.now() - backMs;
  trial.must(tookMs <= REGISTRY_BACK_MS, `${mood} at the start: back after ${tookMs} ms`);
  trial.recovered(tookMs);
  return running;
}

/** How soon a request that cannot be served says so, with what a busy machine adds. */
const REFUSED_WITHIN_MS = 2_000 + 500;

/** Asks all of these at once. Whatever is not served says 503 and when to come back, in time. */
async function burst(trial: Trial, what: string, calls: readonly (readonly [method: string, path: string])[]) {
  const { p } = trial;
  const answers = await Promise.all(
    calls.map(async ([method, path]) => {
      const startedMs = performance.now();
      const json = path === '/v1/campaigns' && method === 'POST' ? { json: DRAFT } : {};
      const { status, headers } = await p.api.call(method, path, { ...json, timeoutMs: 20_000 }).catch(() => NO_ANSWER);
      return { method, path, status, ms: performance.now() - startedMs, retryAfter: headers.get('retry-after') };
    }),
  );
  const served = answers.filter(({ status }) => status >= 200 && status < 300).length;
  const wrong = answers.find(
    ({ status, retryAfter }) => !(status >= 200 && status < 300) && !(status === 503 && retryAfter),
  );
  trial.must(wrong === undefined, `${what}: ${JSON.stringify(wrong)}`);
  const late = answers.find(({ status, ms }) => status === 503 && ms > REFUSED_WITHIN_MS);
  trial.must(late === undefined, `${what}: refused too late: ${JSON.stringify(late)}`);
  return { served, refused: answers.length - served, slowestMs: Math.max(...answers.map(({ ms }) => ms)) };
}
const NO_ANSWER = { status: 0, headers: new Headers() };
const DRAFT = { name: 'in between', template: 'x', segment_rule: 'nobody' };

/** Holds locks for as long as `during` takes. */
async function locking<T>(trial: Trial, sql: string, values: readonly unknown[], during: () => Promise<T>) {
  const locker = new pg.Client({ connectionString: trial.p.stores.postgres });
  await locker.connect();
  try {
    await locker.query('BEGIN');
    await locker.query(sql, values as unknown[]);
    return await during();
  } finally {
    await locker.query('ROLLBACK');
    await locker.end();
  }
}

export const STORES: Family = {
  name: 'registry and Postgres',
  world: 'stores',
  scenarios: [
    {
      id: 'F24',
      fault: 'the registry is away while messages flow: refused, silent, error 500, a page of HTML',
      expected:
        'known schemas flow, an unknown one holds its partition only; 0 dead letters; back within 30 s; 0 lost, 0 sent twice',
      injected: 'a front before the registry; a record in a later version of the schema ahead of a campaign',
      short: true,
      async run(trial) {
        const { p } = trial;
        const [first] = await drafts(trial, 1, { size: Math.ceil(trial.messages / 2), perSecond: trial.messages });
        if (first === undefined) throw new Error('no draft');
        await sendSurely(trial, first.id);
        await p.api.untilEnded(first.id);
        const partition = partitionOfCampaign(first.id);
        const old = (await readTopic(p.client, p.topics.messages.bulk)).filter(
          (record) => record.key?.toString() === first.id,
        );
        const producer = await p.client.producer({ clientId: 'strangers' });
        const moods = isFull(trial) ? MOODS : MOODS.filter((mood) => mood === 'error');
        const size = Math.ceil(trial.messages / moods.length / 4);
        const campaigns: Running[] = [];
        try {
          for (const [i, mood] of moods.entries()) {
            const write = await writeStranger(trial, producer, old[i] as StreamRecord, `${trial.tag}_${mood}`);
            campaigns.push(...(await awayWhileRunning(trial, mood, write, partition, size)));
          }
        } finally {
          await producer.close();
        }
        await trial.judge(first, { allowed: { doubledMessages: moods.length } });
        await trial.judgeAll(campaigns);
        const letters = await readTopic(p.client, p.topics.dlq);
        trial.must(letters.length === 0, `${letters.length} dead letters`);
        trial.note(`${moods.join(', ')}: nothing dead-lettered`);
      },
    },
    {
      id: 'F24',
      fault: 'the registry is away while all services start: refused, silent, error 500, a page of HTML',
      expected: `commands are taken (202); 0 dead letters; delivery within 30 s of its return; 0 lost; at most C (${SLOTS}) sent twice for each death of the dispatcher`,
      injected: 'a front before the registry; SIGKILL of the three services',
      short: false,
      async run(trial) {
        const { p } = trial;
        const campaigns: Running[] = [];
        for (const mood of MOODS) campaigns.push(await awayAtTheStart(trial, mood));
        const [rest] = await drafts(trial, 1, { size: Math.ceil(trial.messages / 2), perSecond: trial.messages });
        if (rest === undefined) throw new Error('no draft');
        await sendSurely(trial, rest.id);
        // Each kill of the dispatcher meets what is still under way of the round before.
        const bound = boundOf({ deaths: MOODS.length, slots: SLOTS });
        await trial.judgeAll([...campaigns, rest], { allowed: bound });
        const letters = await readTopic(p.client, p.topics.dlq);
        trial.must(letters.length === 0, `${letters.length} dead letters`);
      },
    },
    {
      id: 'F28',
      fault:
        'Postgres is slow or locked: one campaign, a table, all connections, answers after 3 s, answers after 250 ms',
      expected:
        '503 with Retry-After within 2 s, whatever else is asked is served; delivery goes on; 0 lost, 0 sent twice',
      injected: 'SELECT FOR UPDATE, LOCK TABLE, more requests than connections; latency in a proxy',
      short: false,
      async run(trial) {
        const { p, postgres } = trial;
        // A round outlasts the faults: while Postgres is slow there is no next one, and delivery must have something to deliver.
        const options = { perSecond: trial.messages / 50, campaigns: 4 };
        const [locked] = await drafts(trial, 1, { ...options, size: 100 });
        if (locked === undefined) throw new Error('no draft');
        const campaigns = await underLoad(trial, options, async (load) => {
          const running = load.sent[0]?.id as string;
          const told = (what: string, { served, refused, slowestMs }: Awaited<ReturnType<typeof burst>>) =>
            trial.note(`${what}: ${served} served, ${refused} refused, slowest ${(slowestMs / 1_000).toFixed(1)} s`);
          const delivering = async (what: string) => {
            const sinceMs = Date.now();
            await load.untilDelivered(sinceMs, 10_000).catch(() => trial.must(false, `${what}: delivery stood still`));
          };

          const lockRow = 'SELECT 1 FROM campaigns WHERE campaign_id = $1 FOR UPDATE';
          await locking(trial, lockRow, [locked.id], async () => {
            const one = burst(trial, 'one campaign locked', [['POST', `/v1/campaigns/${locked.id}/send`]]);
            const others = await burst(trial, 'the other campaigns', [
              ['GET', `/v1/campaigns/${running}/stats`],
              ['GET', '/v1/contacts?limit=1'],
              ['POST', '/v1/campaigns'],
            ]);
            trial.must((await one).refused === 1, 'a locked campaign was sent');
            trial.must(others.refused === 0, `${others.refused} requests about other campaigns were refused`);
            const [next] = await drafts(trial, 1, { ...options, size: 50 });
            await sendSurely(trial, (next as Running).id);
            await p.api.untilEnded((next as Running).id, 20_000);
            told('one campaign locked', await one);
          });

          const lockEvents = 'LOCK TABLE campaign_events IN ACCESS EXCLUSIVE MODE';
          await locking(trial, lockEvents, [], async () => {
            const commands = await burst(trial, 'the events locked', [['POST', `/v1/campaigns/${locked.id}/send`]]);
            const reads = await burst(trial, 'reads beside', [
              ['GET', `/v1/campaigns/${running}`],
              ['GET', '/v1/contacts?limit=1'],
            ]);
            trial.must(commands.refused === 1, 'a command was taken without its event');
            trial.must(reads.refused === 0, 'reads were refused although only events were locked');
            await delivering('the events locked');
            told('the events locked', commands);
          });

          const lockContacts = 'LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE';
          await locking(trial, lockContacts, [], async () => {
            const many = Array.from({ length: 60 }, (_, i) =>
              i === 0 ? (['POST', `/v1/campaigns/${locked.id}/send`] as const) : (['GET', '/v1/contacts'] as const),
            );
            const all = await burst(trial, 'all connections taken', many);
            trial.must(all.refused === many.length, `${all.served} were served from a locked table`);
            await delivering('all connections taken');
            told('all connections taken', all);
          });

          const mixed = Array.from(
            { length: 10 },
            (_, i) =>
              [
                ['POST', '/v1/campaigns'] as const,
                ['GET', `/v1/campaigns/${running}/stats`] as const,
                ['GET', '/v1/contacts'] as const,
              ][i % 3] as readonly [string, string],
          );
          for (const latencyMs of [3_000, 250]) {
            postgres.toClient.set({ latencyMs });
            const slow = await burst(trial, `${latencyMs} ms late`, mixed);
            await delivering(`${latencyMs} ms late`);
            await postgres.heal();
            told(`${latencyMs} ms late`, slow);
          }
          const healedMs = Date.now();
          await sendSurely(trial, locked.id);
          trial.recovered(Date.now() - healedMs);
        });
        await trial.judgeAll([...campaigns, locked]);
      },
    },
  ],
};
