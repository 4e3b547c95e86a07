import type { Topics } from '@volley/contract';
import type { Ack, OutgoingRecord, StreamRecord } from '@volley/stream';
import type { Contact, StatsView } from '../support/api-client.ts';
import type { History } from '../support/history.ts';

interface CampaignWish {
  readonly template: string;
  readonly segment_rule: string;
  readonly rate_per_second?: number;
  readonly max_attempts?: number;
  readonly expiresAtMs?: number;
}

/**
 * All of Volley, as a scenario sees it. Two fulfil it: the services' pipelines over their memory adapters in one process
 * (`memory-world.ts`), and the three services over Kafka, Postgres and ClickHouse (`platform-world.ts`).
 */
export interface World {
  readonly topics: Topics;
  readonly partitions: number;
  importContacts(contacts: readonly Contact[]): Promise<void>;
  create(wish: CampaignWish): Promise<string>;
  /** How many messages were queued. */
  send(campaignId: string): Promise<number>;
  command(campaignId: string, name: 'pause' | 'resume' | 'cancel'): Promise<void>;
  status(campaignId: string): Promise<string>;
  stats(campaignId: string): Promise<StatsView>;
  /** Writes into the log past all services, as another team might. */
  inject(record: OutgoingRecord): Promise<Ack>;
  /** Every record of a topic. */
  read(topic: string): Promise<StreamRecord[]>;
  /** Of a campaign that has ended. */
  history(campaignId: string, expected: number): Promise<History>;
  close(): Promise<void>;
}
