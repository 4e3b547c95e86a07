// Generated from schemas/ by `npm run gen`. Do not edit.

/** What happened to a campaign, with its whole state after the event. Key: campaign_id. Compacted: the newest version is enough to know a campaign. Source: schemas/campaign-event.v1.avsc. */
export interface CampaignEvent {
  /** UUIDv7 of the row in campaign_events; a repeat has the same one. */
  readonly event_id: string;
  readonly campaign_id: string;
  readonly tenant_id: string;
  /** 1 for the first event of a campaign, then without a gap. Readers ignore lower versions than they know. */
  readonly version: number;
  /** created, changed, sent, paused, resumed, cancel_requested, cancelled, completed, failed. */
  readonly type: string;
  readonly occurred_at: number;
  /** Status after this event. */
  readonly status: string;
  readonly name: string;
  readonly channel: string;
  readonly provider: string;
  /** Liquid. */
  readonly template: string;
  /** Liquid; used by channels that have a subject. */
  readonly subject: string;
  readonly from: string;
  readonly reply_to: string;
  readonly content_type: string;
  readonly segment_rule: string;
  /** Size of the frozen audience; 0 before send. */
  readonly expected: number;
  /** Number of partitions that the campaign's messages use. */
  readonly spread: number;
  readonly lane: string;
  readonly rate_per_second: null | number;
  readonly max_attempts: null | number;
  readonly expires_at: null | number;
}

/** What happened to one message: one event an attempt, and one for each end without an attempt. Key: campaign_id. Source: schemas/delivery-event.v1.avsc. */
export interface DeliveryEvent {
  readonly message_id: string;
  readonly run: number;
  readonly tenant_id: string;
  readonly campaign_id: string;
  readonly ordinal: number;
  readonly recipient: string;
  readonly kind: 'unknown' | 'sent' | 'deferred' | 'failed' | 'dead' | 'suppressed' | 'cancelled' | 'expired' | 'redriven' | 'delivered' | 'bounced' | 'opened' | 'clicked' | 'complained';
  /** redriven only: the state that the message leaves. */
  readonly previous_kind: null | string;
  /** From 1; 0 where no attempt was made. */
  readonly attempt: number;
  /** Earlier deferrals in this run. */
  readonly deferrals: number;
  /** deferred only: memory, 5s, 1m, 10m, 1h or held. */
  readonly tier: string;
  readonly lane: string;
  readonly channel: string;
  readonly provider: string;
  /** A code of packages/contract reasons; empty for sent. */
  readonly reason: string;
  /** The provider's answer, at most 256 characters. */
  readonly detail: string;
  readonly queued_at: number;
  readonly occurred_at: number;
  /** Duration of the provider call; 0 where none was made. */
  readonly provider_ms: number;
  /** From queued_at to occurred_at. */
  readonly e2e_ms: number;
  /** failed and dead: where the dead-letter record lies. */
  readonly dlq_partition: null | number;
  readonly dlq_offset: null | number;
}

/** One message to one recipient, as fan-out wrote it. Key: campaign_id. The template is not in here: it comes with the campaign's event of campaign_version or later. Source: schemas/message.v1.avsc. */
export interface Message {
  /** Deterministic from (campaign, ordinal): whatever repeats has the same id. */
  readonly message_id: string;
  /** 0 for the first send; a redrive counts up. */
  readonly run: number;
  readonly tenant_id: string;
  readonly campaign_id: string;
  /** The lowest version of the campaign with which this message may be handled. */
  readonly campaign_version: number;
  /** Place in the frozen audience, from 1; 0 for direct messages. */
  readonly ordinal: number;
  readonly recipient: string;
  /** JSON object (UTF-8) with the variables of the template. The default has a space because Apicurio 3.0.9 takes no schema with the text {} as a default. */
  readonly vars: string;
  readonly tags: readonly (string)[];
  readonly lane: string;
  /** When fan-out wrote it to the log, or the API accepted it. */
  readonly queued_at: number;
  /** After this it ends as expired without a provider call. */
  readonly expires_at: null | number;
}

