import { HEADERS } from './headers.ts';
import { AUDIT_EXAMPLES } from './http-audit.ts';
import { REPLAY_EXAMPLES } from './http-replays.ts';
import { topicsOf } from './topics.ts';

/** Examples of requests and answers, by operation id: shown in OpenAPI, and held to the schemas by a test. */
export interface Example {
  readonly request?: unknown;
  /** Of a streamed body, by media type. */
  readonly lines?: Readonly<Record<string, string>>;
  readonly answer?: unknown;
  /** Of the answer with the other 2xx status. */
  readonly also?: unknown;
}

const campaign_id = '01a1fef0-6914-7dae-9c1d-1e4d00000000';
const message_id = '01a1fef0-6914-7dae-a790-b06c5aa11f1a';
const redrive_id = '01a1ff00-d559-7649-a66a-32cdff51cb06';

const letter = {
  message_id,
  campaign_id,
  recipient: 'ann@example.org',
  kind: 'failed',
  reason: 'recipient_refused',
  detail: '550 5.1.1 no such mailbox',
  attempts: 1,
  run: 0,
  occurred_at: '2026-11-21T16:28:51.387Z',
  dlq: { partition: 11, offset: 0 },
};
const job = {
  redrive_id,
  action: 'redrive',
  status: 'running',
  filter: { campaign_id, reason: 'recipient_refused' },
  limit: 1_000,
  rate_per_second: 50,
  reason_text: 'the mailbox is back',
  requested_by: 'default',
  created_at: '2026-11-21T16:46:46.030Z',
  finished_at: null,
  matched: 212,
  matched_at_least: false,
  selected: 50,
  redriven: 49,
  purged: 0,
  skipped: 0,
  unreadable: 1,
  left_by_cause: { gone: 1 },
};
const purge = {
  ...job,
  action: 'purge',
  status: 'done',
  finished_at: '2026-11-21T16:46:47.105Z',
  rate_per_second: null,
  selected: 212,
  redriven: 0,
  purged: 212,
  unreadable: 0,
  left_by_cause: {},
};
const counted = {
  dry_run: true,
  matched: 212,
  matched_at_least: false,
  by_reason: { recipient_refused: 212 },
  reasons: [
    {
      reason: 'recipient_refused',
      count: 212,
      first: '2026-11-21T16:27:31.966Z',
      last: '2026-11-21T16:31:02.118Z',
    },
  ],
};
const selection = { campaign_id, reason: 'recipient_refused', limit: 1_000, reason_text: 'the mailbox is back' };

const known = { as_of: '2026-11-21T10:02:04.310Z', lag_ms: 690 };
const point = {
  at: '2026-11-21T10:00:00.000Z',
  sent: 5_930,
  failed: 12,
  dead: 0,
  suppressed: 0,
  cancelled: 0,
  expired: 0,
  deferred: 611,
  redriven: 0,
  p50_ms: 412.7,
  p95_ms: 1_270.2,
  p99_ms: 2_105.9,
  provider_p95_ms: 14.2,
  throughput_per_s: 99.033,
};
const noPoint = { ...point, at: '2026-11-21T10:01:00.000Z', sent: 0, failed: 0, deferred: 0, throughput_per_s: 0 };
const audienceMessage = {
  message_id: '01a1fef0-6914-7dae-9c1d-1e4d0000002a',
  recipient: 'ann@example.org',
  tags: ['vip'],
  status: 'failed',
  attempts: 2,
  reason: 'recipient_refused',
  queued_at: '2026-11-21T10:00:02.114Z',
  occurred_at: '2026-11-21T10:00:07.902Z',
};

