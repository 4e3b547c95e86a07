-- The public views: their names and columns are a contract (dashboards, other teams), the tables below them are not.

-- One row an event, columns as the record.
CREATE OR REPLACE VIEW delivery_events AS
SELECT
    toString(message_id) AS message_id,
    run,
    tenant_id,
    campaign_id,
    ordinal,
    recipient,
    kind,
    previous_kind,
    attempt,
    deferrals,
    tier,
    lane,
    channel,
    provider,
    reason,
    detail,
    queued_at,
    occurred_at,
    provider_ms,
    e2e_ms,
    dlq_partition,
    dlq_offset,
    source_partition,
    source_offset,
    is_repeat
FROM delivery_raw;

-- One row a message: where it stands. The latest run counts; in it the first terminal event in the order of the log, or
-- the last event of any kind while there is none. A row that is there twice changes nothing. `place` puts a message's
-- events into that order with one number (15 bits: run, falling; 1: not terminal; 48: offset, falling where not
-- terminal), because argMin by a tuple takes 1.8 times as long (71 against 39 ms for 100,000
-- messages: bench/storage.bench.ts, 2026-11-21).
CREATE OR REPLACE VIEW message_states AS
SELECT
    tenant_id,
    campaign_id,
    message_id,
    argMin(kind, place) AS state,
    argMin(reason, place) AS state_reason,
    argMin(e2e_ms, place) AS state_e2e_ms,
    argMin(occurred_at, place) AS state_at,
    min(occurred_at) AS first_occurred_at,
    max(occurred_at) AS last_occurred_at
FROM
(
    SELECT
        *,
        kind IN ('sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired') AS terminal,
        bitShiftLeft(toUInt64(32767 - least(greatest(run, 0), 32767)), 49)
            + toUInt64(if(terminal, source_offset, 562949953421311 - source_offset)) AS place
    FROM delivery_raw
    WHERE NOT is_repeat
)
GROUP BY tenant_id, campaign_id, message_id;

-- One row a campaign. Counts are of messages, each under its state, so that an event that is there twice changes none.
-- Exact percentiles: the states of all messages are in memory at this point, so an estimate would save nothing.
CREATE OR REPLACE VIEW campaign_stats AS
WITH quantilesExactInclusiveIf(0.5, 0.95, 0.99)(state_e2e_ms, state = 'sent') AS percentiles
SELECT
    tenant_id,
    campaign_id,
    countIf(state = 'sent') AS sent,
    countIf(state = 'failed') AS failed,
    countIf(state = 'dead') AS dead,
    countIf(state = 'suppressed') AS suppressed,
    countIf(state = 'cancelled') AS cancelled,
    countIf(state = 'expired') AS expired,
    sent + failed + dead + suppressed + cancelled + expired AS terminal,
    countIf(state = 'deferred') AS retrying,
    if(sent = 0, NULL, percentiles[1]) AS p50_ms,
    if(sent = 0, NULL, percentiles[2]) AS p95_ms,
    if(sent = 0, NULL, percentiles[3]) AS p99_ms,
    min(s.first_occurred_at) AS first_occurred_at,
    max(s.last_occurred_at) AS last_occurred_at
FROM message_states AS s
GROUP BY tenant_id, campaign_id;

-- Events per minute, repeats left out.
CREATE OR REPLACE VIEW throughput_per_minute AS
SELECT
    minute,
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
FROM delivery_by_minute
GROUP BY minute, tenant_id, campaign_id, channel, provider;

-- Latency of what was sent (e2e) and of every call to the provider, whatever came of it. NULL: nothing to measure.
CREATE OR REPLACE VIEW latency_per_minute AS
WITH
    quantilesDDMergeIf(0.01, 0.5, 0.95, 0.99)(e2e_ms, kind = 'sent') AS e2e,
    quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(provider_ms) AS provider_call
SELECT
    minute,
    tenant_id,
    campaign_id,
    channel,
    provider,
    if(isNaN(e2e[1]), NULL, e2e[1]) AS p50_ms,
    if(isNaN(e2e[2]), NULL, e2e[2]) AS p95_ms,
    if(isNaN(e2e[3]), NULL, e2e[3]) AS p99_ms,
    if(isNaN(provider_call[2]), NULL, provider_call[2]) AS provider_p95_ms
FROM delivery_by_minute
WHERE kind IN ('sent', 'failed', 'dead', 'deferred')
GROUP BY minute, tenant_id, campaign_id, channel, provider;

-- Every call to a provider, over all campaigns. A failed one is in exactly one class: the last of a message that ran out
-- of attempts is `exhausted` (its event says so, and names the class in its detail only).
CREATE OR REPLACE VIEW provider_health AS
WITH quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(provider_ms) AS provider_call
SELECT
    minute,
    provider,
    channel,
    sum(c.attempts) AS attempts,
    sumIf(c.attempts, kind = 'sent') AS sent,
    sumIf(c.attempts, reason IN ('provider_transient', 'connection_failed') AND kind != 'sent') AS transient,
    sumIf(c.attempts, reason = 'provider_throttled' AND kind != 'sent') AS throttled,
    sumIf(c.attempts, reason = 'provider_timeout' AND kind != 'sent') AS timeout,
    sumIf(c.attempts, reason IN ('provider_refused', 'recipient_refused') AND kind != 'sent') AS permanent,
    sumIf(c.attempts, reason = 'attempts_exhausted' AND kind != 'sent') AS exhausted,
    attempts - sent AS failures,
    failures - transient - throttled - timeout - permanent - exhausted AS other,
    failures / attempts AS failure_ratio,
    timeout / attempts AS timeout_ratio,
    throttled / attempts AS throttled_ratio,
    provider_call[1] AS p50_ms,
    provider_call[2] AS p95_ms,
    provider_call[3] AS p99_ms
FROM delivery_by_minute AS c
WHERE kind IN ('sent', 'failed', 'dead', 'deferred') AND c.attempts > 0
GROUP BY minute, provider, channel;

-- Why messages did not go out: of every message that ended otherwise than sent, the reason under which it ended.
CREATE OR REPLACE VIEW failure_reasons AS
SELECT
    tenant_id,
    campaign_id,
    state AS kind,
    state_reason AS reason,
    count() AS messages,
    min(state_at) AS first_occurred_at,
    max(state_at) AS last_occurred_at,
    arrayMap(id -> toString(id), groupArraySorted(5)(message_id)) AS sample_message_ids
FROM message_states
WHERE state IN ('failed', 'dead', 'suppressed', 'cancelled', 'expired')
GROUP BY tenant_id, campaign_id, kind, reason;

-- What an auditor asks of a campaign: rows against places in the log (more rows: a range was inserted twice) and
-- terminal events against messages that ended (more events: a message was reported twice under its own id).
CREATE OR REPLACE VIEW campaign_audit AS
SELECT
    tenant_id,
    campaign_id,
    count() AS raw_rows,
    uniqExact(source_partition, source_offset) AS log_records,
    raw_rows - log_records AS doubled_rows,
    uniqExact(message_id) AS messages,
    uniqExactIf((message_id, run), terminal) AS ended_runs,
    uniqExactIf((source_partition, source_offset), terminal) AS terminal_records,
    terminal_records - ended_runs AS repeated_ends,
    countIf(is_repeat) AS marked_repeats
FROM
(
    SELECT *, kind IN ('sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired') AS terminal
    FROM delivery_raw
)
GROUP BY tenant_id, campaign_id;
