import { z } from 'zod';

/** Audits in the HTTP API: what was accepted, counted, stored and summed up, compared; and what differs, by id. */

const MAX_AUDIT_IDS = 1_000;
export const MAX_AUDIT_WAIT_S = 120;

const count = z.number().int().min(0);
const time = z.iso.datetime({ offset: true });

/** What is compared, of a campaign. docs/auditor.md says what each means. */
export const CAMPAIGN_FIGURES = [
  'audience',
  'ended',
  'states',
  'missing',
  'alien',
  'doubled',
  'unmarked_repeats',
  'minute_rollup',
  'hour_rollup',
  'campaign_rollup',
  'histogram',
  'stats',
  'listed',
  'failures',
] as const;

/** What is compared, of a partition of deliveries. */
export const PARTITION_FIGURES = ['gaps', 'doubled_offsets', 'beyond_log'] as const;

const verdict = z.enum(['equal', 'different', 'lagging', 'not_kept']).meta({
  description:
    'lagging: something could not be compared yet, and nothing differs. not_kept: too old, its events may be deleted.',
});

const named = z.array(
  z.object({
    id: z.string().meta({ description: 'A message, a range of offsets, a bucket of a rollup or a state.' }),
    detail: z.string(),
  }),
);

const figure = <T extends readonly [string, ...string[]]>(names: T) =>
  z.object({
    figure: z.enum(names),
    expected: count,
    found: count,
    difference: count.nullable().meta({ description: 'null: not comparable yet, because events are on their way.' }),
    ids: named,
    more: count.meta({ description: 'Differences that `ids` does not name.' }),
  });

const auditStates = z.object({
  queued: count,
  retrying: count,
  sent: count,
  failed: count,
  dead: count,
  suppressed: count,
  cancelled: count,
  expired: count,
});

export const campaignAudit = z
  .object({
    campaign_id: z.string(),
    status: z.string(),
    verdict,
    as_of: time,
    waited_ms: count.meta({ description: 'How long it was waited for what was on its way.' }),
    accepted: count.meta({ description: 'Frozen audience and direct messages that were taken.' }),
    states: auditStates.meta({ description: 'As progress counted them; they add up to accepted.' }),
    stored: z
      .object({
        raw_rows: count,
        log_records: count.meta({ description: 'Distinct places in the log among the rows.' }),
        messages: count,
        ended_runs: count,
        terminal_events: count.meta({ description: 'Marked repeats left out.' }),
        marked_repeats: count,
      })
      .nullable()
      .meta({ description: 'In ClickHouse, at the time of the question; null: it was not asked.' }),
    repeats: named.meta({ description: 'Marked repeats: rows that count nowhere.' }),
    figures: z.array(figure(CAMPAIGN_FIGURES)),
    lagging: z
      .array(z.object({ partition: count, counted: count, stored: count }))
      .meta({ description: 'Partitions of which progress has counted more than the sink has stored.' }),
  })
  .meta({ id: 'CampaignAudit' });

export const partitionAudit = z
  .object({
    partition: count,
    log_start: count,
    log_end: count,
    stored_to: count.meta({ description: 'Offset of the sink: everything below it is stored.' }),
    raw_rows: count,
    log_records: count.meta({ description: 'Distinct offsets among the rows.' }),
    dead_letters: count.meta({ description: 'Distinct offsets in the dead-letter topic of deliveries.' }),
    figures: z.array(figure(PARTITION_FIGURES)),
  })
  .meta({ id: 'PartitionAudit' });

const totals = z.record(z.string(), count).meta({ description: 'By figure, those without a difference left out.' });

export const audit = z
  .object({
    as_of: time,
    verdict: verdict.meta({ description: 'Of all last audits of campaigns and the partitions as they are now.' }),
    last_run: z
      .object({
        started_at: time,
        finished_at: time.nullable(),
        checked: count,
        failed: count.meta({ description: 'Campaigns that could not be audited.' }),
        left: count.meta({ description: 'Campaigns that are due and were over the limit of one run.' }),
      })
      .nullable()
      .meta({ description: 'null: there was none yet.' }),
    campaigns: z.object({ audited: count, different: count, lagging: count }),
    differences: totals,
    different: z
      .array(z.object({ campaign_id: z.string(), audited_at: time, differences: totals }))
      .meta({ description: 'The first 100 campaigns whose last audit found a difference.' }),
    partitions: z.array(partitionAudit).nullable(),
    unavailable: z.string().nullable().meta({ description: 'Why there are no partitions.' }),
  })
  .meta({ id: 'Audit' });

export const auditQuery = z.strictObject({
  wait: z.coerce.number().int().min(0).max(MAX_AUDIT_WAIT_S).default(5).meta({
    description: 'Seconds to wait for the sink when it has not stored yet what was counted.',
  }),
  limit: z.coerce.number().int().min(1).max(MAX_AUDIT_IDS).default(20).meta({ description: 'Ids of each figure.' }),
});

export type CampaignAuditView = z.infer<typeof campaignAudit>;
export type PartitionAuditView = z.infer<typeof partitionAudit>;
export type AuditView = z.infer<typeof audit>;

const partitionExample: PartitionAuditView = {
  ...{ partition: 3, log_start: 0, log_end: 40_112, stored_to: 40_112, raw_rows: 40_111, log_records: 40_111 },
  dead_letters: 1,
  figures: [{ figure: 'gaps', expected: 40_112, found: 40_112, difference: 0, ids: [], more: 0 }],
};

export const AUDIT_EXAMPLES: Readonly<Record<'campaignAudit' | 'getAudit', { readonly answer: unknown }>> = {
  campaignAudit: {
    answer: {
      campaign_id: '01a1fef0-6914-7dae-9c1d-1e4d00000000',
      status: 'completed_with_failures',
      verdict: 'different',
      as_of: '2026-11-21T10:02:05.000Z',
      waited_ms: 0,
      accepted: 100_000,
      states: {
        ...{ queued: 0, retrying: 0, sent: 99_788, failed: 212 },
        dead: 0,
        suppressed: 0,
        cancelled: 0,
        expired: 0,
      },
      stored: {
        ...{ raw_rows: 110_611, log_records: 110_611, messages: 99_999, ended_runs: 99_999 },
        ...{ terminal_events: 99_999, marked_repeats: 0 },
      },
      repeats: [],
      figures: [
        {
          ...{ figure: 'missing', expected: 100_000, found: 99_999, difference: 1, more: 0 },
          ids: [{ id: '01a1fef0-6914-7dae-9c1d-1e4d0000002a', detail: 'ordinal 42: no event' }],
        },
      ],
      lagging: [],
    } satisfies CampaignAuditView,
  },
  getAudit: {
    answer: {
      as_of: '2026-11-21T10:02:05.000Z',
      verdict: 'different',
      last_run: {
        ...{ started_at: '2026-11-21T03:00:00.412Z', finished_at: '2026-11-21T03:00:09.070Z' },
        ...{ checked: 31, failed: 0, left: 0 },
      },
      campaigns: { audited: 204, different: 1, lagging: 0 },
      differences: { missing: 1 },
      different: [
        {
          ...{ campaign_id: '01a1fef0-6914-7dae-9c1d-1e4d00000000', audited_at: '2026-11-21T10:02:05.000Z' },
          differences: { missing: 1 },
        },
      ],
      partitions: [partitionExample],
      unavailable: null,
    } satisfies AuditView,
  },
};
