-- Public views over the tables of 0005 and 0006; columns that were there before keep name and meaning.

CREATE OR REPLACE VIEW throughput_per_hour AS
SELECT
    hour,
    tenant_id,
    campaign_id,
    channel,
    provider,
    sumIf(events, kind = 'sent') AS sent,
    sumIf(events, kind = 'failed') AS failed,
    sumIf(events, kind = 'dead') AS dead,
    sumIf(events, kind = 'deferred') AS deferred,
    sumIf(events, kind = 'suppressed') AS suppressed,
    sumIf(events, kind = 'cancelled') AS cancelled,
    sumIf(events, kind = 'expired') AS expired,
    sumIf(events, kind = 'redriven') AS redriven,
    sumIf(events, kind = 'delivered') AS delivered,
    sumIf(events, kind = 'bounced') AS bounced,
    sumIf(events, kind = 'opened') AS opened,
    sumIf(events, kind = 'clicked') AS clicked,
    sumIf(events, kind = 'complained') AS complained
FROM delivery_by_hour
GROUP BY hour, tenant_id, campaign_id, channel, provider;

CREATE OR REPLACE VIEW latency_per_hour AS
WITH
    quantilesDDMergeIf(0.01, 0.5, 0.95, 0.99)(e2e_ms, kind = 'sent') AS e2e,
    quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(provider_ms) AS provider_call
SELECT
    hour,
    tenant_id,
    campaign_id,
    channel,
    provider,
    if(isNaN(e2e[1]), NULL, e2e[1]) AS p50_ms,
    if(isNaN(e2e[2]), NULL, e2e[2]) AS p95_ms,
    if(isNaN(e2e[3]), NULL, e2e[3]) AS p99_ms,
    if(isNaN(provider_call[2]), NULL, provider_call[2]) AS provider_p95_ms
FROM delivery_by_hour
WHERE kind IN ('sent', 'failed', 'dead', 'deferred')
GROUP BY hour, tenant_id, campaign_id, channel, provider;

-- bucket_ms is a bucket's upper bound, in it; the one before it is outside.
CREATE OR REPLACE VIEW latency_histogram_per_minute AS
SELECT
    minute,
    tenant_id,
    campaign_id,
    channel,
    provider,
    bucket_ms,
    sum(b.sent) AS sent
FROM latency_by_minute AS b
GROUP BY minute, tenant_id, campaign_id, channel, provider, bucket_ms;

-- Events, repeats left out: a message that fails, is redriven and fails again is there twice (failure_reasons: once).
CREATE OR REPLACE VIEW failure_reasons_per_minute AS
SELECT
    minute,
    tenant_id,
    campaign_id,
    channel,
    provider,
    kind,
    reason,
    sum(m.events) AS events
FROM delivery_by_minute AS m
WHERE kind IN ('failed', 'dead', 'suppressed', 'cancelled', 'expired')
GROUP BY minute, tenant_id, campaign_id, channel, provider, kind, reason;

-- One row a message: where it stands. attempts and queued_at are of its latest run.
CREATE OR REPLACE VIEW message_list AS
SELECT
    tenant_id,
    campaign_id,
    ordinal,
    message_id,
    recipient,
    kind AS state,
    reason,
    attempt AS attempts,
    queued_at,
    occurred_at
FROM message_latest FINAL;

-- One row a campaign, from some ten rows of its totals. A message is in a state from its end until it is redriven, and
-- ends once a run; of what waits for another attempt there were first deferrals and no ends yet.
CREATE OR REPLACE VIEW campaign_stats AS
WITH quantilesDDMergeIf(0.01, 0.5, 0.95, 0.99)(e2e_ms, kind = 'sent') AS percentiles
SELECT
    tenant_id,
    campaign_id,
    toUInt64(sumIf(c.events, kind = 'sent')) AS sent,
    toUInt64(greatest(0, sumIf(c.events, kind = 'failed') - sumIf(c.events, previous_kind = 'failed'))) AS failed,
    toUInt64(greatest(0, sumIf(c.events, kind = 'dead') - sumIf(c.events, previous_kind = 'dead'))) AS dead,
    toUInt64(greatest(0, sumIf(c.events, kind = 'suppressed') - sumIf(c.events, previous_kind = 'suppressed'))) AS suppressed,
    toUInt64(greatest(0, sumIf(c.events, kind = 'cancelled') - sumIf(c.events, previous_kind = 'cancelled'))) AS cancelled,
    toUInt64(greatest(0, sumIf(c.events, kind = 'expired') - sumIf(c.events, previous_kind = 'expired'))) AS expired,
    sent + failed + dead + suppressed + cancelled + expired AS terminal,
    toUInt64(greatest(0, sum(c.first_deferrals) - sum(c.deferred_ends))) AS retrying,
    if(sent = 0, NULL, percentiles[1]) AS p50_ms,
    if(sent = 0, NULL, percentiles[2]) AS p95_ms,
    if(sent = 0, NULL, percentiles[3]) AS p99_ms,
    min(c.first_occurred_at) AS first_occurred_at,
    max(c.last_occurred_at) AS last_occurred_at
FROM delivery_by_campaign AS c
GROUP BY tenant_id, campaign_id;

-- Why messages did not go out: of every message that ended otherwise than sent, the reason under which it ended.
CREATE OR REPLACE VIEW failure_reasons AS
SELECT
    tenant_id,
    campaign_id,
    kind,
    reason,
    count() AS messages,
    min(f.occurred_at) AS first_occurred_at,
    max(f.occurred_at) AS last_occurred_at,
    groupArraySorted(5)(message_id) AS sample_message_ids
FROM message_failures AS f FINAL
WHERE kind != 'redriven'
GROUP BY tenant_id, campaign_id, kind, reason;

-- One row a message that stands otherwise than sent, by its id: failures of a time, their first examples.
CREATE OR REPLACE VIEW undelivered_messages AS
SELECT
    tenant_id,
    campaign_id,
    message_id,
    ordinal,
    recipient,
    kind AS state,
    reason,
    detail,
    attempt AS attempts,
    channel,
    provider,
    occurred_at
FROM message_failures FINAL
WHERE kind != 'redriven';

-- One row a message that stands failed or dead: what an operator looks through, and what a redrive selects.
CREATE OR REPLACE VIEW dead_letters AS
SELECT
    tenant_id,
    campaign_id,
    message_id,
    kind,
    run,
    ordinal,
    recipient,
    reason,
    detail,
    attempt AS attempts,
    lane,
    channel,
    provider,
    occurred_at,
    dlq_partition,
    dlq_offset
FROM message_failures FINAL
WHERE kind IN ('failed', 'dead');