/** Canonical text of the newest version of each record: this, byte for byte, is registered. */
export const SCHEMA_TEXTS = {
  CampaignEvent: "{\"type\":\"record\",\"name\":\"CampaignEvent\",\"namespace\":\"volley\",\"doc\":\"What happened to a campaign, with its whole state after the event. Key: campaign_id. Compacted: the newest version is enough to know a campaign.\",\"fields\":[{\"name\":\"event_id\",\"type\":\"string\",\"default\":\"\",\"doc\":\"UUIDv7 of the row in campaign_events; a repeat has the same one.\"},{\"name\":\"campaign_id\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"tenant_id\",\"type\":\"string\",\"default\":\"default\"},{\"name\":\"version\",\"type\":\"int\",\"default\":0,\"doc\":\"1 for the first event of a campaign, then without a gap. Readers ignore lower versions than they know.\"},{\"name\":\"type\",\"type\":\"string\",\"default\":\"\",\"doc\":\"created, changed, sent, paused, resumed, cancel_requested, cancelled, completed, failed.\"},{\"name\":\"occurred_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"default\":0},{\"name\":\"status\",\"type\":\"string\",\"default\":\"draft\",\"doc\":\"Status after this event.\"},{\"name\":\"name\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"channel\",\"type\":\"string\",\"default\":\"simulated\"},{\"name\":\"provider\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"template\",\"type\":\"string\",\"default\":\"\",\"doc\":\"Liquid.\"},{\"name\":\"subject\",\"type\":\"string\",\"default\":\"\",\"doc\":\"Liquid; used by channels that have a subject.\"},{\"name\":\"from\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"reply_to\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"content_type\",\"type\":\"string\",\"default\":\"text/plain\"},{\"name\":\"segment_rule\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"expected\",\"type\":\"long\",\"default\":0,\"doc\":\"Size of the frozen audience; 0 before send.\"},{\"name\":\"spread\",\"type\":\"int\",\"default\":1,\"doc\":\"Number of partitions that the campaign's messages use.\"},{\"name\":\"lane\",\"type\":\"string\",\"default\":\"bulk\"},{\"name\":\"rate_per_second\",\"type\":[\"null\",\"double\"],\"default\":null},{\"name\":\"max_attempts\",\"type\":[\"null\",\"int\"],\"default\":null},{\"name\":\"expires_at\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}],\"default\":null}]}",
  DeliveryEvent: "{\"type\":\"record\",\"name\":\"DeliveryEvent\",\"namespace\":\"volley\",\"doc\":\"What happened to one message: one event an attempt, and one for each end without an attempt. Key: campaign_id.\",\"fields\":[{\"name\":\"message_id\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"run\",\"type\":\"int\",\"default\":0},{\"name\":\"tenant_id\",\"type\":\"string\",\"default\":\"default\"},{\"name\":\"campaign_id\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"ordinal\",\"type\":\"long\",\"default\":0},{\"name\":\"recipient\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"DeliveryKind\",\"symbols\":[\"unknown\",\"sent\",\"deferred\",\"failed\",\"dead\",\"suppressed\",\"cancelled\",\"expired\",\"redriven\",\"delivered\",\"bounced\",\"opened\",\"clicked\",\"complained\"],\"default\":\"unknown\"},\"default\":\"unknown\"},{\"name\":\"previous_kind\",\"type\":[\"null\",\"string\"],\"default\":null,\"doc\":\"redriven only: the state that the message leaves.\"},{\"name\":\"attempt\",\"type\":\"int\",\"default\":0,\"doc\":\"From 1; 0 where no attempt was made.\"},{\"name\":\"deferrals\",\"type\":\"int\",\"default\":0,\"doc\":\"Earlier deferrals in this run.\"},{\"name\":\"tier\",\"type\":\"string\",\"default\":\"\",\"doc\":\"deferred only: memory, 5s, 1m, 10m, 1h or held.\"},{\"name\":\"lane\",\"type\":\"string\",\"default\":\"bulk\"},{\"name\":\"channel\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"provider\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"reason\",\"type\":\"string\",\"default\":\"\",\"doc\":\"A code of packages/contract reasons; empty for sent.\"},{\"name\":\"detail\",\"type\":\"string\",\"default\":\"\",\"doc\":\"The provider's answer, at most 256 characters.\"},{\"name\":\"queued_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"default\":0},{\"name\":\"occurred_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"default\":0},{\"name\":\"provider_ms\",\"type\":\"int\",\"default\":0,\"doc\":\"Duration of the provider call; 0 where none was made.\"},{\"name\":\"e2e_ms\",\"type\":\"long\",\"default\":0,\"doc\":\"From queued_at to occurred_at.\"},{\"name\":\"dlq_partition\",\"type\":[\"null\",\"int\"],\"default\":null,\"doc\":\"failed and dead: where the dead-letter record lies.\"},{\"name\":\"dlq_offset\",\"type\":[\"null\",\"long\"],\"default\":null}]}",
  Message: "{\"type\":\"record\",\"name\":\"Message\",\"namespace\":\"volley\",\"doc\":\"One message to one recipient, as fan-out wrote it. Key: campaign_id. The template is not in here: it comes with the campaign's event of campaign_version or later.\",\"fields\":[{\"name\":\"message_id\",\"type\":\"string\",\"default\":\"\",\"doc\":\"Deterministic from (campaign, ordinal): whatever repeats has the same id.\"},{\"name\":\"run\",\"type\":\"int\",\"default\":0,\"doc\":\"0 for the first send; a redrive counts up.\"},{\"name\":\"tenant_id\",\"type\":\"string\",\"default\":\"default\"},{\"name\":\"campaign_id\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"campaign_version\",\"type\":\"int\",\"default\":0,\"doc\":\"The lowest version of the campaign with which this message may be handled.\"},{\"name\":\"ordinal\",\"type\":\"long\",\"default\":0,\"doc\":\"Place in the frozen audience, from 1; 0 for direct messages.\"},{\"name\":\"recipient\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"vars\",\"type\":\"string\",\"default\":\"{ }\",\"doc\":\"JSON object (UTF-8) with the variables of the template. The default has a space because Apicurio 3.0.9 takes no schema with the text {} as a default.\"},{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"},\"default\":[]},{\"name\":\"lane\",\"type\":\"string\",\"default\":\"bulk\"},{\"name\":\"queued_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"default\":0,\"doc\":\"When fan-out wrote it to the log, or the API accepted it.\"},{\"name\":\"expires_at\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}],\"default\":null,\"doc\":\"After this it ends as expired without a provider call.\"}]}",
} as const;
