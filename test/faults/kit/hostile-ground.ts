import { join } from 'node:path';
import { type DeliveryEvent, directMessageIdOf, type Message } from '@volley/contract';
import { until } from '../../support/until.ts';
import type { Hostile, Stranger } from './hostile.ts';
import type { Trial } from './trial.ts';

/** What a row of hostile records has to work with. */
export interface Ground {
  readonly trial: Trial;
  readonly stranger: Stranger;
  /** Where good messages are under way. */
  readonly partition: number;
  /** Campaigns that are being delivered. */
  readonly running: readonly string[];
  /** Running, takes direct messages, and is nobody's: what a stranger does to it spoils no count. */
  readonly decoy: string;
  /** The same through mail. */
  readonly mailDecoy: string;
}

/** One row of the table of hostile records: what a stranger writes, and what must be true after its dead letters are there. */
export interface HostileRow {
  readonly id: string;
  readonly fault: string;
  readonly expected: string;
  records(ground: Ground): Promise<readonly Hostile[]> | readonly Hostile[];
  after?(ground: Ground): Promise<void>;
  /** Longer than others wait for their dead letters; milliseconds. */
  readonly withinMs?: number;
  /** What the row doubles by itself: forged copies of ended messages. */
  readonly forges?: number;
}

const LANES = ['bulk', 'transactional'] as const;
export const SCHEMAS = join(import.meta.dirname, '..', '..', '..', 'schemas');

/** The same bytes into both lanes. */
export const inLanes = (
  { trial, partition }: Ground,
  what: string,
  ends: Hostile['ends'],
  record: Pick<Hostile, 'value'> & Partial<Pick<Hostile, 'key' | 'headers'>>,
): Hostile[] =>
  LANES.map((lane) => ({
    key: null,
    ...record,
    what: `${what} (${lane})`,
    ends,
    topic: trial.p.topics.messages[lane],
    partition,
  }));

export const inDeliveries = (
  { trial, partition }: Ground,
  what: string,
  ends: Hostile['ends'],
  value: Buffer | null,
): Hostile => ({ what: `${what} (deliveries)`, ends, topic: trial.p.topics.deliveries, partition, key: null, value });

/** A message of the decoy, as good as any. */
export function decoyMessage({ decoy, trial }: Ground, name: string, fields: Partial<Message> = {}): Message {
  return {
    message_id: directMessageIdOf(decoy, `${trial.tag}-${name}`),
    run: 0,
    tenant_id: 'default',
    campaign_id: decoy,
    campaign_version: 0,
    ordinal: 0,
    recipient: `${name}.${trial.tag}@example.org`,
    vars: '{"name":"Somebody"}',
    tags: [],
    lane: 'bulk',
    queued_at: Date.now(),
    expires_at: null,
    ...fields,
  };
}

export const decoyEvent = (ground: Ground, fields: Partial<DeliveryEvent> = {}): DeliveryEvent => ({
  message_id: decoyMessage(ground, 'event').message_id,
  run: 0,
  tenant_id: 'default',
  campaign_id: ground.decoy,
  ordinal: 0,
  recipient: '',
  kind: 'sent',
  previous_kind: null,
  attempt: 1,
  deferrals: 0,
  tier: '',
  lane: 'bulk',
  channel: 'simulated',
  provider: 'steady',
  reason: '',
  detail: '',
  queued_at: Date.now(),
  occurred_at: Date.now(),
  provider_ms: 1,
  e2e_ms: 1,
  dlq_partition: null,
  dlq_offset: null,
  ...fields,
});

export async function untilSent({ trial }: Ground, messageId: string): Promise<void> {
  await until(`${messageId} is sent`, () => trial.receipts().some((receipt) => receipt.messageId === messageId), {
    timeoutMs: 20_000,
    everyMs: 100,
  });
}
