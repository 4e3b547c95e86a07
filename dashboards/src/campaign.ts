import {
  MessagesPerMinute,
  MessagesPerSecond,
  Milliseconds,
  PercentUnit,
  Short,
} from '@grafana/grafana-foundation-sdk/units';
import { annotation, clickhouseVariable, clickhouseVariables, dashboard } from './dashboard.ts';
import { DASHBOARD_UIDS } from './names.ts';
import { OBJECTIVES } from './objectives.ts';
import { bars, heat, lines, list, value } from './panels.ts';
import { rows, series } from './queries.ts';
import { among, and, equal, heatColumns, ONE_CAMPAIGN, rollup, WITH_PROVIDER, wholeIntervals } from './sql.ts';

/** The views of states have no channel and no provider: a message may have been with several. */
const CAMPAIGN = and(among('tenant_id', 'tenant'), equal('campaign_id', 'campaign'));
const MINUTES = and(wholeIntervals('minute'), ...ONE_CAMPAIGN);

/**
 * A pause leaves its traces where messages are: dispatchers set aside what they hold (deferred, reason paused), and it is over
 * with the next minute in which something is sent. A pause of a campaign with nothing under way leaves none.
 */
const PAUSES = `SELECT
  min(started) AS time,
  if(resumed = toDateTime64(0, 3, 'UTC'), toDateTime64($__toTime, 3, 'UTC'), resumed) AS timeEnd,
  'Paused' AS title,
  concat(toString(sum(messages)), ' messages were set aside') AS text,
  'paused' AS tags
FROM
(
  SELECT p.started AS started, p.messages AS messages, s.minute AS resumed
  FROM
  (
    SELECT campaign_id, toDateTime64(toStartOfMinute(occurred_at), 3, 'UTC') AS minute, min(occurred_at) AS started, count() AS messages
    FROM delivery_events
    WHERE ${and(CAMPAIGN, "kind = 'deferred'", "reason = 'paused'", 'NOT is_repeat', '$__timeFilter(occurred_at)').replaceAll('\n', '\n    ')}
    GROUP BY campaign_id, minute
  ) AS p
  ASOF LEFT JOIN
  (
    SELECT campaign_id, minute
    FROM throughput_per_minute
    WHERE ${and(CAMPAIGN, 'sent > 0', '$__timeFilter(minute)').replaceAll('\n', '\n    ')}
    GROUP BY campaign_id, minute
  ) AS s
  ON p.campaign_id = s.campaign_id AND s.minute > p.minute
)
GROUP BY resumed
ORDER BY time`;

const REDRIVES = `SELECT
  minute AS time,
  'Sent again' AS title,
  concat(toString(sum(redriven)), ' messages were sent again') AS text,
  'redriven' AS tags
FROM throughput_per_minute
WHERE ${and(CAMPAIGN, 'redriven > 0', '$__timeFilter(minute)')}
GROUP BY time
ORDER BY time`;

