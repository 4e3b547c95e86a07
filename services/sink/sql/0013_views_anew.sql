-- The views of 0012 once more, each made anew with the query that it has. A view whose query was changed in place names its
-- blocks otherwise after the engine's next start than before it (26.7.2): a range that was cut off, and is inserted again
-- after the start, stood twice behind such a view. One that was made with its query names them the same. So a view's query
-- is never altered: it is dropped and made, while no sink runs.

DROP TABLE IF EXISTS delivery_by_minute_mv SYNC;

CREATE MATERIALIZED VIEW delivery_by_minute_mv TO delivery_by_minute AS
WITH
    provider != '' AND kind IN ('sent', 'failed', 'dead', 'deferred')
        AND reason NOT IN ('missing_variable', 'render_failed', 'header_injection')
        AND (attempt > 0 OR (kind = 'deferred' AND reason = 'provider_throttled')) AS called
SELECT
    tenant_id,
    campaign_id,
    toDateTime64(toStartOfMinute(occurred_at), 3, 'UTC') AS minute,
    channel,
    provider,
    kind,
    reason,
    count() AS events,
    countIf(called) AS attempts,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(e2e_ms) AS e2e_ms,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(provider_ms, called) AS provider_ms
FROM delivery_raw
WHERE NOT is_repeat
GROUP BY tenant_id, campaign_id, minute, channel, provider, kind, reason;

DROP TABLE IF EXISTS delivery_by_hour_mv SYNC;

CREATE MATERIALIZED VIEW delivery_by_hour_mv TO delivery_by_hour AS
WITH
    provider != '' AND kind IN ('sent', 'failed', 'dead', 'deferred')
        AND reason NOT IN ('missing_variable', 'render_failed', 'header_injection')
        AND (attempt > 0 OR (kind = 'deferred' AND reason = 'provider_throttled')) AS called
SELECT
    tenant_id,
    campaign_id,
    toDateTime64(toStartOfHour(occurred_at), 3, 'UTC') AS hour,
    channel,
    provider,
    kind,
    reason,
    count() AS events,
    countIf(called) AS attempts,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(e2e_ms) AS e2e_ms,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(provider_ms, called) AS provider_ms
FROM delivery_raw
WHERE NOT is_repeat
GROUP BY tenant_id, campaign_id, hour, channel, provider, kind, reason;

DROP TABLE IF EXISTS delivery_by_campaign_mv SYNC;

CREATE MATERIALIZED VIEW delivery_by_campaign_mv TO delivery_by_campaign AS
WITH
    provider != '' AND kind IN ('sent', 'failed', 'dead', 'deferred')
        AND reason NOT IN ('missing_variable', 'render_failed', 'header_injection')
        AND (attempt > 0 OR (kind = 'deferred' AND reason = 'provider_throttled')) AS called
SELECT
    tenant_id,
    campaign_id,
    channel,
    provider,
    kind,
    ifNull(r.previous_kind, '') AS previous_kind,
    reason,
    toStartOfMonth(occurred_at) AS month,
    count() AS events,
    countIf(called) AS attempts,
    countIf(kind = 'deferred' AND deferrals = 0) AS first_deferrals,
    countIf(kind IN ('sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired') AND deferrals > 0) AS deferred_ends,
    min(occurred_at) AS first_occurred_at,
    max(occurred_at) AS last_occurred_at,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(e2e_ms) AS e2e_ms,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(provider_ms, called) AS provider_ms
FROM delivery_raw AS r
WHERE NOT is_repeat
GROUP BY tenant_id, campaign_id, channel, provider, kind, previous_kind, reason, month;
