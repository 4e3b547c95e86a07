-- One row a message that stands failed or dead: what an operator looks through, and what a redrive selects. The latest run
-- counts, as in message_states: a redrive writes `redriven` under the next run, which takes the message out of here, and
-- out of `failed` and `dead` of campaign_stats, until it fails again.
--
-- Only messages that failed at some time are put together: among 2,000,000 events, 1% of them dead, a page takes 440 ms and
-- 1,330 ms from the states of all; one of a campaign of 100,000 takes 84 ms (bench/storage.bench.ts 1000000, 2026-11-21, 2
-- cores, engine 26.7.2).
CREATE OR REPLACE VIEW dead_letters AS
SELECT
    tenant_id,
    campaign_id,
    toString(id) AS message_id,
    e.1 AS kind,
    e.2 AS run,
    e.3 AS ordinal,
    e.4 AS recipient,
    e.5 AS reason,
    e.6 AS detail,
    e.7 AS attempts,
    e.8 AS lane,
    e.9 AS channel,
    e.10 AS provider,
    e.11 AS occurred_at,
    e.12 AS dlq_partition,
    e.13 AS dlq_offset
FROM
(
    SELECT
        tenant_id,
        campaign_id,
        message_id AS id,
        -- One tuple, because argMin passes over rows in which its value is NULL, and a place may be.
        argMin(tuple(kind, run, ordinal, recipient, reason, detail, attempt, lane, channel, provider, occurred_at,
            dlq_partition, dlq_offset), place) AS e
    FROM
    (
        SELECT
            *,
            kind IN ('sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired') AS terminal,
            bitShiftLeft(toUInt64(32767 - least(greatest(run, 0), 32767)), 49)
                + toUInt64(if(terminal, source_offset, 562949953421311 - source_offset)) AS place
        FROM delivery_raw
        WHERE NOT is_repeat
          AND message_id IN (SELECT message_id FROM delivery_raw WHERE kind IN ('failed', 'dead') AND NOT is_repeat)
    )
    GROUP BY tenant_id, campaign_id, message_id
)
WHERE e.1 IN ('failed', 'dead');
