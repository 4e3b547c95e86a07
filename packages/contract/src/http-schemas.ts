import { z } from 'zod';
import { CAMPAIGN_STATUSES, TERMINAL_KINDS } from './kinds.ts';
import { CHANNELS } from './providers.ts';
import { LANES } from './topics.ts';

/**
 * The HTTP API as zod schemas: the service validates with them, OpenAPI is generated from them, the console and the
 * command line take their types from them. Whatever a request may hold is listed; an unknown field is refused.
 */

/** Every problem the API answers with. `title` is for people, `code` for programs. */
export const PROBLEMS = {
  malformed_body: { status: 400, title: 'The body cannot be read' },
  unauthorized: { status: 401, title: 'An API key is needed' },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'This method is not possible here' },
  illegal_transition: { status: 409, title: 'Not possible in its status' },
  conflict: { status: 409, title: 'Others are changing the same thing' },
  log_truncated: { status: 409, title: 'The log starts after what was asked for' },
  version_mismatch: { status: 412, title: 'The campaign has changed meanwhile' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body is of another type' },
  validation_failed: { status: 422, title: 'The request is not valid' },
  not_supported: { status: 422, title: 'Not supported yet' },
  unknown_provider: { status: 422, title: 'There is no such provider' },
  template_invalid: { status: 422, title: 'The template does not compile' },
  segment_invalid: { status: 422, title: 'The segment rule cannot be read' },
  empty_audience: { status: 422, title: 'The audience is empty' },
  confirmation_needed: { status: 422, title: 'Messages would be sent again: it wants a confirmation' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key belongs to another request' },
  busy: { status: 429, title: 'Too much of this at once' },
  internal: { status: 500, title: 'Something went wrong here' },
  unavailable: { status: 503, title: 'A part of Volley is not available' },
} as const;
export type ProblemCode = keyof typeof PROBLEMS;

export const MAX_JSON_BODY_BYTES = 1_048_576;
export const MAX_JSON_DEPTH = 32;
export const MAX_IMPORT_LINE_BYTES = 65_536;
export const MAX_PAGE = 1_000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is refused
const ONE_LINE = /^[^\u0000-\u001f\u007f\u2028\u2029]*$/;
const line = (max: number) => z.string().max(max).regex(ONE_LINE, 'has a line break or a control character');
const time = z.iso.datetime({ offset: true });
const campaignId = z.string().meta({ description: 'UUIDv7 whose last 32 bits are zero.' });
const count = z.number().int().min(0);
const milliseconds = z.number().nullable();

// ---- requests -----------------------------------------------------------------------------------------------------

const content = {
  name: line(200).min(1),
  template: z.string().min(1).max(262_144).meta({ description: 'Liquid, such as `Hi {{name}}`.' }),
  segment_rule: z.string().max(2_000).meta({ description: '`vip,tw`: both tags. Empty: everyone.' }),
  subject: line(998).meta({ description: 'Liquid.' }),
  from: line(320).meta({ description: 'One mailbox: a@b.example or Name <a@b.example>.' }),
  reply_to: line(320),
  content_type: z.enum(['text/plain', 'text/html']),
  channel: z.enum(CHANNELS).meta({ description: 'webhook: to the provider’s url, or to recipients that are URLs.' }),
  provider: line(63).meta({ description: 'Named entry of the providers file; empty: the first of the channel.' }),
  lane: z.enum(LANES as readonly ['bulk', 'transactional']),
  rate_per_second: z.number().positive().max(1_000_000).nullable(),
  max_attempts: z.number().int().min(1).max(100).nullable(),
  expires_at: time.nullable().meta({ description: 'Messages not sent by then end as expired.' }),
};

export const campaignCreate = z
  .strictObject({
    ...content,
    segment_rule: content.segment_rule.default(''),
    subject: content.subject.default(''),
    from: content.from.default(''),
    reply_to: content.reply_to.default(''),
    content_type: content.content_type.default('text/plain'),
    channel: content.channel.default('simulated'),
    provider: content.provider.default(''),
    lane: content.lane.optional().meta({
      description: 'bulk when absent; direct messages then take transactional for one and bulk for many.',
    }),
    rate_per_second: content.rate_per_second.default(null),
    max_attempts: content.max_attempts.default(null),
    expires_at: content.expires_at.default(null),
  })
  .meta({ id: 'CampaignCreate' });

/** One direct message; as a line of NDJSON the same. */
export const directMessage = z
  .strictObject({
    id: z.string().min(1).max(256).nullish().meta({ description: 'Yours: a repeat under it is not sent again.' }),
    to: z.string().min(1).max(2_000).meta({ description: 'E-mail address, phone number or http(s) URL.' }),
    vars: z.record(z.string(), z.unknown()).nullish().meta({ description: 'Variables of the template.' }),
  })
  .meta({ id: 'DirectMessage' });

export const testRequest = z.strictObject({ to: z.string().min(1).max(2_000) }).meta({ id: 'TestRequest' });

export const campaignChange = z
  .strictObject(content)
  .partial()
  .refine((c) => Object.keys(c).length > 0, 'at least one field')
  .meta({ id: 'CampaignChange' });

/** Fields of the contract that are accepted later: 422 `not_supported`, never silence. */
export const FIELDS_NOT_SUPPORTED = ['send_at'] as const;

const MESSAGE_STATUSES = ['queued', 'retrying', ...TERMINAL_KINDS] as const;
const cursor = z.string().min(1).max(500).meta({ description: 'next_cursor of the page before.' });
const limit = (fallback: number, max = MAX_PAGE) => z.coerce.number().int().min(1).max(max).default(fallback);
const page = { cursor: cursor.optional(), limit: limit(50) };

export const queries = {
  none: z.strictObject({}),
  campaigns: z.strictObject({
    ...page,
    status: z.enum(CAMPAIGN_STATUSES as readonly ['draft']).optional(),
    name: content.name
      .optional()
      .meta({ description: 'A part of the name, without case; no character is a wildcard.' }),
    channel: z.enum(CHANNELS).optional(),
  }),
  contactImport: z.strictObject({
    add_tag: z.string().min(1).max(64).optional().meta({
      description: 'Added to the tags of every contact of this import, beside those it has or is given.',
    }),
  }),
  contacts: z.strictObject({ ...page, segment_rule: z.string().max(2_000).default('') }),
  preview: z.strictObject({ limit: limit(10, 100) }),
  messages: z.strictObject({
    ...page,
    status: z.enum(MESSAGE_STATUSES).optional(),
    recipient: z.string().min(1).max(2_000).optional(),
    reason: z.string().min(1).max(64).optional(),
  }),
};

// ---- answers ------------------------------------------------------------------------------------------------------

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string(),
    request_id: z.string(),
    errors: z
      .array(
        z.object({
          pointer: z.string().meta({ description: 'JSON Pointer into the body, or ?name of a query parameter.' }),
          detail: z.string(),
          line: z.number().int().optional(),
          column: z.number().int().optional(),
        }),
      )
      .optional(),
  })
  .loose()
  .meta({ id: 'Problem' });

