import { z } from 'zod';
import type { Route } from './http.ts';
import { listOf, MAX_PAGE } from './http-schemas.ts';
import type { DeliveryKind } from './kinds.ts';
import { REPLAY_STATUSES, REPLAY_TARGETS, SWAP_RULES } from './replays.ts';
import { topicsOf } from './topics.ts';

/** Replays in the HTTP API: parts of the log that are run again. What a target does is told in docs/replay.md. */

const KINDS = [
  'sent',
  'deferred',
  'failed',
  'dead',
  'suppressed',
  'cancelled',
  'expired',
  'redriven',
] as const satisfies readonly DeliveryKind[];

const count = z.number().int().min(0);
const time = z.iso.datetime({ offset: true });
const target = z.enum(REPLAY_TARGETS).meta({
  description:
    'analytics: statistics rebuilt from the log and compared. deliveries: messages rendered and decided again, nothing sent. rehearsal: a campaign at full size against a provider that does nothing.',
});
const swap = z.enum(SWAP_RULES);

export const replayRequest = z
  .strictObject({
    target,
    campaign_id: z.string().min(1).max(64).optional().meta({ description: 'deliveries and rehearsal need one.' }),
    from: time
      .optional()
      .meta({ description: 'By the time at which the log took a record; absent: from its beginning.' }),
    to: time.optional().meta({ description: 'Up to this time, without it; absent: the end of the log as of now.' }),
    kinds: z
      .array(z.enum(KINDS))
      .min(1)
      .max(KINDS.length)
      .optional()
      .meta({ description: 'analytics: events of these.' }),
    rate_per_second: z.number().positive().max(10_000_000).optional().meta({ description: 'Records, at most.' }),
    dry_run: z.boolean().default(false).meta({ description: 'Only count: answered with 200, and nothing is made.' }),
    allow_gap: z.boolean().default(false).meta({ description: 'Go on where the log starts after what is asked for.' }),
    swap: swap.optional().meta({
      description:
        'analytics: whether the rebuilt tables take the place of the live ones; absent: if_equal for the whole log, never for a part of it.',
    }),
    send: z.boolean().default(false).meta({
      description: 'deliveries: send what is failed, dead or expired again afterwards; wants confirm.',
    }),
    confirm: z.boolean().default(false),
    template: z.string().min(1).max(262_144).optional().meta({ description: 'deliveries: compare with this one.' }),
    subject: z.string().max(998).optional(),
    reason: z.string().max(500).default('').meta({ description: 'Why it is done: kept with the job.' }),
  })
  .meta({ id: 'ReplayRequest' });

const summary = z
  .object({
    replay_id: z.string(),
    target,
    status: z.enum(REPLAY_STATUSES),
    requested: z.enum(['pause', 'cancel', 'undo']).nullable().meta({ description: 'Asked of it and not done yet.' }),
    phase: z.string(),
    reason: z.string(),
    asked_by: z.string().meta({ description: 'Of the API key: its name, never the key.' }),
    campaign_id: z.string().nullable(),
    from: time.nullable(),
    to: time.nullable(),
    kinds: z.array(z.string()).nullable(),
    rate_per_second: z.number().nullable(),
    allow_gap: z.boolean(),
    swap,
    send: z.boolean(),
    total: count.meta({ description: 'Records; of a rehearsal: messages.' }),
    done: count,
    error: z.string().nullable(),
    created_at: time,
    started_at: time.nullable(),
    finished_at: time.nullable(),
  })
  .meta({ id: 'ReplaySummary' });

const ranges = z.array(
  z.object({
    topic: z.string(),
    partition: count,
    from: count,
    to: count.meta({ description: 'The first offset that is no part of it.' }),
  }),
);

const replay = summary
  .extend({
    template: z.string().nullable(),
    subject: z.string().nullable(),
    ranges,
    progress: z.unknown().meta({ description: 'What it goes on from; its form belongs to the target.' }),
    result: z.unknown().meta({ description: 'What was found, see docs/replay.md; null until there is something.' }),
    actions: z
      .array(z.object({ at: time, by: z.string(), action: z.enum(['pause', 'resume', 'cancel', 'undo']) }))
      .meta({ description: 'Who asked for what after it was made: the last hundred.' }),
  })
  .meta({ id: 'Replay' });

const plan = z
  .object({
    dry_run: z.literal(true),
    target,
    total: count,
    ranges,
    gaps: z
      .array(z.object({ topic: z.string(), partition: count, starts_at: count }))
      .meta({ description: 'Partitions whose log starts after what was asked for.' }),
    estimate: z.object({
      seconds: count.nullable(),
      records_per_second: z.number().nullable(),
      by: z.enum(['rate', 'earlier_replays', 'nothing']).meta({
        description:
          'rate: what was asked for. earlier_replays: the fastest of the last five of this target. nothing: there were none yet.',
      }),
    }),
  })
  .meta({ id: 'ReplayPlan' });

