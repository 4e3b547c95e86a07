import { DEFAULT_TOPIC_SETTINGS, topicDefinitions, topicsOf } from '@volley/contract';
import { createMemoryBroker } from '@volley/stream/memory';
import type { CampaignContent, ImportLine, Result } from '../../services/ingest-api/src/ports.ts';
import { collectHistory } from '../support/collect.ts';
import { readTopic } from '../support/topic-reader.ts';
import { startDispatcher } from './memory/dispatcher.ts';
import { startIngestApi } from './memory/ingest-api.ts';
import { createMemorySchemas, PARTITIONS, type Surroundings } from './memory/process.ts';
import { startSink } from './memory/sink.ts';
import type { World } from './world.ts';

const TENANT = 'default';
const DRAFT: Omit<CampaignContent, 'template' | 'segment_rule'> = {
  name: 'Test',
  subject: '',
  from: '',
  reply_to: '',
  content_type: 'text/plain',
  channel: 'simulated',
  provider: '',
  lane: 'bulk',
  rate_per_second: null,
  max_attempts: null,
  expires_at: null,
};

function orThrow<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.failure.code}: ${result.failure.detail}`);
}

/** The three services' own pipelines in this process, on the log, store and rows in memory. No stack, no sockets. */
export async function createMemoryWorld(): Promise<World> {
  const namespace = 'memory';
  const topics = topicsOf(namespace);
  const broker = createMemoryBroker();
  const client = broker.client();
  const admin = await client.admin();
  await admin.ensureTopics(topicDefinitions(topics, DEFAULT_TOPIC_SETTINGS));
  let bug: Error | undefined;
  const surroundings: Surroundings = {
    client,
    topics,
    namespace,
    partitions: PARTITIONS,
    schemas: createMemorySchemas(),
    fatal: (error) => {
      bug ??= error;
    },
  };
  const sink = await startSink(surroundings);
  const dispatcher = await startDispatcher(surroundings);
  const ingest = await startIngestApi(surroundings);
  const producer = await client.producer({ clientId: 'another-team' });

  const campaign = async (id: string) => {
    // A process would have ended: nothing that is seen after it counts.
    if (bug !== undefined) throw bug;
    const found = await ingest.campaigns.find(TENANT, id);
    if (found === undefined) throw new Error(`there is no campaign ${id}`);
    return found;
  };
  const stats = async (id: string) => orThrow(await ingest.reads.stats(id));

  return {
    topics,
    partitions: PARTITIONS,
    async importContacts(contacts) {
      async function* lines(): AsyncGenerator<ImportLine[]> {
        yield contacts.map((fields, i) => ({ line: i + 1, fields }));
      }
      const { rejected, errors } = orThrow(await ingest.imports.run(lines()));
      if (rejected > 0) throw new Error(`${rejected} contacts were rejected: ${JSON.stringify(errors[0])}`);
    },
    async create({ expiresAtMs, ...wish }) {
      const content = { ...DRAFT, ...wish, expires_at: expiresAtMs ?? null };
      const { body } = orThrow(await ingest.commands.create(content));
      return (body as { campaign_id: string }).campaign_id;
    },
    async send(id) {
      const { body } = orThrow(await ingest.commands.command(id, 'send'));
      return (body as { queued: number }).queued;
    },
    command: async (id, name) => void orThrow(await ingest.commands.command(id, name)),
    status: async (id) => (await campaign(id)).status,
    stats,
    async inject(record) {
      const [ack] = await producer.send([record]);
      if (ack === undefined) throw new Error('no acknowledgement');
      return ack;
    },
    read: (topic) => readTopic(client, topic),
    history: (id, expected) =>
      collectHistory(
        {
          client,
          topics,
          schemas: surroundings.schemas,
          campaign,
          stats,
          rows: async (campaignId) => sink.rows(campaignId),
          receipts: () => [...dispatcher.receipts],
        },
        id,
        expected,
      ),
    async close() {
      await ingest.stop();
      await dispatcher.stop();
      await sink.stop();
      await client.close();
      if (bug !== undefined) throw bug;
    },
  };
}
