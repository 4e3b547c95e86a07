-- What no key answers: questions about a time over all campaigns, and about one direct message.
--
-- A campaign's rows lie beside each other in the order of time, and campaigns begin one after the other: rows that are
-- neighbours are of one time. Of 246,666 minutes of ten days the last two hours are 1,930 rows to read instead of all, of
-- 601,992 buckets 3,976, for less than a thousandth of the table. (1,500,000 generated events in campaigns of 500 messages,
-- 2026-11-22, engine 26.7.2; test/tables/by-key.int.test.ts holds it.) Minutes and hours are filled anew in 0012, so buckets
-- alone need it made here.
ALTER TABLE delivery_by_minute ADD INDEX IF NOT EXISTS minute_range minute TYPE minmax GRANULARITY 1;

ALTER TABLE delivery_by_hour ADD INDEX IF NOT EXISTS hour_range hour TYPE minmax GRANULARITY 1;

ALTER TABLE latency_by_minute ADD INDEX IF NOT EXISTS minute_range minute TYPE minmax GRANULARITY 1;

ALTER TABLE latency_by_minute MATERIALIZE INDEX minute_range SETTINGS mutations_sync = 2, max_execution_time = 0;

-- All direct messages of a campaign have ordinal 0, so its index says nothing of them, and their ids are random. The index is
-- of the text, because so the public views ask. One of 111,228 events of a campaign is 8,192 rows to read instead of all; of
-- larger ones one granule in twenty is read for nothing. It takes 0.8 bytes an event beside 8.9 of raw and 14.3 of all tables
-- (at 0.01: 1.1 bytes), and an insert of 50,000 rows up to 2% longer (7 of 350 ms; 1.00 times as the median of 60 pairs, 1.03
-- at 0.01; bench/tables.bench.ts 600000, 2026-11-22, 2 busy cores, engine 26.7.2). Raw rows from before have no such index
-- and are read as they were until they expire.
ALTER TABLE delivery_raw ADD INDEX IF NOT EXISTS message_id_text toString(message_id) TYPE bloom_filter(0.05) GRANULARITY 1;
