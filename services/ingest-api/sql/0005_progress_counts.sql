-- Up Migration

-- A message counts by the window of the log before its event, not by a bit an ordinal: direct messages have no ordinal, and a
-- redrive ends the same message again. What was counted stays: counts and offsets were always saved together.
DROP TABLE progress_chunks;

-- Messages that a redrive took out of the state in which they had ended.
ALTER TABLE progress_counts ADD COLUMN redriven bigint NOT NULL DEFAULT 0;

-- Direct messages that were taken, beside the frozen audience (`expected`): counted before the log has them.
ALTER TABLE campaigns ADD COLUMN accepted bigint NOT NULL DEFAULT 0;
