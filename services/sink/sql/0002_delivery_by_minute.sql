-- Counts and latency per minute: what dashboards read instead of raw rows.
--
-- quantilesDD(0.01): relative error of at most 1%, the smallest state (137 bytes a group of 600 values; t-digest 365,
-- reservoir 650, timing 725: bench/storage.bench.ts, 2026-11-21), and merging gives the same bits in any order, so that a
-- rebuilt rollup can be compared with the live one.
CREATE TABLE IF NOT EXISTS delivery_by_minute
(
    tenant_id LowCardinality(String),
    campaign_id LowCardinality(String),
    minute DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    channel LowCardinality(String),
    provider LowCardinality(String),
    kind LowCardinality(String),
    reason LowCardinality(String),
    events SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    -- Events with a call to the provider behind them.
    attempts SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    e2e_ms AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Int64) CODEC(ZSTD(1)),
    provider_ms AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Int32) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
-- By month: a batch spans at most nine days of occurred_at (events further from their append time are dead letters), so
-- at most two partitions, and a minute is worth few rows.
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant_id, campaign_id, minute, channel, provider, kind, reason)
TTL toDateTime(minute) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS delivery_by_minute_mv TO delivery_by_minute AS
SELECT
    tenant_id,
    campaign_id,
    toDateTime64(toStartOfMinute(occurred_at), 3, 'UTC') AS minute,
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
GROUP BY tenant_id, campaign_id, minute, channel, provider, kind, reason;
