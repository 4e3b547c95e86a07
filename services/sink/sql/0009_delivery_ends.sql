-- How far each partition of the log was ever stored: what a sink asks before it goes on from the offset that its group has,
-- because offsets expire and are set by hand. A maximum does not mind a row that comes twice; the window of tokens is there as
-- for every table that receives. It outlives the raw rows: what was stored and forgotten must not come again either.
CREATE TABLE IF NOT EXISTS delivery_ends
(
    source_partition UInt16,
    next SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY source_partition
SETTINGS non_replicated_deduplication_window = 100000;

INSERT INTO delivery_ends
SELECT source_partition, max(source_offset) + 1 AS next
FROM delivery_raw
GROUP BY source_partition
SETTINGS insert_deduplicate = 0, max_execution_time = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS delivery_ends_mv TO delivery_ends AS
SELECT source_partition, max(source_offset) + 1 AS next
FROM delivery_raw
GROUP BY source_partition;
