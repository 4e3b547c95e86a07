import { z } from 'zod';
import { listOf, message, messageDetail } from './http-schemas.ts';

/** What the API says of a campaign over time: series, latency buckets, failures, and lists of its messages. */

const count = z.number().int().min(0);
const time = z.iso.datetime({ offset: true });
const milliseconds = z.number().nullable();

const STEPS = ['1m', '1h'] as const;
/** Points of a series, or steps of a report: 36 hours of minutes, 90 days of hours. */
export const MAX_STEPS = 2_160;

const range = {
  from: time.optional().meta({ description: 'RFC 3339; begins with the step in which it lies. Absent: the first.' }),
  to: time.optional().meta({ description: 'RFC 3339, not included. Absent: after the last.' }),
};
const step = z.enum(STEPS).optional();

export const statisticsQueries = {
  series: z.strictObject({
    ...range,
    step: step.meta({ description: `Absent: minutes, or hours where these would be more than ${MAX_STEPS}.` }),
  }),
  report: z.strictObject({ ...range, step: step.meta({ description: 'Absent: the whole range as one.' }) }),
};

/** Of an answer that ClickHouse gave. */
const known = {
  as_of: time.nullable().meta({
    description: 'Every event that the log had then is in this answer; later ones may be. null: not known.',
  }),
  lag_ms: z.number().min(0).nullable().meta({ description: 'How long ago as_of was.' }),
};

const seriesPoint = z
  .object({
    at: time.meta({ description: 'Begin of the step.' }),
    sent: count,
    failed: count,
    dead: count,
    suppressed: count,
    cancelled: count,
    expired: count,
    deferred: count,
    redriven: count,
    p50_ms: milliseconds,
    p95_ms: milliseconds,
    p99_ms: milliseconds,
    provider_p95_ms: milliseconds,
    throughput_per_s: z.number().meta({ description: 'Messages that ended, by the whole length of the step.' }),
  })
  .meta({ id: 'SeriesPoint' });

export const series = z
  .object({
    step: z.enum(STEPS),
    from: time.nullable().meta({ description: 'Begin of the first step; null without any.' }),
    to: time.nullable().meta({ description: 'End of the last step.' }),
    data: z.array(seriesPoint).meta({ description: 'Every step of the range, also where nothing happened.' }),
    ...known,
  })
  .meta({ id: 'Series' });

const at = time.optional().meta({ description: 'Begin of the step, where one was asked for.' });

export const histogram = z
  .object({
    data: z
      .array(
        z.object({
          at,
          from_ms: count.meta({ description: 'Not included.' }),
          to_ms: count.meta({ description: 'Included. The last bucket also has whatever lies above it.' }),
          count,
        }),
      )
      .meta({ description: 'Sent messages by latency, end to end, in ascending order; empty buckets are left out.' }),
    ...known,
  })
  .meta({ id: 'Histogram' });

export const failures = z
  .object({
    data: z
      .array(
        z.object({
          at,
          reason: z.string(),
          count,
          first: time,
          last: time,
          sample_ids: z.array(z.string()).meta({ description: 'Up to five messages that stand there now.' }),
        }),
      )
      .meta({ description: 'Messages that stand failed, dead or expired, the most frequent reason first.' }),
    ...known,
  })
  .meta({ id: 'Failures' });

export const messagePage = listOf(message).extend(known);
export const messageAnswer = messageDetail.extend(known).meta({ id: 'MessageDetail' });

export const messageBody = z
  .object({
    message_id: z.string(),
    campaign_id: z.string(),
    recipient: z.string(),
    content_type: z.string(),
    from: z
      .string()
      .nullable()
      .meta({ description: "The campaign's, else the provider's as configured now; null: no sender is told." }),
    reply_to: z.string().nullable(),
    subject: z.string().nullable().meta({ description: 'null with an error; empty where the campaign has none.' }),
    body: z.string().nullable().meta({ description: 'null with an error.' }),
    error: z
      .object({ reason: z.string(), detail: z.string() })
      .nullable()
      .meta({ description: 'Why it cannot be rendered; reasons are those of delivery events.' }),
  })
  .meta({ id: 'MessageBody' });

export type SeriesView = z.infer<typeof series>;
export type HistogramView = z.infer<typeof histogram>;
export type MessageBodyView = z.infer<typeof messageBody>;
export type FailuresView = z.infer<typeof failures>;
