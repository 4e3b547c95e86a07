-- Rollups beside the minute's: by hour for long ranges, by campaign for its totals, by latency bucket for heat maps.
--
-- Each table is made, filled from what delivery_raw holds, and only then fed by its view. Nothing may write to delivery_raw
-- meanwhile: migrations run while no sink does. TRUNCATE before the filling makes a second run, after a death in the
-- middle of this file, come out the same; no block may be dropped as a repeat there, so nothing is deduplicated.
-- All are kept as long as the raw rows that they are rebuilt from (src/rebuild.ts).
--
-- Partitions are months of what happened. An insert spans at most nine days of it, so it is two parts of a table at worst;
-- by days it was ten, each with its files and its token. States as ZSTD(1): 72 bytes a row of two states, 145 as LZ4, 71 as
-- ZSTD(3). (bench/tables.bench.ts 600000, 2026-11-21, engine 26.7.2; so are the other figures here.)

-- The minute's columns and key. A campaign that runs for a day has 24 rows of a kind here and 1,440 there; of campaigns
-- that run for minutes the table takes 0.02 bytes an event, the minute's 0.05. Granules: 0010_finer_minutes.sql.
CREATE TABLE IF NOT EXISTS delivery_by_hour
(
    tenant_id LowCardinality(String),
    campaign_id LowCardinality(String),
    hour DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    channel LowCardinality(String),
    provider LowCardinality(String),
    kind LowCardinality(String),
    reason LowCardinality(String),
    events SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    attempts SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    e2e_ms AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Int64) CODEC(ZSTD(1)),
    provider_ms AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Int32) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant_id, campaign_id, hour, channel, provider, kind, reason)
TTL toDateTime(hour) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1, index_granularity = 1024;

TRUNCATE TABLE delivery_by_hour;

INSERT INTO delivery_by_hour
SELECT
    tenant_id,
    campaign_id,
    toDateTime64(toStartOfHour(occurred_at), 3, 'UTC') AS hour,
    channel,
    provider,
    kind,
    reason,
    count() AS events,
    countIf(attempt > 0) AS attempts,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(e2e_ms) AS e2e_ms,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(provider_ms, attempt > 0) AS provider_ms
FROM delivery_raw
WHERE NOT is_repeat
GROUP BY tenant_id, campaign_id, hour, channel, provider, kind, reason
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS delivery_by_hour_mv TO delivery_by_hour AS
SELECT
    tenant_id,
    campaign_id,
    toDateTime64(toStartOfHour(occurred_at), 3, 'UTC') AS hour,
    channel,
    provider,
    kind,
    reason,
    count() AS events,
    countIf(attempt > 0) AS attempts,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(e2e_ms) AS e2e_ms,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(provider_ms, attempt > 0) AS provider_ms
FROM delivery_raw
WHERE NOT is_repeat
GROUP BY tenant_id, campaign_id, hour, channel, provider, kind, reason;

-- A campaign of any size is some ten rows: what its statistics are read from. States of messages follow from events,
-- because a message ends once a run, and a redrive names the state that the message leaves.
--
-- Granules of 256 rows: so many are read for the statistics of one campaign, with the usual 8,192 the rows of a thousand
-- campaigns were. A row takes 86 bytes instead of 78; with granules of 64 it takes 106.
CREATE TABLE IF NOT EXISTS delivery_by_campaign
(
    tenant_id LowCardinality(String),
    campaign_id LowCardinality(String),
    channel LowCardinality(String),
    provider LowCardinality(String),
    kind LowCardinality(String),
    -- Empty but for redriven.
    previous_kind LowCardinality(String),
    reason LowCardinality(String),
    month Date,
    events SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    attempts SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    -- Of a message's deferrals in a run the first, and its end after any: their difference waits for another attempt.
    first_deferrals SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    deferred_ends SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    first_occurred_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD(1)),
    last_occurred_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD(1)),
    e2e_ms AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Int64) CODEC(ZSTD(1)),
    provider_ms AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Int32) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(month)
ORDER BY (tenant_id, campaign_id, channel, provider, kind, previous_kind, reason, month)
TTL month + INTERVAL 121 DAY
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1, index_granularity = 256;

TRUNCATE TABLE delivery_by_campaign;