export const campaign = z
  .object({
    ...content,
    campaign_id: campaignId,
    status: z.enum(CAMPAIGN_STATUSES as readonly ['draft']),
    version: z.number().int(),
    expected: count.meta({ description: 'Size of the frozen audience; 0 before send.' }),
    created_at: time,
    updated_at: time,
    sent_at: time.nullable(),
    ended_at: time.nullable(),
  })
  .meta({ id: 'Campaign' });

export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ data: z.array(item), next_cursor: z.string().nullable() });

export const contact = z
  .object({
    contact_id: z.string(),
    recipient: z.string(),
    name: z.string().nullable(),
    tags: z.array(z.string()),
    attributes: z.record(z.string(), z.unknown()),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Contact' });

export const importReport = z
  .object({
    imported: count,
    updated: count,
    rejected: count,
    errors: z.array(z.object({ line: z.number().int(), code: z.string(), detail: z.string() })),
  })
  .meta({ id: 'ImportReport' });

export const directAccepted = z
  .object({ message_id: z.string(), duplicate: z.boolean() })
  .meta({ id: 'DirectAccepted' });
export const testAccepted = z.object({ message_id: z.string() }).meta({ id: 'TestAccepted' });

export const directReport = z
  .object({
    accepted: count,
    duplicate: count.meta({ description: 'Lines with an id that stood in this body before.' }),
    rejected: count,
    errors: z.array(z.object({ line: z.number().int(), code: z.string(), detail: z.string() })),
  })
  .meta({ id: 'DirectReport' });

export const accepted = z
  .object({ campaign_id: campaignId, status: z.string(), queued: count.optional() })
  .meta({ id: 'Accepted' });

export const preview = z
  .object({
    total: count,
    explanation: z.string().meta({ description: 'The segment rule in words: `everyone`, `tagged vip and tagged tw`.' }),
    sample: z.array(
      z.object({
        recipient: z.string(),
        rendered: z.string().nullable(),
        subject: z.string().nullable(),
        error: z.object({ reason: z.string(), detail: z.string() }).nullable(),
      }),
    ),
  })
  .meta({ id: 'Preview' });

export const stats = z
  .object({
    campaign_id: campaignId,
    status: z.string(),
    total: count,
    queued: count,
    sent: count,
    failed: count,
    dead: count,
    suppressed: count,
    cancelled: count,
    expired: count,
    retrying: count,
    p50_ms: milliseconds,
    p95_ms: milliseconds,
    p99_ms: milliseconds,
    percentiles_as_of: time.nullable().meta({
      description: 'Every event that the log had then is in the percentiles; null: not known, or there are none yet.',
    }),
    stale: z.boolean().meta({
      description: 'The percentiles could not be asked for: they are the last ones that are known, or null.',
    }),
    throughput_per_s: z.number(),
    as_of: time.meta({ description: 'Every event that the log had then is in the counts; later ones may be.' }),
    lag_ms: z.number().min(0).meta({ description: 'How long ago as_of was.' }),
  })
  .meta({ id: 'Stats' });

export const message = z
  .object({
    message_id: z.string(),
    recipient: z.string(),
    tags: z.array(z.string()),
    status: z.enum(MESSAGE_STATUSES),
    attempts: count,
    reason: z.string().nullable(),
    queued_at: time.nullable(),
    occurred_at: time.nullable(),
  })
  .meta({ id: 'Message' });

export const messageDetail = message.extend({
  campaign_id: campaignId,
  accepted_at: time.meta({ description: 'The send that froze the audience.' }),
  timeline: z.array(
    z
      .object({
        kind: z.string(),
        at: time,
        attempt: z.number().int().optional(),
        is_repeat: z.boolean().optional().meta({
          description: 'The message had ended before, or this was told before: it counts nowhere.',
        }),
      })
      .loose()
      .meta({ id: 'TimelineEvent' }),
  ),
  truncated: z.boolean().meta({ description: 'It has more events: the timeline is the newest 1,000 of them.' }),
});

export type CampaignCreate = z.infer<typeof campaignCreate>;
export type CampaignChange = z.infer<typeof campaignChange>;
export type CampaignView = z.infer<typeof campaign>;
export type StatsView = z.infer<typeof stats>;
export type ImportReport = z.infer<typeof importReport>;
export type ProblemView = z.infer<typeof problem>;
