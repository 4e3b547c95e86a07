import { createDecoder } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { readTopic } from '../../support/topic-reader.ts';
import { until } from '../../support/until.ts';
import { drafts, sendSurely } from '../kit/load.ts';
import type { Family } from '../kit/scenario.ts';
import type { Trial } from '../kit/trial.ts';

/** Rows that a relay publishes at once, and messages that fan-out writes at once (services/ingest-api/src). */
const RELAY_BATCH = 500;
const FANOUT_BATCH = 1_000;

/** Versions of these campaigns in the log, in its order. */
async function versionsOf({ p }: Trial, ids: readonly string[]): Promise<Map<string, number[]>> {
  const registry = createRegistry({ url: p.stores.registry, clientId: 'versions', nowMs: () => performance.now() });
  const decode = createDecoder('CampaignEvent', registry.store);
  const versions = new Map<string, number[]>(ids.map((id) => [id, []]));
  for (const record of await readTopic(p.client, p.topics.campaigns)) {
    const of = versions.get(record.key?.toString() ?? '');
    if (of === undefined) continue;
    let decoded = decode(record.value);
    if (!decoded.ok && decoded.reason === 'needs_schema') {
      await registry.store.load(decoded.schemaId);
      decoded = decode(record.value);
    }
    if (decoded.ok) of.push(decoded.value.version);
  }
  return versions;
}

/** Every version is there, and after the last new one none that is older. Answers how many came more than once. */
function judgeVersions(trial: Trial, versions: ReadonlyMap<string, readonly number[]>): number {
  let repeated = 0;
  for (const [id, list] of versions) {
    const last = Math.max(0, ...list);
    trial.must(new Set(list).size === last, `${id}: versions ${list.join(' ')} have a gap`);
    trial.must(list.at(-1) === last, `${id}: an older version lies above ${last}: ${list.join(' ')}`);
    repeated += list.length - new Set(list).size;
  }
  return repeated;
}

const CAMPAIGNS = 5;

export const RELAY: Family = {
  name: 'relay and fan-out',
  world: 'stores',
  scenarios: [
    {
      id: 'F05',
      fault: 'the relay dies after Kafka has acknowledged, before it marks what it published',
      expected: `0 lost, 0 sent twice; at most ${RELAY_BATCH} versions published again`,
      injected: 'failpoint `relay.afterAck:kill`',
      short: false,
      async run(trial) {
        const { p, db } = trial;
        const size = Math.ceil(trial.messages / CAMPAIGNS);
        const campaigns = await drafts(trial, CAMPAIGNS, { size, perSecond: 4_000, campaigns: CAMPAIGNS });
        await until('the drafts are published', async () => {
          const { rows } = await db.query('SELECT 1 FROM campaigns WHERE version > published_version');
          return rows.length === 0;
        });
        const armed = await p.arm('ingest-api', 'relay.afterAck:kill');
        const sending = Promise.all(campaigns.map(({ id }) => sendSurely(trial, id)));
        await until('the relay died', () => p.pid('ingest-api') !== armed, { seen: () => p.logTail('ingest-api', 5) });
        const diedMs = Date.now();
        await sending;
        trial.died();
        await until('something is delivered', () => trial.receipts().some((r) => (r.atMs ?? 0) > diedMs));
        trial.recovered(Date.now() - diedMs);
        await trial.judgeAll(campaigns);
        const repeated = judgeVersions(
          trial,
          await versionsOf(
            trial,
            campaigns.map(({ id }) => id),
          ),
        );
        trial.must(repeated >= 1, 'the relay died before it had published anything: nothing was shown');
        trial.must(repeated <= RELAY_BATCH, `${repeated} versions were published again`);
        trial.note(`${repeated} versions published again`);
      },
    },
    {
      id: 'F06',
      fault: 'the owner of relay and fan-out sleeps past its leases, another takes over, the first wakes up',
      expected: `0 lost, 0 sent twice, order kept; at most one batch of fan-out (${FANOUT_BATCH}) written again`,
      injected: 'SIGSTOP of ingest-api, a second one under another slot, SIGCONT',
      short: false,
      async run(trial) {
        const { p, db } = trial;
        const owner = async () => {
          const { rows } = await db.query<{ owner: string }>("SELECT owner FROM leases WHERE name = 'relay'");
          return rows[0]?.owner ?? '';
        };
        // Fan-out is in the middle of its work: the window of a campaign is ten seconds of its rate.
        const perSecond = Math.max(100, trial.messages / 20);
        const campaigns = await drafts(trial, CAMPAIGNS, {
          size: trial.messages / CAMPAIGNS,
          perSecond,
          campaigns: CAMPAIGNS,
        });
        const second = await p.startExtra('ingest-api', 7);
        try {
          for (const { id } of campaigns) await sendSurely(trial, id);
          await until('some are delivered', () => trial.receipts().length > 20);
          const before = await owner();
          const asleep = p.signal('ingest-api', 'SIGSTOP');
          const stoppedMs = Date.now();
          try {
            await until('the second relay has the lease', async () => (await owner()) !== before, {
              timeoutMs: 20_000,
            });
            trial.recovered(Date.now() - stoppedMs);
            // A command through the second API is published by the second relay while the first one sleeps.
            const paused = campaigns[0]?.id as string;
            trial.must((await second.api.command(paused, 'pause')).status === 202, 'pause through the second API');
            await until('the pause is in the log', async () => {
              const versions = await versionsOf(trial, [paused]);
              return Math.max(0, ...(versions.get(paused) ?? [])) >= 3;
            });
            trial.must((await second.api.command(paused, 'resume')).status === 202, 'resume through the second API');
            const now = Date.now();
            await until('messages are delivered while it sleeps', () =>
              trial.receipts().some((r) => (r.atMs ?? 0) > now),
            );
          } finally {
            process.kill(asleep, 'SIGCONT');
          }
          trial.died();
          await trial.judgeAll(campaigns, { allowed: { doubledMessages: FANOUT_BATCH } });
          const repeated = judgeVersions(
            trial,
            await versionsOf(
              trial,
              campaigns.map(({ id }) => id),
            ),
          );
          trial.note(`${repeated} versions published again`);
        } finally {
          await second.stop();
        }
      },
    },
  ],
};
