import { z } from 'zod';
import type { Route } from './http.ts';
import { listOf, MAX_PAGE } from './http-schemas.ts';

/** Dead letters in the HTTP API: what stands failed or dead, the letter itself, and the jobs that redrive or purge. */

export const MAX_REDRIVE_IDS = 1_000;
/** Of the value of one letter in an answer; the log keeps all of it. */
export const MAX_SHOWN_BYTES = 65_536;

const count = z.number().int().min(0);
const time = z.iso.datetime({ offset: true });
const kind = z.enum(['failed', 'dead']).meta({ description: 'failed: the provider refused it. dead: Volley gave up.' });
const reason = z.string().min(1).max(64).meta({ description: 'A code of docs/reasons.md.' });
const recipient = z.string().min(1).max(2_048);
const campaignId = z.string().min(1).max(64);

const filter = { campaign_id: campaignId.optional(), reason: reason.optional(), kind: kind.optional() };

const deadLetterQueries = {
  letters: z.strictObject({
    cursor: z.string().min(1).max(500).optional().meta({ description: 'next_cursor of the page before.' }),
    limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
    ...filter,
    recipient: recipient.optional(),
  }),
  redrives: z.strictObject({
    cursor: z.string().min(1).max(500).optional().meta({ description: 'next_cursor of the page before.' }),
    limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
  }),
};

const selection = {
  ...filter,
  recipient: recipient.optional(),
  message_ids: z.array(z.string().max(64)).min(1).max(MAX_REDRIVE_IDS).optional(),
  limit: z.number().int().min(1).max(100_000_000).optional().meta({ description: 'At most so many messages.' }),
  reason_text: z.string().max(500).default('').meta({ description: 'Why it is done: kept with the job.' }),
  dry_run: z.boolean().default(false).meta({ description: 'Only count: answered with 200, and nothing is changed.' }),
};

export const redriveRequest = z
  .strictObject({
    ...selection,
    rate_per_second: z.number().positive().max(1_000_000).optional().meta({
      description: "Messages written in a second; never above the campaign's or its provider's own rate.",
    }),
  })
  .meta({ id: 'RedriveRequest' });

export const purgeRequest = z.strictObject(selection).meta({ id: 'PurgeRequest' });

const deadLetter = z
  .object({
    message_id: z.string(),
    campaign_id: z.string(),
    recipient: z.string(),
    kind,
    reason: z.string(),
    detail: z.string(),
    attempts: count,
    run: count.meta({ description: '0 for the first send; each redrive counts up.' }),
    occurred_at: time,
    dlq: z
      .object({ partition: count, offset: count })
      .nullable()
      .meta({ description: 'Where the dead letter lies in the log; null: the event names no place.' }),
  })
  .meta({ id: 'DeadLetter' });

const deadLetterDetail = deadLetter
  .extend({
    standing: z.enum(['waiting', 'redriven', 'purged']).meta({
      description: 'waiting: it can be redriven. Otherwise what somebody has done with it.',
    }),
    letter: z
      .object({
        origin: z.string().meta({ description: 'topic/partition/offset/timestamp of the record as it first arrived.' }),
        reason: z.string(),
        error: z.string(),
        attempts: z.string(),
        first_failed_at: time.nullable(),
        last_failed_at: time.nullable(),
        traceparent: z.string().nullable(),
        headers: z.array(z.object({ name: z.string(), value: z.string() })),
        key: z.string().nullable(),
        truncated: z.boolean().meta({ description: 'The log did not take the record whole: it cannot be redriven.' }),
        message: z.record(z.string(), z.unknown()).nullable(),
        undecodable: z.string().nullable().meta({ description: 'Why there is no message.' }),
        value_bytes: count,
        value_base64: z.string().meta({ description: `The first ${MAX_SHOWN_BYTES} bytes of the value.` }),
      })
      .nullable()
      .meta({ description: 'null: the log no longer has it.' }),
  })
  .meta({ id: 'DeadLetterDetail' });

