import {
  type CampaignEvent,
  campaignIdFrom,
  HEADERS,
  type Message,
  messageIdOf,
  RECORD_TYPES,
  type SchemaStore,
} from '@volley/contract';

/** A registry in memory: three schemas, anything else is unknown; `away` makes it unreachable. */
export function createTestSchemas() {
  const types = new Map([
    [1, RECORD_TYPES.CampaignEvent],
    [2, RECORD_TYPES.Message],
    [3, RECORD_TYPES.DeliveryEvent],
  ]);
  const asked = new Map<number, number>();
  const loaded = new Set<number>();
  const state = { away: false, asked };
  const store: SchemaStore = {
    get: (id) => (loaded.has(id) ? (types.get(id) ?? 'unknown') : undefined),
    async load(id) {
      asked.set(id, (asked.get(id) ?? 0) + 1);
      if (state.away) throw new Error('the registry is away');
      loaded.add(id);
    },
  };
  return { store, state };
}

let counter = 0;
export const newCampaignId = () => {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt32BE(++counter, 0);
  return campaignIdFrom(Date.now(), bytes);
};

export const campaignEvent = (campaignId: string, more: Partial<CampaignEvent> = {}): CampaignEvent => ({
  event_id: `e-${campaignId}`,
  campaign_id: campaignId,
  tenant_id: 'default',
  version: 1,
  type: 'sent',
  occurred_at: Date.now(),
  status: 'running',
  name: 'test',
  channel: 'simulated',
  provider: '',
  template: 'Hi {{name}}',
  subject: 'Hello {{name}}',
  from: 'Volley <news@volley.test>',
  reply_to: '',
  content_type: 'text/plain',
  segment_rule: '',
  expected: 0,
  spread: 1,
  lane: 'bulk',
  rate_per_second: null,
  max_attempts: null,
  expires_at: null,
  ...more,
});

export const messageOf = (campaignId: string, ordinal: number, more: Partial<Message> = {}): Message => ({
  message_id: messageIdOf(campaignId, ordinal),
  run: 0,
  tenant_id: 'default',
  campaign_id: campaignId,
  campaign_version: 1,
  ordinal,
  recipient: `r${ordinal}@example.org`,
  vars: JSON.stringify({ name: `N${ordinal}` }),
  tags: [],
  lane: 'bulk',
  queued_at: Date.now(),
  expires_at: null,
  ...more,
});

export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const headersOf = (m: Message) => ({
  [HEADERS.messageId]: m.message_id,
  [HEADERS.tenantId]: m.tenant_id,
  [HEADERS.campaignId]: m.campaign_id,
  [HEADERS.lane]: m.lane,
});
