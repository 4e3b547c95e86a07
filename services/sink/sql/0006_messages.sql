-- Where each message stands: what lists of messages are read from, a page by key. Filled as the tables of 0005 are.
--
-- Of a message's rows the one with the highest rank stays, and FINAL sees no other: the latest run; in it the first
-- terminal event in the order of the log, or the last event without one. It is the place of message_states upside down
-- (15 bits: run; 1: terminal; 48: offset, falling where terminal). Which of two parts was written first changes nothing.
--
-- Rows that replace each other and not aggregate states: 5.3 bytes a message against 8.8 as argMax of a tuple, and the view
-- that feeds it groups nothing. (bench/tables.bench.ts 600000, 2026-11-21, engine 26.7.2; so are the other figures here.)
-- The key is the order of pages: with the campaign given, rows come sorted by it and reading ends with the page. Months of
-- what happened, as in 0005: a message may have rows in two, FINAL looks at both.
CREATE TABLE IF NOT EXISTS message_latest
(
    tenant_id LowCardinality(String),
    campaign_id LowCardinality(String),
    ordinal Int64 CODEC(Delta, ZSTD(1)),
    -- A string, because pages of direct messages (ordinal 0) are read by it. In this order neighbours differ in a digit or
    -- two: as a UUID under a key of its text a message takes as much (5.3 bytes).
    message_id String CODEC(ZSTD(1)),
    rank UInt64 CODEC(Delta, ZSTD(1)),
    recipient String CODEC(ZSTD(1)),
    kind LowCardinality(String),
    reason LowCardinality(String),
    attempt Int32 CODEC(T64, ZSTD(1)),
    queued_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(rank)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant_id, campaign_id, ordinal, message_id)
TTL toDateTime(occurred_at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1;

TRUNCATE TABLE message_latest;

INSERT INTO message_latest
SELECT
    tenant_id,
    campaign_id,
    ordinal,
    toString(r.message_id) AS message_id,
    bitShiftLeft(toUInt64(least(greatest(run, 0), 32767)), 49)
        + if(kind IN ('deferred', 'redriven'), source_offset, bitXor(source_offset, 562949953421311)) AS rank,
    recipient,
    kind,
    reason,
    attempt,
    queued_at,
    occurred_at
FROM delivery_raw AS r
WHERE NOT is_repeat
  AND kind IN ('sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired', 'deferred', 'redriven')
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS message_latest_mv TO message_latest AS
SELECT
    tenant_id,
    campaign_id,
    ordinal,
    toString(r.message_id) AS message_id,
    bitShiftLeft(toUInt64(least(greatest(run, 0), 32767)), 49)
        + if(kind IN ('deferred', 'redriven'), source_offset, bitXor(source_offset, 562949953421311)) AS rank,
    recipient,
    kind,
    reason,
    attempt,
    queued_at,
    occurred_at
FROM delivery_raw AS r
WHERE NOT is_repeat
  AND kind IN ('sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired', 'deferred', 'redriven');

-- The same of the messages that ended otherwise than sent: among many that went out they are few, so reasons and letters are
-- read without the others (at 1% failed: one row in a hundred, 0.13 of 13.8 bytes an event). A message whose letter was sent
-- again leaves by its redriven event, which is of a later run than what it redrives. The key has no ordinal: letters are
-- shown and redriven by campaign and message id, which is the same order.
CREATE TABLE IF NOT EXISTS message_failures
(
    tenant_id LowCardinality(String),
    campaign_id LowCardinality(String),
    message_id String CODEC(ZSTD(1)),
    rank UInt64 CODEC(Delta, ZSTD(1)),
    run Int32 CODEC(T64, ZSTD(1)),
    ordinal Int64 CODEC(Delta, ZSTD(1)),
    recipient String CODEC(ZSTD(1)),
    kind LowCardinality(String),
    reason LowCardinality(String),
    detail String CODEC(ZSTD(1)),
    attempt Int32 CODEC(T64, ZSTD(1)),
    lane LowCardinality(String),
    channel LowCardinality(String),
    provider LowCardinality(String),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    dlq_partition Nullable(Int32) CODEC(ZSTD(1)),
    dlq_offset Nullable(Int64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(rank)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant_id, campaign_id, message_id)
TTL toDateTime(occurred_at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1;

TRUNCATE TABLE message_failures;

INSERT INTO message_failures
SELECT
    tenant_id,
    campaign_id,
    toString(r.message_id) AS message_id,
    bitShiftLeft(toUInt64(least(greatest(run, 0), 32767)), 49)
        + if(kind = 'redriven', source_offset, bitXor(source_offset, 562949953421311)) AS rank,
    run,
    ordinal,
    recipient,
    kind,
    reason,
    detail,
    attempt,
    lane,
    channel,
    provider,
    occurred_at,
    dlq_partition,
    dlq_offset
FROM delivery_raw AS r
WHERE NOT is_repeat AND kind IN ('failed', 'dead', 'suppressed', 'cancelled', 'expired', 'redriven')
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS message_failures_mv TO message_failures AS
SELECT
    tenant_id,
    campaign_id,
    toString(r.message_id) AS message_id,
    bitShiftLeft(toUInt64(least(greatest(run, 0), 32767)), 49)
        + if(kind = 'redriven', source_offset, bitXor(source_offset, 562949953421311)) AS rank,
    run,
    ordinal,
    recipient,
    kind,
    reason,
    detail,
    attempt,
    lane,
    channel,
    provider,
    occurred_at,
    dlq_partition,
    dlq_offset
FROM delivery_raw AS r
WHERE NOT is_repeat AND kind IN ('failed', 'dead', 'suppressed', 'cancelled', 'expired', 'redriven');