export type ReplayRequest = z.infer<typeof replayRequest>;
export type ReplaySummaryView = z.infer<typeof summary>;
export type ReplayView = z.infer<typeof replay>;
export type ReplayPlanView = z.infer<typeof plan>;

const command = (name: string, what: string) =>
  ({
    method: 'post',
    path: `/v1/replays/{id}/${name}`,
    summary: what,
    status: 202,
    answer: replay,
    problems: ['not_found', 'illegal_transition'],
  }) as const satisfies Route;

export const replayRoutes = {
  startReplay: {
    method: 'post',
    path: '/v1/replays',
    summary: 'Run a part of the log again',
    headers: ['Idempotency-Key'],
    body: replayRequest,
    status: 202,
    answer: replay,
    also: { status: 200, answer: plan },
    problems: [
      'not_found',
      'illegal_transition',
      'log_truncated',
      'conflict',
      'confirmation_needed',
      'template_invalid',
      'empty_audience',
      'idempotency_key_reused',
      'busy',
    ],
  },
  listReplays: {
    method: 'get',
    path: '/v1/replays',
    summary: 'Replays, newest first: who asked for what, why, and how far it is',
    query: z.strictObject({
      cursor: z.string().min(1).max(500).optional().meta({ description: 'next_cursor of the page before.' }),
      limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
    }),
    status: 200,
    answer: listOf(summary),
  },
  getReplay: {
    method: 'get',
    path: '/v1/replays/{id}',
    summary: 'One replay with its progress and what it found',
    status: 200,
    answer: replay,
    problems: ['not_found'],
  },
  pauseReplay: command('pause', 'Stop a replay for now; it keeps what it has'),
  resumeReplay: command('resume', 'Go on after a pause'),
  cancelReplay: command('cancel', 'End a replay, and remove what it has built so far'),
  undoReplay: command('undo', 'Take the swap of an analytics replay back, while the tables from before are kept'),
} as const satisfies Record<string, Route>;

const topics = topicsOf('volley');
const asked = {
  target: 'deliveries',
  campaign_id: '01a1fef0-6914-7dae-9c1d-1e4d00000000',
  template: 'Dear {{name}}',
  reason: 'how many texts does the new greeting change?',
};
const waiting = {
  ...{ replay_id: '01a20544-71f0-7cc2-8a53-5a1d7e0c9b11', target: 'deliveries', status: 'pending', requested: null },
  ...{ phase: '', reason: asked.reason, asked_by: 'key-3f2a91c0', campaign_id: asked.campaign_id },
  ...{ from: null, to: null, kinds: null, rate_per_second: null, allow_gap: false, swap: 'never', send: false },
  ...{ total: 1_000, done: 0, error: null },
  ...{ created_at: '2026-11-22T00:31:09.040Z', started_at: null, finished_at: null },
} satisfies ReplaySummaryView;
const job = {
  ...waiting,
  ...{ template: asked.template, subject: null },
  ranges: [
    { topic: topics.messages.bulk, partition: 3, from: 20_480, to: 21_480 },
    { topic: topics.messages.transactional, partition: 3, from: 96, to: 96 },
  ],
  ...{ progress: null, result: null, actions: [] },
} satisfies ReplayView;
const begun = { ...job, status: 'running', done: 640, started_at: '2026-11-22T00:31:09.310Z' } as const;
const acted = (action: 'pause' | 'resume' | 'cancel' | 'undo', more: Partial<ReplayView>) => ({
  answer: { ...begun, ...more, actions: [{ at: '2026-11-22T00:31:10.002Z', by: 'key-3f2a91c0', action }] },
});

export const REPLAY_EXAMPLES = {
  startReplay: {
    request: asked,
    answer: job,
    also: {
      ...{ dry_run: true, target: 'deliveries', total: 1_000, ranges: job.ranges, gaps: [] },
      estimate: { seconds: 1, records_per_second: 4_200, by: 'earlier_replays' },
    } satisfies ReplayPlanView,
  },
  listReplays: { answer: { data: [waiting], next_cursor: null } },
  getReplay: { answer: begun },
  pauseReplay: acted('pause', { requested: 'pause' }),
  resumeReplay: acted('resume', { status: 'pending' }),
  cancelReplay: acted('cancel', { requested: 'cancel' }),
  undoReplay: acted('undo', {
    ...{ target: 'analytics', status: 'done', requested: 'undo', swap: 'if_equal', template: null },
    ...{ campaign_id: null, done: 1_000, finished_at: '2026-11-22T00:31:09.900Z' },
    result: { equal: true, swapped: true, undo_until: '2026-11-29T00:31:09.900Z' },
  }),
};