export const EXAMPLES: Readonly<Record<string, Example>> = {
  ...AUDIT_EXAMPLES,
  ...REPLAY_EXAMPLES,
  addMessages: {
    request: { id: 'order-1001', to: 'ann@example.org', vars: { name: 'Ann', total: '12.50' } },
    lines: {
      'application/x-ndjson':
        '{"id":"order-1001","to":"ann@example.org","vars":{"name":"Ann"}}\n{"id":"order-1002","to":"https://hooks.example.org/in"}\n',
    },
    answer: { message_id, duplicate: false },
    also: {
      accepted: 199_600,
      duplicate: 0,
      rejected: 1,
      errors: [{ line: 8, code: 'malformed_line', detail: 'position 3: not JSON, or cut off' }],
    },
  },
  campaignStats: {
    answer: {
      campaign_id,
      status: 'running',
      total: 100_000,
      queued: 93_447,
      sent: 5_930,
      failed: 12,
      dead: 0,
      suppressed: 0,
      cancelled: 0,
      expired: 0,
      retrying: 611,
      p50_ms: 412.7,
      p95_ms: 1_270.2,
      p99_ms: 2_105.9,
      percentiles_as_of: '2026-11-21T10:02:04.310Z',
      stale: false,
      throughput_per_s: 99,
      as_of: '2026-11-21T10:02:05.000Z',
      lag_ms: 12,
    },
  },
  campaignSeries: {
    answer: {
      step: '1m',
      from: '2026-11-21T10:00:00.000Z',
      to: '2026-11-21T10:02:00.000Z',
      data: [point, { ...noPoint, p50_ms: null, p95_ms: null, p99_ms: null, provider_p95_ms: null }],
      ...known,
    },
  },
  campaignHistogram: {
    answer: {
      data: [
        { from_ms: 200, to_ms: 300, count: 1_204 },
        { from_ms: 300, to_ms: 500, count: 4_726 },
      ],
      ...known,
    },
  },
  campaignFailures: {
    answer: {
      data: [
        {
          reason: 'recipient_refused',
          count: 12,
          first: '2026-11-21T10:00:07.902Z',
          last: '2026-11-21T10:00:58.010Z',
          sample_ids: [audienceMessage.message_id],
        },
      ],
      ...known,
    },
  },
  campaignMessages: { answer: { data: [audienceMessage], next_cursor: 'bWVzc2FnZXM6NDI', ...known } },
  getMessage: {
    answer: {
      ...audienceMessage,
      campaign_id,
      accepted_at: '2026-11-21T10:00:00.000Z',
      timeline: [
        {
          kind: 'failed',
          at: audienceMessage.occurred_at,
          attempt: 2,
          run: 0,
          tier: '',
          channel: 'smtp',
          provider: 'mail',
          reason: 'recipient_refused',
          detail: '550 5.1.1 no such mailbox',
          provider_ms: 31,
          e2e_ms: 5_788,
          is_repeat: false,
        },
      ],
      truncated: false,
      ...known,
    },
  },
  getMessageBody: {
    answer: {
      message_id: audienceMessage.message_id,
      campaign_id,
      recipient: audienceMessage.recipient,
      content_type: 'text/plain',
      from: 'Shop <news@shop.example>',
      reply_to: null,
      subject: 'Ann, it is here',
      body: 'Hi Ann, your order has arrived.',
      error: null,
    },
  },
  listCampaigns: {
    answer: {
      data: [
        {
          campaign_id,
          status: 'draft',
          version: 1,
          name: 'Spring sale',
          template: 'Hi {{name}}',
          subject: '',
          from: '',
          reply_to: '',
          content_type: 'text/plain',
          channel: 'webhook',
          provider: 'webhook',
          segment_rule: 'vip,tw',
          lane: 'bulk',
          rate_per_second: null,
          max_attempts: null,
          expires_at: null,
          expected: 0,
          created_at: '2026-11-21T09:58:12.020Z',
          updated_at: '2026-11-21T09:58:12.020Z',
          sent_at: null,
          ended_at: null,
        },
      ],
      next_cursor: null,
    },
  },
  previewCampaign: {
    answer: {
      total: 2_140,
      explanation: 'tagged vip and tagged tw',
      sample: [{ recipient: 'ann@example.org', rendered: 'Hi Ann', subject: '', error: null }],
    },
  },
  listProviders: {
    answer: {
      data: [
        {
          name: 'mail',
          channel: 'smtp',
          is_default: true,
          from: 'Shop <news@shop.example>',
          rate_per_second: 500,
          concurrency: 64,
        },
        {
          name: 'hooks',
          channel: 'webhook',
          is_default: true,
          from: null,
          rate_per_second: null,
          concurrency: null,
        },
      ],
    },
  },
  testCampaign: { request: { to: 'ann@example.org' }, answer: { message_id } },
  closeCampaign: { answer: { campaign_id, status: 'running' } },
  getPipeline: {
    answer: {
      as_of: '2026-11-21T16:27:31.966Z',
      queues: [
        {
          name: 'bulk',
          kind: 'lane',
          topic: topicsOf('volley').messages.bulk,
          lag: 120,
          age_ms: 840,
          partitions: [
            { partition: 0, committed: 880, log_end: 1_000, lag: 120, age_ms: 840, owner: 'volley-dispatcher-0' },
          ],
        },
      ],
      dispatchers: [
        {
          id: 'volley-dispatcher-0',
          alive: true,
          seen_ms_ago: 310,
          version: '0.1.0',
          partitions: [0],
          lanes: { bulk: { running: 64, waiting: 56 }, transactional: { running: 0, waiting: 0 } },
          held: { breaker: 1 },
          providers: [
            {
              tenant_id: 'default',
              provider: 'mail',
              calls: 64,
              limit: 64,
              ceiling: 64,
              rate_per_second: 500,
              share: 1,
              blocked_until: null,
            },
          ],
        },
      ],
      breakers: [
        {
          dispatcher: 'volley-dispatcher-0',
          tenant_id: 'default',
          provider: 'hooks',
          host: 'down.example.org',
          state: 'open',
          probe_at: '2026-11-21T16:27:41.000Z',
        },
      ],
      sink: { lag: 0, age_ms: 0 },
      progress: { lag: 0, age_ms: 0 },
      dead_letters: { messages: 212, deliveries: 0 },
      unavailable: [],
    },
  },
  listDeadLetters: { answer: { data: [letter], next_cursor: null } },
  getDeadLetter: {
    answer: {
      ...letter,
      standing: 'waiting',
      letter: {
        origin: 'volley.messages.bulk/11/0/1795278531367',
        reason: 'recipient_refused',
        error: '550 5.1.1 no such mailbox',
        attempts: '1',
        first_failed_at: '2026-11-21T16:28:51.387Z',
        last_failed_at: '2026-11-21T16:28:51.387Z',
        traceparent: null,
        headers: [{ name: HEADERS.messageId, value: message_id }],
        key: campaign_id,
        truncated: false,
        message: { message_id, run: 0, campaign_id, recipient: 'ann@example.org', vars: '{"name":"Ann"}' },
        undecodable: null,
        value_bytes: 169,
        value_base64: 'AAAAAAI=',
      },
    },
  },
  redriveDeadLetters: { request: { ...selection, rate_per_second: 50 }, answer: job, also: counted },
  purgeDeadLetters: { request: selection, answer: purge, also: counted },
  listRedrives: { answer: { data: [job, purge], next_cursor: null } },
  getRedrive: { answer: job },
  cancelRedrive: { answer: { ...job, status: 'cancelled', finished_at: '2026-11-21T16:46:50.000Z' } },
};
