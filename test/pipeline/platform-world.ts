import { DEFAULT_TOPIC_SETTINGS, topicDefinitions } from '@volley/contract';
import type { StreamProducer } from '@volley/stream';
import { historyOf } from '../support/platform-history.ts';
import { startTestPlatform } from '../support/test-platform.ts';
import { readTopic } from '../support/topic-reader.ts';
import type { World } from './world.ts';

/** The three services under their supervisor on the real stores, through the public HTTP API. */
export async function createPlatformWorld(): Promise<World> {
  const p = await startTestPlatform('pipeline');
  const { api } = p;
  let producer: StreamProducer | undefined;
  return {
    topics: p.topics,
    partitions: topicDefinitions(p.topics, DEFAULT_TOPIC_SETTINGS)[0]?.partitions ?? 0,
    async importContacts(contacts) {
      const { rejected } = await api.importContacts(contacts);
      if (rejected > 0) throw new Error(`${rejected} contacts were rejected`);
    },
    create: ({ expiresAtMs, ...wish }) =>
      api.create({
        ...wish,
        ...(expiresAtMs === undefined ? {} : { expires_at: new Date(expiresAtMs).toISOString() }),
      }),
    send: async (id) => (await api.send(id)).queued,
    async command(id, name) {
      const { status, body } = await api.command(id, name);
      if (status !== 202) throw new Error(`${name} of ${id}: ${status} ${JSON.stringify(body)}`);
    },
    status: async (id) => (await api.campaign(id)).status,
    stats: api.stats,
    async inject(record) {
      producer ??= await p.client.producer({ clientId: `${p.stores.namespace}-another-team` });
      const [ack] = await producer.send([record]);
      if (ack === undefined) throw new Error('no acknowledgement');
      return ack;
    },
    read: (topic) => readTopic(p.client, topic),
    history: (id, expected) => historyOf(p, id, expected),
    close: p.stop,
  };
}
