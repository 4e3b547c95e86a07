import {
  createDecoder,
  type DeliveryEvent,
  deadLetterOf,
  isTerminal,
  type Message,
  type Reason,
  type Topics,
} from '@volley/contract';
import { createFailpoints, createMetrics, type Failpoints, systemClock } from '@volley/runtime';
import type { StreamClient, StreamProducer, StreamRecord } from '@volley/stream';
import type { AllCommands } from '../../src/commands.ts';
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterIndex,
  EndedMessage,
  LetterReader,
  RedriveStore,
} from '../../src/dead-letter-ports.ts';
import { createLetterReader } from '../../src/letters.ts';
import { metricCatalogue } from '../../src/metrics.ts';
import type { FrozenRecipients } from '../../src/ports.ts';
import { createRedrive } from '../../src/redrive.ts';
import { createTestSchemas, decodeAll, encoderOf, readAll, silent, topics as testTopics } from './log.ts';

/** How a message ends, by its place. */
export type Fate = (ordinal: number) => { kind: 'sent' | 'expired' } | { kind: 'failed' | 'dead'; reason: Reason };

/** What a dispatcher does: an event for each message of a lane, and a dead letter before it where it did not go out. */
export async function endAll(
  producer: StreamProducer,
  messages: readonly StreamRecord[],
  fate: Fate,
  options: { topics?: Topics; encode?: (event: DeliveryEvent) => Buffer; atMs?: number } = {},
): Promise<void> {
  const { topics = testTopics, encode = encoderOf('DeliveryEvent'), atMs = 1_700_000_000_000 } = options;
  for (const record of messages) {
    const [message] = decodeAll('Message', [record]) as [Message];
    const end = fate(message.ordinal);
    let place: { partition: number; offset: number } | undefined;
    if ('reason' in end) {
      const facts = { reason: end.reason, attempts: 1, firstFailedAtMs: atMs, lastFailedAtMs: atMs, error: 'no' };
      [place] = await producer.send([deadLetterOf(record, topics.dlq, facts)]);
    }
    const event: DeliveryEvent = {
      message_id: message.message_id,
      run: message.run,
      tenant_id: message.tenant_id,
      campaign_id: message.campaign_id,
      ordinal: message.ordinal,
      recipient: message.recipient,
      kind: end.kind,
      previous_kind: null,
      attempt: 1,
      deferrals: 0,
      tier: '',
      lane: message.lane,
      channel: 'simulated',
      provider: 'simulated',
      reason: 'reason' in end ? end.reason : '',
      detail: '',
      queued_at: message.queued_at,
      occurred_at: atMs,
      provider_ms: 1,
      e2e_ms: 1,
      dlq_partition: place?.partition ?? null,
      dlq_offset: place?.offset ?? null,
    };
    const { partition } = record;
    await producer.send([{ topic: topics.deliveries, partition, key: event.campaign_id, value: encode(event) }]);
  }
}

const matches = (letter: DeadLetter, filter: DeadLetterFilter): boolean =>
  (filter.campaign_id ?? letter.campaign_id) === letter.campaign_id &&
  (filter.reason ?? letter.reason) === letter.reason &&
  (filter.kind ?? letter.kind) === letter.kind &&
  (filter.recipient ?? letter.recipient).toLowerCase() === letter.recipient.toLowerCase() &&
  (filter.message_ids?.includes(letter.message_id) ?? true);

/** Questions to a list of letters, answered as ClickHouse answers them. */
export function indexOf(
  letters: () => Promise<DeadLetter[]>,
  expired: () => Promise<EndedMessage[]> = async () => [],
): DeadLetterIndex {
  return {
    expired: async ({ campaignId, after = '', limit }) =>
      (await expired())
        .filter((m) => m.campaign_id === campaignId && m.message_id > after)
        .sort((a, b) => (a.message_id < b.message_id ? -1 : 1))
        .slice(0, limit),
    async page({ filter, beforeMs = Number.POSITIVE_INFINITY, newestFirst, after, limit }) {
      const key = (l: { campaign_id: string; message_id: string }) => `${l.campaign_id} ${l.message_id}`;
      const time = (l: { occurredAtMs: number; message_id: string }) =>
        `${String(l.occurredAtMs).padStart(15, '0')} ${l.message_id}`;
      const found = (await letters()).filter((l) => matches(l, filter) && l.occurredAtMs <= beforeMs);
      if (newestFirst === undefined)
        return found
          .filter((l) => after === undefined || key(l) > key(after))
          .sort((a, b) => (key(a) < key(b) ? -1 : 1))
          .slice(0, limit);
      const below = newestFirst.after;
      return found
        .filter((l) => below === undefined || time(l) < time(below))
        .sort((a, b) => (time(a) > time(b) ? -1 : 1))
        .slice(0, limit);
    },
    find: async (messageId) => (await letters()).find((l) => l.message_id === messageId),
  };
}

/** The view dead_letters, read from the log: no second behind. */
export const lettersIn = async (client: StreamClient, topics: Topics = testTopics): Promise<DeadLetter[]> =>
  (await endedIn(client, ['failed', 'dead'], topics)) as DeadLetter[];

export async function endedIn(
  client: StreamClient,
  kinds: readonly EndedMessage['kind'][],
  topics: Topics = testTopics,
): Promise<EndedMessage[]> {
  const latest = new Map<string, DeliveryEvent>();
  for (const event of decodeAll('DeliveryEvent', await readAll(client, topics.deliveries))) {
    const known = latest.get(event.message_id);
    if (known && (known.run > event.run || (known.run === event.run && isTerminal(known.kind)))) continue;
    latest.set(event.message_id, event);
  }
  return [...latest.values()].flatMap((e) => {
    const kind = kinds.find((k) => k === e.kind);
    return kind !== undefined
      ? [
          {
            message_id: e.message_id,
            campaign_id: e.campaign_id,
            run: e.run,
            ordinal: e.ordinal,
            recipient: e.recipient,
            kind,
            reason: e.reason,
            detail: e.detail,
            attempts: e.attempt,
            occurredAtMs: e.occurred_at,
            place:
              e.dlq_partition === null || e.dlq_offset === null
                ? undefined
                : { partition: e.dlq_partition, offset: e.dlq_offset },
          },
        ]
      : [];
  });
}

/** The redrive role of one process, round by round. */
export async function redriveRole(o: {
  client: StreamClient;
  store: RedriveStore;
  commands: Pick<AllCommands, 'reopen'>;
  index: DeadLetterIndex;
  clock?: typeof systemClock;
  failpoints?: Failpoints;
  producer?: StreamProducer;
  read?: LetterReader;
  frozen?: Pick<FrozenRecipients, 'byOrdinals'>;
}) {
  const schemas = createTestSchemas();
  const { m: metric } = createMetrics(metricCatalogue, false);
  return createRedrive({
    store: o.store,
    index: o.index,
    frozen: o.frozen ?? { byOrdinals: async () => [] },
    read: o.read ?? createLetterReader(o.client, testTopics.dlq),
    producer: o.producer ?? (await o.client.producer({ clientId: 'redrive', deadlineMs: 2_000 })),
    reopen: o.commands.reopen,
    decode: createDecoder('Message', schemas),
    loadSchema: (id) => schemas.load(id),
    encode: encoderOf('Message'),
    encodeEvent: encoderOf('DeliveryEvent'),
    providers: [],
    topics: testTopics,
    clock: o.clock ?? systemClock,
    failpoints: o.failpoints ?? createFailpoints(undefined),
    metric,
    log: silent,
  });
}
