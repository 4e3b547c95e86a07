import { COLUMNS } from '../../src/core/to-row.ts';

/** Campaigns that run beside each other, each in a partition of the log. */
export const BESIDE = 8;

export interface Generated {
  /** Number of the first event. */
  readonly from: number;
  readonly rows: number;
  readonly messagesACampaign: number;
  /** Epoch ms of event 0. */
  readonly startMs: number;
  readonly eventsASecond: number;
}

/**
 * Events made inside the engine, the same for the same numbers: of ten messages one is deferred once, of a hundred ends one
 * is `failed` or `dead`; messages end a little out of their order; latency is log-normal. Columns are those of a row.
 */
export function generatedEvents({ from, rows, messagesACampaign, startMs, eventsASecond }: Generated): string {
  const values: Record<(typeof COLUMNS)[number], string> = {
    message_id: "toUUID(concat(substring(campaign, 1, 28), leftPad(lower(hex(toUInt32(place))), 8, '0')))",
    run: 'toInt32(0)',
    tenant_id: "'default'",
    campaign_id: 'campaign',
    ordinal: 'toInt64(place)',
    recipient: "concat('user', toString(place), '@example.test')",
    kind: 'what',
    previous_kind: "CAST(NULL, 'Nullable(String)')",
    attempt: 'toInt32(if(first AND step > 0, 2, 1))',
    deferrals: 'toInt32(first AND step > 0)',
    tier: "if(step = 0, 'memory', '')",
    lane: "'bulk'",
    channel: "'simulated'",
    provider: "'simulated'",
    reason:
      "multiIf(step = 0, 'provider_transient', what = 'failed', 'recipient_refused', what = 'dead', 'attempts_exhausted', '')",
    detail: "if(what = 'sent', '250 accepted', '')",
    queued_at: 'at - toIntervalMillisecond(ms)',
    occurred_at: 'at',
    provider_ms: 'toInt32(5 + chance % 11)',
    e2e_ms: 'ms',
    dlq_partition: "if(what IN ('failed', 'dead'), toInt32(slot), NULL)",
    dlq_offset: "if(what IN ('failed', 'dead'), toInt64(intDiv(n, 1000)), NULL)",
    source_partition: 'toUInt16(slot)',
    source_offset: 'toUInt64(m)',
    appended_at: 'at + toIntervalMillisecond(2)',
    is_repeat: 'false',
  };
  const eventsACampaign = (messagesACampaign / 10) * 11;
  return `SELECT ${COLUMNS.map((name) => `${values[name]} AS ${name}`).join(', ')}
    FROM (
      SELECT number AS n, n % ${BESIDE} AS slot, intDiv(n, ${BESIDE}) AS m,
        intDiv(m, ${eventsACampaign}) * ${BESIDE} + slot AS c, m % ${eventsACampaign} AS i,
        i % 11 AS step, step <= 1 AS first, intDiv(i, 11) * 10 + greatest(step, 1) - 1 AS o,
        intDiv(o, 128) * 128 + ((o % 128) * 37) % 128 + 1 AS place,
        sipHash64(n) AS chance,
        ${campaignIdSql('c')} AS campaign,
        fromUnixTimestamp64Milli(toInt64(${startMs}) + intDiv(n * 1000, ${eventsASecond}), 'UTC') AS at,
        toInt64(20 + exp(4 + sqrt(-2 * log((chance % 1000000 + 1) / 1000001))
          * cos(6.28318 * (sipHash64(n + 7) % 1000000) / 1e6) * 0.8)) AS ms,
        multiIf(step = 0, 'deferred', chance % 100 > 0, 'sent', chance % 200 = 0, 'failed', 'dead') AS what
      FROM numbers(${from}, ${rows}))`;
}

/** The id of campaign `c`, in the layout of the contract: later ones sort behind earlier ones. */
export const campaignIdSql = (c: string): string =>
  `concat('01932f', leftPad(lower(hex(toUInt16(intDiv(${c}, 65536)))), 2, '0'), '-', leftPad(lower(hex(toUInt16(${c} % 65536))), 4, '0'),
    '-7', substring(lower(hex(sipHash64(${c}))), 1, 3), '-8', substring(lower(hex(sipHash64(${c}))), 4, 3), '-',
    substring(lower(hex(sipHash64(${c}))), 7, 4), '00000000')`;
