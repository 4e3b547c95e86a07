import { DEFAULT_TOPIC_SETTINGS, RECORD_TYPES, type RecordName, type SchemaStore, type Topics } from '@volley/contract';
import { createFailpoints, createLogger } from '@volley/runtime';
import type { StreamClient } from '@volley/stream';

/** What each of the three services gets besides its own adapters. */
export interface Surroundings {
  readonly client: StreamClient;
  readonly topics: Topics;
  readonly namespace: string;
  readonly partitions: number;
  readonly schemas: SchemaStore;
  /** A bug in a service: the process would end, here the scenario fails. */
  readonly fatal: (error: Error) => void;
}

/** A service that runs in this process. */
export interface Service {
  stop(): Promise<void>;
}

export const PARTITIONS = DEFAULT_TOPIC_SETTINGS.partitions;
export const inert = createFailpoints(undefined);
export const quiet = createLogger('test', 'silent');

/** The registry after the set-up step: three schemas under these ids, and no other. */
export const SCHEMA_IDS: Readonly<Record<RecordName, number>> = { CampaignEvent: 1, Message: 2, DeliveryEvent: 3 };

export function createMemorySchemas(): SchemaStore {
  const names = Object.keys(SCHEMA_IDS) as RecordName[];
  const asked = new Set<number>();
  return {
    // As with a real registry, an id is unknown here until it was asked for.
    get(id) {
      if (!asked.has(id)) return undefined;
      const name = names.find((record) => SCHEMA_IDS[record] === id);
      return name === undefined ? 'unknown' : RECORD_TYPES[name];
    },
    async load(id) {
      await new Promise((resolve) => setImmediate(resolve));
      asked.add(id);
    },
  };
}
