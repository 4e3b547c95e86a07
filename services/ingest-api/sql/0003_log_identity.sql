-- Up Migration

-- Which log the offset belongs to: after the log was made anew the same number means other records. NULL: saved before this
-- column existed.
ALTER TABLE progress_offsets ADD COLUMN cluster text;
