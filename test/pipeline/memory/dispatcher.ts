import { createDecoder, groupsOf, tiersWithDelays } from '@volley/contract';
import { DEFAULT_PROVIDERS } from '@volley/contract/providers';
import { createMetrics, systemClock } from '@volley/runtime';
import { createConsumerLoop } from '@volley/stream';
import { followCampaigns } from '../../../services/dispatcher/src/adapters/campaign-feed.ts';
import { createDeliveryLog } from '../../../services/dispatcher/src/adapters/delivery-log.ts';
import { createLedgerReader } from '../../../services/dispatcher/src/adapters/ledger-reader.ts';
import { createRoutes } from '../../../services/dispatcher/src/adapters/providers.ts';
import { createRehearsalChannel } from '../../../services/dispatcher/src/adapters/rehearsal.ts';
import { createSchemas } from '../../../services/dispatcher/src/adapters/schemas.ts';
import { createSimulatedChannel } from '../../../services/dispatcher/src/adapters/simulated/channel.ts';
import { createRenderer } from '../../../services/dispatcher/src/adapters/templates.ts';
import { createWatch } from '../../../services/dispatcher/src/adapters/watch.ts';
import { createHints } from '../../../services/dispatcher/src/core/hints.ts';
import { createLedger } from '../../../services/dispatcher/src/core/ledger.ts';
import { createLimits } from '../../../services/dispatcher/src/core/limits.ts';
import { METRICS } from '../../../services/dispatcher/src/metrics.ts';
import { createPipeline } from '../../../services/dispatcher/src/pipeline.ts';
import type { Channel } from '../../../services/dispatcher/src/ports.ts';
import type { Receipt } from '../../support/history.ts';
import { inert, quiet, SCHEMA_IDS, type Service, type Surroundings } from './process.ts';

const SESSION_TIMEOUT_MS = 10_000;

/** The simulated provider with its journal in memory. */
function journaled(channel: Channel, receipts: Receipt[]): Channel {
  return {
    ...channel,
    async send(message, call) {
      const outcome = await channel.send(message, call);
      if (outcome.ok) receipts.push({ messageId: message.messageId, attempt: call.attempt, accepted: true });
      return outcome;
    },
  };
}

/** As the dispatcher's main puts it together, on the memory log. */
export async function startDispatcher(s: Surroundings): Promise<Service & { readonly receipts: readonly Receipt[] }> {
  const { now, monotonicMs } = systemClock;
  const clientId = `${s.namespace}-dispatcher-0`;
  const receipts: Receipt[] = [];
  const schemas = createSchemas({ store: s.schemas, random: Math.random, log: quiet });
  const log = createDeliveryLog({
    producer: await s.client.producer({ clientId: `${clientId}-events` }),
    deliveriesTopic: s.topics.deliveries,
    deliveriesSchemaId: SCHEMA_IDS.DeliveryEvent,
    dlqTopic: s.topics.dlq,
    random: Math.random,
    log: quiet,
  });
  const ledger = createLedger();
  const hints = createHints(ledger);
  const ledgerReader = createLedgerReader({
    client: s.client,
    deliveriesTopic: s.topics.deliveries,
    store: s.schemas,
    schemas,
    ledger,
    hints,
    onOpen: (number) => pipeline.onLedgerOpen(number),
    onUndecodable: () => s.fatal(new Error('an event cannot be read')),
    onRead: () => {},
    monotonicMs,
    random: Math.random,
    log: quiet,
  });
  const pipeline = createPipeline({
    decode: createDecoder('Message', s.schemas),
    schemas,
    renderer: createRenderer(),
    routes: createRoutes(
      DEFAULT_PROVIDERS.filter((p) => p.channel === 'simulated'),
      ({ url }) => journaled(createSimulatedChannel({ url, now, monotonicMs }), receipts),
      () => createRehearsalChannel(() => undefined),
    ),
    limits: createLimits(),
    ledger,
    hints,
    topics: s.topics,
    tiers: tiersWithDelays([100, 200, 300, 400]),
    policy: { maxAttempts: 8, classAttempts: {}, memoryAttempts: 4, memoryMs: 2_000, patienceMs: 60_000 },
    log,
    assignment: {
      settle: (tracked) => loop.settle(tracked as Parameters<typeof loop.settle>[0]),
      currentEpoch: () => loop.currentEpoch(),
      lastHeartbeatMs: () => loop.lastHeartbeatMs(),
      commitNow: () => loop.commitNow(),
      stopPartition: (topic, partition, why) => loop.stopPartition(topic, partition, why),
    },
    clock: systemClock,
    random: Math.random,
    failpoints: inert,
    watch: createWatch(createMetrics(METRICS, false)),
    slots: 256,
    retryBaseMs: 20,
    retryCapMs: 200,
    sendDeadlineMs: 2_000,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    onFatal: s.fatal,
  });
  const loop = createConsumerLoop({
    client: s.client,
    groupId: groupsOf(s.namespace).dispatcher,
    topics: [...Object.values(s.topics.messages), ...s.topics.retry, s.topics.held],
    clientId,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    commitIntervalMs: 50,
    handler: {
      onRecords: (records, logEnd) => pipeline.onRecords(records, logEnd),
      onAssigned(partitions) {
        ledgerReader.assigned(partitions);
        pipeline.onAssigned(partitions);
      },
      onRevoked() {
        ledgerReader.revoked();
        pipeline.onRevoked();
      },
      metadata: ({ topic, partition }, watermark, isLast) => hints.metadata(topic, partition, watermark, isLast),
      onPartitionStopped: (at, why) => s.fatal(new Error(`${at.topic} ${at.partition} stopped: ${why}`)),
      onFatal: s.fatal,
    },
  });
  const feed = await followCampaigns({
    client: s.client,
    topic: s.topics.campaigns,
    clientId: `${clientId}-campaigns`,
    decode: createDecoder('CampaignEvent', s.schemas),
    schemas,
    onEvent: (event) => pipeline.onCampaign(event),
    onRemoved: (campaignId) => pipeline.onCampaignRemoved(campaignId),
    onUnreadable: () => {},
    onFatal: s.fatal,
    log: quiet,
  });
  const ticks = setInterval(() => pipeline.tick(), 250);
  await feed.caughtUp;
  await loop.start();
  return {
    receipts,
    async stop() {
      await pipeline.stop(1_000);
      await loop.stop(0);
      clearInterval(ticks);
      await feed.stop();
      ledgerReader.close();
      log.close();
      schemas.close();
    },
  };
}
