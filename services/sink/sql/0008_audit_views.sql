-- What an auditor asks, beside its own count of the log. Private to it.

-- One row a campaign: rows against places in the log (more rows: a range was inserted twice), terminal events against
-- messages that ended (more events: a message was reported twice under its own id), and what each derived table counted
-- (counted_events in all of them; listed_messages: of messages that ended, wait or were redriven).
-- A place is one number, and a bitmap of places takes a fraction of the memory of a set of them.
CREATE OR REPLACE VIEW campaign_audit AS
SELECT
    tenant_id,
    campaign_id,
    sum(a.raw_rows) AS raw_rows,
    sum(a.log_records) AS log_records,
    raw_rows - log_records AS doubled_rows,
    sum(a.messages) AS messages,
    sum(a.ended_runs) AS ended_runs,
    sum(a.terminal_records) AS terminal_records,
    terminal_records - ended_runs AS repeated_ends,
    sum(a.marked_repeats) AS marked_repeats,
    sum(a.counted_events) AS counted_events,
    sum(a.minute_events) AS minute_events,
    sum(a.hour_events) AS hour_events,
    sum(a.campaign_events) AS campaign_events,
    sum(a.listable_messages) AS listable_messages,
    sum(a.listed_messages) AS listed_messages,
    sum(a.sent_events) AS sent_events,
    sum(a.histogram_events) AS histogram_events
FROM
(
    SELECT
        tenant_id,
        campaign_id,
        count() AS raw_rows,
        groupBitmap(place) AS log_records,
        uniqExact(message_id) AS messages,
        uniqExactIf((message_id, run), terminal) AS ended_runs,
        groupBitmapIf(place, terminal) AS terminal_records,
        countIf(is_repeat) AS marked_repeats,
        groupBitmapIf(place, NOT is_repeat) AS counted_events,
        toUInt64(0) AS minute_events,
        toUInt64(0) AS hour_events,
        toUInt64(0) AS campaign_events,
        uniqExactIf(message_id, NOT is_repeat AND (terminal OR kind IN ('deferred', 'redriven'))) AS listable_messages,
        toUInt64(0) AS listed_messages,
        groupBitmapIf(place, NOT is_repeat AND kind = 'sent') AS sent_events,
        toUInt64(0) AS histogram_events
    FROM
    (
        SELECT
            *,
            kind IN ('sent', 'failed', 'dead', 'suppressed', 'cancelled', 'expired') AS terminal,
            bitOr(bitShiftLeft(toUInt64(source_partition), 48), source_offset) AS place
        FROM delivery_raw
    )
    GROUP BY tenant_id, campaign_id
    UNION ALL
    SELECT tenant_id, campaign_id, 0, 0, 0, 0, 0, 0, 0, sum(events), 0, 0, 0, 0, 0, 0
    FROM delivery_by_minute
    GROUP BY tenant_id, campaign_id
    UNION ALL
    SELECT tenant_id, campaign_id, 0, 0, 0, 0, 0, 0, 0, 0, sum(events), 0, 0, 0, 0, 0
    FROM delivery_by_hour
    GROUP BY tenant_id, campaign_id
    UNION ALL
    SELECT tenant_id, campaign_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, sum(events), 0, 0, 0, 0
    FROM delivery_by_campaign
    GROUP BY tenant_id, campaign_id
    UNION ALL
    SELECT tenant_id, campaign_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, count(), 0, 0
    FROM message_latest FINAL
    GROUP BY tenant_id, campaign_id
    UNION ALL
    SELECT tenant_id, campaign_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sum(sent)
    FROM latency_by_minute
    GROUP BY tenant_id, campaign_id
) AS a
GROUP BY tenant_id, campaign_id;

-- One row a partition of the log. What is missing has become a dead letter, or is lost: the dead letters' own places say.
CREATE OR REPLACE VIEW partition_audit AS
SELECT
    source_partition,
    min(source_offset) AS first_offset,
    max(source_offset) AS last_offset,
    count() AS raw_rows,
    groupBitmap(source_offset) AS log_records,
    last_offset - first_offset + 1 - log_records AS missing
FROM delivery_raw
GROUP BY source_partition;
