-- Every delivery event, one row an event: what all other tables and views can be rebuilt from.
--
-- Deduplication (here and on every table that receives): an insert carries the token cluster:topic:partition:a:b:layout.
-- Its rows are one block, and one block is one part per partition of the table, so a repeated insert of the same range
-- is dropped whole. The window is counted in blocks: 1,000 would be 83 s at 12 inserts a second, 100,000 is over two
-- hours. A materialized view's target needs its own: without one a repeated insert left 20 rows here and counted 40 there.
CREATE TABLE IF NOT EXISTS delivery_raw
(
    -- UUID, not String: 1.5 against 2.4 bytes a row and a quarter of the time in uniqExact, with ids that share 28 of 36
    -- characters with their neighbours. (bench/storage.bench.ts 2000000, 2026-11-21, 2 cores, engine 26.7.2: a whole row
    -- takes 9.4 bytes, 2.7 of them the recipient, 1.8 queued_at.)
    message_id UUID CODEC(ZSTD(1)),
    -- Signed and as wide as in the record: whatever Avro can carry can be stored, so no number can stop the sink.
    run Int32 CODEC(T64, ZSTD(1)),
    tenant_id LowCardinality(String),
    -- A string, because the public views show ids as strings and must read by this key: toString(uuid) = '…' does not.
    campaign_id LowCardinality(String),
    ordinal Int64 CODEC(Delta, ZSTD(1)),
    recipient String CODEC(ZSTD(1)),
    -- Not an Enum: a kind that a later schema adds needs no migration, and a filter on an unknown one is no error.
    kind LowCardinality(String),
    previous_kind LowCardinality(Nullable(String)),
    attempt Int32 CODEC(T64, ZSTD(1)),
    deferrals Int32 CODEC(T64, ZSTD(1)),
    tier LowCardinality(String),
    lane LowCardinality(String),
    channel LowCardinality(String),
    provider LowCardinality(String),
    reason LowCardinality(String),
    detail String CODEC(ZSTD(1)),
    queued_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    provider_ms Int32 CODEC(T64, ZSTD(1)),
    e2e_ms Int64 CODEC(T64, ZSTD(1)),
    dlq_partition Nullable(Int32) CODEC(ZSTD(1)),
    dlq_offset Nullable(Int64) CODEC(ZSTD(1)),
    -- Where the event lies in the log: which rows a range has, and which are there twice.
    source_partition UInt16 CODEC(ZSTD(1)),
    source_offset UInt64 CODEC(Delta, ZSTD(1)),
    -- When the log took it (LogAppendTime).
    appended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    -- The message had ended before (or this is its second first deferral): kept here, left out everywhere else.
    is_repeat Bool DEFAULT false CODEC(ZSTD(1)),
    -- One message of a campaign without reading all of it: ordinals rise with time, so a granule spans few of them.
    INDEX ordinal_range ordinal TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
-- By the log's clock and not by occurred_at, which is a producer's: an insert that touches more than 100 partitions is
-- refused, for ever. The sink ends an insert where this day changes, so that an insert is one part under one token.
PARTITION BY toYYYYMMDD(appended_at)
-- Every public question names a campaign, most of them a time as well.
ORDER BY (tenant_id, campaign_id, occurred_at)
-- As long as the log keeps what it was made from. Whole parts only: nothing is rewritten to forget a day.
TTL toDateTime(appended_at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1;
