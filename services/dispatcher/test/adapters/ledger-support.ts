import {
  createEncoder,
  DEFAULT_TOPIC_SETTINGS,
  type DeliveryEvent,
  messageIdOf,
  type SchemaStore,
  topicDefinitions,
  topicsOf,
} from '@volley/contract';
import { createLogger } from '@volley/runtime';
import type { AssignedPartition, StreamClient } from '@volley/stream';
import { createLedgerReader } from '../../src/adapters/ledger-reader.ts';
import { createHints } from '../../src/core/hints.ts';
import { createLedger } from '../../src/core/ledger.ts';

/** Instead of 65,536. */
export const LATE_REPEATS = 200;

export const CAMPAIGN = '0198c0de-1234-7abc-8def-012300000000';
export const idOf = (n: number) => messageIdOf(CAMPAIGN, n);

export const deliveryEvent = (n: number, more: Partial<DeliveryEvent> = {}): DeliveryEvent => ({
  message_id: idOf(n),
  run: 0,
  tenant_id: 'default',
  campaign_id: CAMPAIGN,
  ordinal: n,
  recipient: `r${n}@example.org`,
  kind: 'sent',
  previous_kind: null,
  attempt: 1,
  deferrals: 0,
  tier: '',
  lane: 'bulk',
  channel: 'simulated',
  provider: 'simulated',
  reason: '',
  detail: '250 ok',
  queued_at: 0,
  occurred_at: 0,
  provider_ms: 10,
  e2e_ms: 20,
  dlq_partition: null,
  dlq_offset: null,
  ...more,
});

/** Deliveries with events in them, and a reader over it. */
export async function createDeliveries(
  client: StreamClient,
  of: { readonly namespace: string; readonly partitions: number; readonly schemaId: number },
) {
  const topics = topicsOf(of.namespace);
  const admin = await client.admin();
  const definitions = topicDefinitions(topics, { ...DEFAULT_TOPIC_SETTINGS, partitions: of.partitions });
  await admin.ensureTopics(definitions.filter(({ topic }) => topic === topics.deliveries));
  const producer = await client.producer({ clientId: 'events' });
  const encode = createEncoder('DeliveryEvent', of.schemaId);
  const raw = (partition: number, values: readonly (Buffer | null)[]) =>
    producer.send(values.map((value) => ({ topic: topics.deliveries, partition, key: CAMPAIGN, value })));

  return {
    topics,
    raw,
    encode,
    write: (partition: number, events: readonly DeliveryEvent[]) => raw(partition, events.map(encode)),
    drop: () => admin.deleteTopics([topics.deliveries]),
    reader(store: SchemaStore, ensure: (schemaId: number) => Promise<void> = (schemaId) => store.load(schemaId)) {
      const ledger = createLedger();
      const hints = createHints(ledger);
      const seen = { opened: [] as number[], undecodable: 0, read: [] as { numbers: number; events: number }[] };
      const reader = createLedgerReader({
        client,
        lateRepeats: LATE_REPEATS,
        deliveriesTopic: topics.deliveries,
        store,
        schemas: { ensure },
        ledger,
        hints,
        onOpen: (number) => seen.opened.push(number),
        onUndecodable: () => void seen.undecodable++,
        onRead: ({ numbers, events }) => seen.read.push({ numbers, events }),
        monotonicMs: () => performance.now(),
        random: () => 0,
        log: createLogger('test', 'silent'),
      });
      return { ledger, hints, reader, seen };
    },
  };
}

export const assignedPartition = (
  topic: string,
  partition: number,
  more: Partial<AssignedPartition> = {},
): AssignedPartition => ({ topic, partition, committed: 0, metadata: '', logEnd: 1_000_000, ...more });

export const hintOf = (hint: number, reach = 0) => JSON.stringify({ v: 1, hint, reach });