INSERT INTO delivery_by_campaign
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
    countIf(attempt > 0) AS attempts,
    countIf(kind = 'deferred' AND deferrals = 0) AS first_deferrals,
    countIf(kind IN ('sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired') AND deferrals > 0) AS deferred_ends,
    min(occurred_at) AS first_occurred_at,
    max(occurred_at) AS last_occurred_at,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(e2e_ms) AS e2e_ms,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(provider_ms, attempt > 0) AS provider_ms
FROM delivery_raw AS r
WHERE NOT is_repeat
GROUP BY tenant_id, campaign_id, channel, provider, kind, previous_kind, reason, month
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS delivery_by_campaign_mv TO delivery_by_campaign AS
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
    countIf(attempt > 0) AS attempts,
    countIf(kind = 'deferred' AND deferrals = 0) AS first_deferrals,
    countIf(kind IN ('sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired') AND deferrals > 0) AS deferred_ends,
    min(occurred_at) AS first_occurred_at,
    max(occurred_at) AS last_occurred_at,
    quantilesDDState(0.01, 0.5, 0.95, 0.99)(e2e_ms) AS e2e_ms,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(provider_ms, attempt > 0) AS provider_ms
FROM delivery_raw AS r
WHERE NOT is_repeat
GROUP BY tenant_id, campaign_id, channel, provider, kind, previous_kind, reason, month;

-- Sent messages by latency, 0.01 bytes an event: six bounds a power of ten, a factor of 1.3 to 1.7 apart; what lies above the last (11.5 days,
-- longer than a message may wait) is counted in it. roundDown looks a value up in a sorted list, downwards: both sides
-- are negative here, so that a bucket holds what is above the bound before it, up to and with its own.
CREATE TABLE IF NOT EXISTS latency_by_minute
(
    tenant_id LowCardinality(String),
    campaign_id LowCardinality(String),
    minute DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    channel LowCardinality(String),
    provider LowCardinality(String),
    bucket_ms UInt32 CODEC(T64, ZSTD(1)),
    sent SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant_id, campaign_id, minute, channel, provider, bucket_ms)
TTL toDateTime(minute) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1;

TRUNCATE TABLE latency_by_minute;

INSERT INTO latency_by_minute
SELECT
    tenant_id,
    campaign_id,
    toDateTime64(toStartOfMinute(occurred_at), 3, 'UTC') AS minute,
    channel,
    provider,
    toUInt32(-roundDown(-e2e_ms, [
        -1000000000, -700000000, -500000000, -300000000, -200000000, -150000000,
        -100000000, -70000000, -50000000, -30000000, -20000000, -15000000,
        -10000000, -7000000, -5000000, -3000000, -2000000, -1500000,
        -1000000, -700000, -500000, -300000, -200000, -150000,
        -100000, -70000, -50000, -30000, -20000, -15000, -10000, -7000, -5000, -3000, -2000, -1500,
        -1000, -700, -500, -300, -200, -150, -100, -70, -50, -30, -20, -15, -10, -7, -5, -3, -2, -1])) AS bucket_ms,
    count() AS sent
FROM delivery_raw
WHERE NOT is_repeat AND kind = 'sent'
GROUP BY tenant_id, campaign_id, minute, channel, provider, bucket_ms
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS latency_by_minute_mv TO latency_by_minute AS
SELECT
    tenant_id,
    campaign_id,
    toDateTime64(toStartOfMinute(occurred_at), 3, 'UTC') AS minute,
    channel,
    provider,
    toUInt32(-roundDown(-e2e_ms, [
        -1000000000, -700000000, -500000000, -300000000, -200000000, -150000000,
        -100000000, -70000000, -50000000, -30000000, -20000000, -15000000,
        -10000000, -7000000, -5000000, -3000000, -2000000, -1500000,
        -1000000, -700000, -500000, -300000, -200000, -150000,
        -100000, -70000, -50000, -30000, -20000, -15000, -10000, -7000, -5000, -3000, -2000, -1500,
        -1000, -700, -500, -300, -200, -150, -100, -70, -50, -30, -20, -15, -10, -7, -5, -3, -2, -1])) AS bucket_ms,
    count() AS sent
FROM delivery_raw
WHERE NOT is_repeat AND kind = 'sent'
GROUP BY tenant_id, campaign_id, minute, channel, provider, bucket_ms;
