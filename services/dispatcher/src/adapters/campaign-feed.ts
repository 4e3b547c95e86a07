import type { CampaignEvent, Decoded } from '@volley/contract';
import type { Logger } from '@volley/runtime';
import type { StreamClient, StreamRecord } from '@volley/stream';
import type { Schemas } from '../ports.ts';

/** The campaign topic as a stream of campaign events, in log order. */
export interface CampaignFeed {
  /** Resolves when everything that stood in the topic at the start has been handed over. */
  readonly caughtUp: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Follows the compacted campaign topic from its beginning. An event that cannot be read is logged and passed over: the
 * campaign's next event carries the whole state. One whose schema is not known yet holds back those behind it.
 */
export async function followCampaigns(options: {
  readonly client: StreamClient;
  readonly topic: string;
  readonly clientId: string;
  readonly decode: (bytes: Buffer | null) => Decoded<CampaignEvent>;
  readonly schemas: Schemas;
  readonly onEvent: (event: CampaignEvent) => void;
  readonly onRemoved: (campaignId: string) => void;
  readonly onUnreadable: () => void;
  readonly onFatal: (error: Error) => void;
  readonly log: Logger;
}): Promise<CampaignFeed> {
  const waiting: StreamRecord[] = [];
  let draining = false;
  let idle: (() => void) | undefined;
  let stopped = false;

  /** False: its schema must be fetched first. */
  const handle = (record: StreamRecord): number | undefined => {
    if (record.value === null) {
      if (record.key !== null) options.onRemoved(record.key.toString());
      return undefined;
    }
    const decoded = options.decode(record.value);
    if (decoded.ok) {
      options.onEvent(decoded.value);
      return undefined;
    }
    if (decoded.reason === 'needs_schema') return decoded.schemaId;
    const { topic, partition, offset } = record;
    options.onUnreadable();
    options.log.error({ topic, partition, offset, reason: decoded.reason, detail: decoded.detail }, 'unreadable event');
    return undefined;
  };

  const drain = async (): Promise<void> => {
    draining = true;
    for (let record = waiting[0]; record !== undefined && !stopped; record = waiting[0]) {
      const schemaId = handle(record);
      if (schemaId === undefined) waiting.shift();
      else await options.schemas.ensure(schemaId);
    }
    draining = false;
    idle?.();
  };

  const follower = await options.client.follow({
    topic: options.topic,
    clientId: options.clientId,
    onFatal: options.onFatal,
    onRecord(record) {
      waiting.push(record);
      if (!draining) drain().catch(options.onFatal);
    },
  });

  return {
    caughtUp: follower.caughtUp.then(
      () =>
        new Promise<void>((resolve) => {
          idle = resolve;
          if (!draining) resolve();
        }),
    ),
    async stop() {
      stopped = true;
      await follower.stop();
    },
  };
}
