-- `attempts` and `provider_ms` are of calls to a provider. An event's `attempt` is how many attempts its message has spent
-- so far, which says neither that there was a call (a message that has failed once, and is put aside because its campaign is
-- paused, has spent one) nor that there was none (an answer that asks to slow down costs none). So a call is: a provider is
-- named, and an attempt was spent, or the provider asked to slow down. Messages that cannot be rendered when they come out
-- of a tier, and kinds that are reported later (delivered, opened, …), name a provider that was not called for them.
--
-- What is in the tables is mended in place, so that days of which no raw row is left keep their figures. Only how long calls
-- took that were not counted before comes from raw rows; a key in which all are counted gets nothing more, so a second run
-- after a death in the middle changes nothing. Each table is filled beside and takes the place of the old one, and at once
-- its view follows. What is left of a run before is dropped, not emptied: an insert that outlives its client goes with it.

DROP TABLE IF EXISTS delivery_by_minute_mended SYNC;

CREATE TABLE delivery_by_minute_mended AS delivery_by_minute;

INSERT INTO delivery_by_minute_mended
WITH
    kind = 'deferred' AND reason = 'provider_throttled' AS throttled,
    provider != '' AND kind IN ('sent', 'failed', 'dead', 'deferred')
        AND reason NOT IN ('missing_variable', 'render_failed', 'header_injection') AS called
SELECT * REPLACE (
    multiIf(NOT called, 0, throttled, events, attempts) AS attempts,
    if(called, provider_ms, (SELECT quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(toInt32(0), false))) AS provider_ms)
FROM delivery_by_minute
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

INSERT INTO delivery_by_minute_mended
    (tenant_id, campaign_id, minute, channel, provider, kind, reason, provider_ms)
SELECT
    tenant_id,
    campaign_id,
    toDateTime64(toStartOfMinute(occurred_at), 3, 'UTC') AS minute,
    channel,
    provider,
    kind,
    reason,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(r.provider_ms) AS provider_ms
FROM delivery_raw AS r
WHERE NOT is_repeat AND kind = 'deferred' AND reason = 'provider_throttled' AND provider != '' AND attempt <= 0
  AND (tenant_id, campaign_id, minute, channel, provider) IN (
      SELECT tenant_id, campaign_id, minute, channel, provider
      FROM delivery_by_minute
      WHERE kind = 'deferred' AND reason = 'provider_throttled'
      GROUP BY tenant_id, campaign_id, minute, channel, provider
      HAVING sum(attempts) < sum(events))
GROUP BY tenant_id, campaign_id, minute, channel, provider, kind, reason
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

EXCHANGE TABLES delivery_by_minute AND delivery_by_minute_mended;

ALTER TABLE delivery_by_minute_mv MODIFY QUERY
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

DROP TABLE delivery_by_minute_mended SYNC;

DROP TABLE IF EXISTS delivery_by_hour_mended SYNC;

CREATE TABLE delivery_by_hour_mended AS delivery_by_hour;

INSERT INTO delivery_by_hour_mended
WITH
    kind = 'deferred' AND reason = 'provider_throttled' AS throttled,
    provider != '' AND kind IN ('sent', 'failed', 'dead', 'deferred')
        AND reason NOT IN ('missing_variable', 'render_failed', 'header_injection') AS called
SELECT * REPLACE (
    multiIf(NOT called, 0, throttled, events, attempts) AS attempts,
    if(called, provider_ms, (SELECT quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(toInt32(0), false))) AS provider_ms)
FROM delivery_by_hour
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

INSERT INTO delivery_by_hour_mended
    (tenant_id, campaign_id, hour, channel, provider, kind, reason, provider_ms)
SELECT
    tenant_id,
    campaign_id,
    toDateTime64(toStartOfHour(occurred_at), 3, 'UTC') AS hour,
    channel,
    provider,
    kind,
    reason,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(r.provider_ms) AS provider_ms
FROM delivery_raw AS r
WHERE NOT is_repeat AND kind = 'deferred' AND reason = 'provider_throttled' AND provider != '' AND attempt <= 0
  AND (tenant_id, campaign_id, hour, channel, provider) IN (
      SELECT tenant_id, campaign_id, hour, channel, provider
      FROM delivery_by_hour
      WHERE kind = 'deferred' AND reason = 'provider_throttled'
      GROUP BY tenant_id, campaign_id, hour, channel, provider
      HAVING sum(attempts) < sum(events))
GROUP BY tenant_id, campaign_id, hour, channel, provider, kind, reason
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

EXCHANGE TABLES delivery_by_hour AND delivery_by_hour_mended;

ALTER TABLE delivery_by_hour_mv MODIFY QUERY
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

DROP TABLE delivery_by_hour_mended SYNC;

-- The first and the last time must not come from a row that says nothing of them: a minimum would take its zero.
DROP TABLE IF EXISTS delivery_by_campaign_mended SYNC;

CREATE TABLE delivery_by_campaign_mended AS delivery_by_campaign;

INSERT INTO delivery_by_campaign_mended
WITH
    kind = 'deferred' AND reason = 'provider_throttled' AS throttled,
    provider != '' AND kind IN ('sent', 'failed', 'dead', 'deferred')
        AND reason NOT IN ('missing_variable', 'render_failed', 'header_injection') AS called
SELECT * REPLACE (
    multiIf(NOT called, 0, throttled, events, attempts) AS attempts,
    if(called, provider_ms, (SELECT quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(toInt32(0), false))) AS provider_ms)
FROM delivery_by_campaign
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

INSERT INTO delivery_by_campaign_mended
    (tenant_id, campaign_id, channel, provider, kind, previous_kind, reason, month,
    first_occurred_at, last_occurred_at, provider_ms)
SELECT
    tenant_id,
    campaign_id,
    channel,
    provider,
    kind,
    ifNull(r.previous_kind, '') AS previous_kind,
    reason,
    toStartOfMonth(occurred_at) AS month,
    min(occurred_at) AS first_occurred_at,
    max(occurred_at) AS last_occurred_at,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(r.provider_ms) AS provider_ms
FROM delivery_raw AS r
WHERE NOT is_repeat AND kind = 'deferred' AND reason = 'provider_throttled' AND provider != '' AND attempt <= 0
  AND (tenant_id, campaign_id, channel, provider, month) IN (
      SELECT tenant_id, campaign_id, channel, provider, month
      FROM delivery_by_campaign
      WHERE kind = 'deferred' AND reason = 'provider_throttled'
      GROUP BY tenant_id, campaign_id, channel, provider, month
      HAVING sum(attempts) < sum(events))
GROUP BY tenant_id, campaign_id, channel, provider, kind, previous_kind, reason, month
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

EXCHANGE TABLES delivery_by_campaign AND delivery_by_campaign_mended;

ALTER TABLE delivery_by_campaign_mv MODIFY QUERY
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

DROP TABLE delivery_by_campaign_mended SYNC;
