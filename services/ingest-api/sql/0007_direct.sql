-- Up Migration

-- A request with direct messages; messages sent alone share one with those that were taken with them.
CREATE SEQUENCE direct_requests;

-- Messages that are counted and perhaps not in the log yet, as they go there: `records` is what core/direct.ts packs. A row
-- is gone soon after the log has them; of one that a crash or an outage left behind, what is not in the log is written when due.
CREATE TABLE direct_batches (
  batch       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request     bigint NOT NULL,
  campaign_id uuid NOT NULL,
  tenant_id   text NOT NULL,
  lane        text NOT NULL,
  -- partition -> an offset that none of its records lies below.
  log_from    jsonb NOT NULL,
  records     bytea NOT NULL,
  due_at      timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- Compressing what lives for milliseconds costs more than it saves.
ALTER TABLE direct_batches ALTER COLUMN records SET STORAGE EXTERNAL;
CREATE INDEX direct_batches_by_request ON direct_batches (request);
CREATE INDEX direct_batches_by_age ON direct_batches (due_at);

-- Messages that the client named, for as long as their campaign may take more: whatever comes again under its id is
-- counted once. The partition is that of the first time: a repeat with another recipient must meet its first there.
CREATE TABLE direct_messages (
  message_id uuid PRIMARY KEY,
  request    bigint NOT NULL,
  partition  integer NOT NULL
);