const counted = { matched: count, matched_at_least: z.boolean().meta({ description: 'Counting stopped there.' }) };

const deadLetterCount = z
  .object({
    dry_run: z.literal(true),
    ...counted,
    by_reason: z.record(z.string(), count),
    reasons: z
      .array(
        z.object({
          reason: z.string(),
          count,
          first: time.meta({ description: 'When the first of those that are counted failed.' }),
          last: time,
        }),
      )
      .meta({ description: 'The same as by_reason with when they failed, the most frequent first.' }),
  })
  .meta({ id: 'DeadLetterCount' });

export const REDRIVE_STATUSES = ['running', 'done', 'cancelled'] as const;

const redrive = z
  .object({
    redrive_id: z.string(),
    action: z.enum(['redrive', 'purge']),
    status: z.enum(REDRIVE_STATUSES),
    filter: z.record(z.string(), z.unknown()),
    limit: count.nullable(),
    rate_per_second: z.number().nullable(),
    reason_text: z.string(),
    requested_by: z.string().meta({ description: 'Tenant of the API key.' }),
    created_at: time,
    finished_at: time.nullable(),
    ...counted,
    selected: count,
    redriven: count,
    purged: count,
    skipped: count.meta({
      description: 'Their campaign takes no more messages: cancelled, over its deadline, deleted.',
    }),
    unreadable: count.meta({
      description: 'What is in the log cannot be sent again: undecodable, cut, gone, too large.',
    }),
    left_by_cause: z.record(z.string(), count).meta({ description: 'Skipped and unreadable ones by cause.' }),
  })
  .meta({ id: 'Redrive' });

export type DeadLetterView = z.infer<typeof deadLetter>;
export type DeadLetterDetailView = z.infer<typeof deadLetterDetail>;
export type DeadLetterCountView = z.infer<typeof deadLetterCount>;
export type RedriveView = z.infer<typeof redrive>;
export type RedriveRequest = z.infer<typeof redriveRequest>;

export const deadLetterRoutes = {
  listDeadLetters: {
    method: 'get',
    path: '/v1/dlq',
    summary: 'Messages that stand failed or dead, newest first',
    query: deadLetterQueries.letters,
    status: 200,
    answer: listOf(deadLetter),
  },
  redriveDeadLetters: {
    method: 'post',
    path: '/v1/dlq/redrive',
    summary: 'Send dead letters again under their own ids',
    body: redriveRequest,
    status: 202,
    answer: redrive,
    also: { status: 200, answer: deadLetterCount },
  },
  purgeDeadLetters: {
    method: 'post',
    path: '/v1/dlq/purge',
    summary: 'Take dead letters out of the list for good; their bytes go with the retention of the log',
    body: purgeRequest,
    status: 202,
    answer: redrive,
    also: { status: 200, answer: deadLetterCount },
  },
  listRedrives: {
    method: 'get',
    path: '/v1/dlq/redrives',
    summary: 'Redrives and purges, newest first: who asked for what, why, and what came of it',
    query: deadLetterQueries.redrives,
    status: 200,
    answer: listOf(redrive),
  },
  getRedrive: {
    method: 'get',
    path: '/v1/dlq/redrives/{id}',
    summary: 'One redrive or purge with its progress',
    status: 200,
    answer: redrive,
    problems: ['not_found'],
  },
  cancelRedrive: {
    method: 'post',
    path: '/v1/dlq/redrives/{id}/cancel',
    summary: 'Stop a redrive or purge; what it has done stays done',
    status: 202,
    answer: redrive,
    problems: ['not_found'],
  },
  // After its neighbours with a fixed path: the first route that fits answers.
  getDeadLetter: {
    method: 'get',
    path: '/v1/dlq/{id}',
    summary: 'The dead letter of one message, by the id of the message',
    status: 200,
    answer: deadLetterDetail,
    problems: ['not_found'],
  },
} as const satisfies Record<string, Route>;