const STATE = [
  bars({
    title: 'Messages by state',
    description:
      'Each message once, under the state it is in, whatever the time range. Those without an event are not in here: how many there are in all says `volley status`.',
    from: 'clickhouse',
    targets: [
      rows(`SELECT
  sent AS "Sent",
  retrying AS "Retrying",
  failed AS "Failed",
  dead AS "Dead",
  suppressed AS "Suppressed",
  cancelled AS "Cancelled",
  expired AS "Expired"
FROM campaign_stats
WHERE ${CAMPAIGN}`),
    ],
    unit: Short,
    width: 8,
    height: 7,
  }),
  value({
    title: 'Latency of all sent messages',
    description: 'From queued to sent, over the whole campaign, whatever the time range.',
    from: 'clickhouse',
    targets: [
      rows(`SELECT p50_ms AS "p50", p95_ms AS "p95", p99_ms AS "p99"
FROM campaign_stats
WHERE ${CAMPAIGN}`),
    ],
    unit: Milliseconds,
    limit: OBJECTIVES.p95Ms,
    width: 8,
    height: 7,
  }),
  lines({
    title: 'Ended so far',
    description:
      'Terminal events since the campaign began. A message that was sent again after it failed counts twice.',
    from: 'clickhouse',
    targets: [
      series(`SELECT time, "Sent", "Failed", "Not sent"
FROM
(
  SELECT
    time,
    sum(ended_sent) OVER (ORDER BY time) AS "Sent",
    sum(ended_failed) OVER (ORDER BY time) AS "Failed",
    sum(ended_else) OVER (ORDER BY time) AS "Not sent"
  FROM
  (
    SELECT
      $__timeInterval(minute) AS time,
      sum(sent) AS ended_sent,
      sum(failed + dead) AS ended_failed,
      sum(suppressed + cancelled + expired) AS ended_else
    FROM throughput_per_minute
    WHERE ${and('minute <= $__toTime', ...ONE_CAMPAIGN).replaceAll('\n', '\n    ')}
    GROUP BY time
  )
)
WHERE time >= toStartOfInterval($__fromTime, INTERVAL $__interval_s second)
ORDER BY time`),
    ],
    unit: Short,
    outcomes: ['Sent', 'Failed', 'Not sent'],
    width: 8,
    height: 7,
  }),
];

const LATENCY = [
  lines({
    title: 'Latency per minute',
    description:
      'From queued to sent; within 1% of exact. Where an interval spans several minutes, or messages went through several providers, the slowest counts.',
    from: 'clickhouse',
    targets: [
      series(`SELECT
  $__timeInterval(moment) AS time,
  max(p50_ms) AS "p50",
  max(p95_ms) AS "p95",
  max(p99_ms) AS "p99"
FROM ${rollup('latency', 'p50_ms, p95_ms, p99_ms', ['p50_ms IS NOT NULL', ...ONE_CAMPAIGN])}
GROUP BY time
ORDER BY time`),
    ],
    unit: Milliseconds,
    isLogarithmic: true,
    limit: OBJECTIVES.p95Ms,
    width: 12,
    height: 9,
  }),
  heat({
    title: 'Latency, every message',
    description:
      'How many messages of an interval took how long from queued to sent. A row ends at the bound beside it.',
    from: 'clickhouse',
    targets: [
      series(`SELECT
  $__timeInterval(minute) AS time,
  ${heatColumns().join(',\n  ')}
FROM latency_histogram_per_minute
WHERE ${MINUTES}
GROUP BY time
ORDER BY time`),
    ],
    unit: Milliseconds,
    cells: Short,
    width: 12,
    height: 9,
  }),
];

const EVENTS = [
  lines({
    title: 'Throughput',
    description: 'Events per second. Deferred: an attempt that is made again later, or a message that was set aside.',
    from: 'clickhouse',
    targets: [
      series(`SELECT
  $__timeInterval(moment) AS time,
  sum(sent) / $__interval_s AS "Sent",
  sum(failed + dead) / $__interval_s AS "Failed",
  sum(deferred) / $__interval_s AS "Deferred"
FROM ${rollup('throughput', 'sent, failed, dead, deferred', ONE_CAMPAIGN)}
GROUP BY time
ORDER BY time`),
    ],
    unit: MessagesPerSecond,
    outcomes: ['Sent', 'Failed', 'Deferred'],
    width: 8,
    height: 8,
  }),
  lines({
    title: 'Not sent per minute, by reason',
    description: 'Failed and dead ones. What the reasons mean stands in docs/reasons.md.',
    from: 'clickhouse',
    targets: [
      series(`SELECT
  $__timeInterval(minute) AS time,
  reason,
  sum(events) * 60 / $__interval_s AS per_minute
FROM failure_reasons_per_minute
WHERE ${and("kind IN ('failed', 'dead')", MINUTES)}
GROUP BY time, reason
ORDER BY time, reason`),
    ],
    unit: MessagesPerMinute,
    stacked: true,
    label: 'reason',
    width: 8,
    height: 8,
  }),
  list({
    title: 'Messages that were not sent, by reason',
    description: 'Each message once, under the reason with which it ended, whatever the time range.',
    from: 'clickhouse',
    targets: [
      rows(`SELECT kind AS "State", reason AS "Reason", messages AS "Messages", last_occurred_at AS "Last"
FROM failure_reasons
WHERE ${CAMPAIGN}
ORDER BY messages DESC`),
    ],
    unit: Short,
    sortBy: 'Messages',
    width: 8,
    height: 8,
  }),
];

const PROVIDERS = [
  lines({
    title: 'Sent per second, by provider',
    description: 'What each provider took of this campaign.',
    from: 'clickhouse',
    targets: [
      series(`SELECT
  $__timeInterval(moment) AS time,
  provider,
  sum(sent) / $__interval_s AS sent_per_second
FROM ${rollup('throughput', 'provider, sent', [WITH_PROVIDER, ...ONE_CAMPAIGN])}
GROUP BY time, provider
ORDER BY time, provider`),
    ],
    unit: MessagesPerSecond,
    label: 'provider',
    width: 8,
    height: 8,
  }),
  lines({
    title: 'p95 of a call, by provider',
    description: 'Calls for this campaign, whatever came of them; of the slowest minute in each interval.',
    from: 'clickhouse',
    targets: [
      series(`SELECT
  $__timeInterval(moment) AS time,
  provider,
  max(provider_p95_ms) AS p95
FROM ${rollup('latency', 'provider, provider_p95_ms', ['provider_p95_ms IS NOT NULL', ...ONE_CAMPAIGN])}
GROUP BY time, provider
ORDER BY time, provider`),
    ],
    unit: Milliseconds,
    label: 'provider',
    width: 8,
    height: 8,
  }),
  list({
    title: 'Providers compared',
    description: 'Events of this campaign in this time; latencies are of the slowest minute.',
    from: 'clickhouse',
    targets: [
      rows(`SELECT
  channel AS "Channel",
  provider AS "Provider",
  t.took AS "Sent",
  t.refused AS "Failed",
  if(took + refused = 0, 0, refused / (took + refused)) AS "Failed share",
  l.e2e AS "p95",
  l.calls AS "p95 of a call"
FROM
(
  SELECT channel, provider, sum(sent) AS took, sum(failed + dead) AS refused
  FROM throughput_per_minute
  WHERE ${and(WITH_PROVIDER, MINUTES).replaceAll('\n', '\n  ')}
  GROUP BY channel, provider
) AS t
LEFT JOIN
(
  SELECT channel, provider, max(p95_ms) AS e2e, max(provider_p95_ms) AS calls
  FROM latency_per_minute
  WHERE ${MINUTES.replaceAll('\n', '\n  ')}
  GROUP BY channel, provider
) AS l USING (channel, provider)
ORDER BY took DESC`),
    ],
    unit: Short,
    units: { 'Failed share': PercentUnit, p95: Milliseconds, 'p95 of a call': Milliseconds },
    sortBy: 'Sent',
    width: 8,
    height: 8,
  }),
];

export const campaign = () =>
  dashboard({
    uid: DASHBOARD_UIDS.campaign,
    title: 'Volley: campaign',
    description: 'One campaign: how far it is, how fast, what failed and why. Pauses and repeats are marked.',
    from: 'now-1h',
    variables: [clickhouseVariable, ...clickhouseVariables(true)],
    annotations: [annotation('Paused', 'orange', PAUSES), annotation('Sent again', 'purple', REDRIVES)],
    rows: [
      { title: 'Progress', panels: STATE },
      { title: 'Latency', panels: LATENCY },
      { title: 'Throughput and failures', panels: EVENTS },
      { title: 'Providers', panels: PROVIDERS },
    ],
  });
