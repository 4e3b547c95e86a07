-- Up Migration

-- Where fan-out of a campaign stands, with the lease of whoever does it. `log_ends`: partition -> first offset at which
-- messages after `ordinal` may lie. NULL until the first owner has written down where the log ended before it began.
CREATE TABLE campaign_fanout (
  campaign_id uuid PRIMARY KEY,
  ordinal     bigint NOT NULL DEFAULT 0,
  log_ends    jsonb,
  finished    boolean NOT NULL DEFAULT false,
  owner       text NOT NULL DEFAULT '',
  fence       bigint NOT NULL DEFAULT 0,
  lease_until timestamptz NOT NULL DEFAULT '-infinity'
);

-- Everything of one save stands in one transaction with the offset that follows the last event counted in it.
CREATE TABLE progress_offsets (
  topic       text NOT NULL,
  partition   integer NOT NULL,
  next_offset bigint NOT NULL,
  log_end     bigint NOT NULL,
  -- Append time of the last event counted.
  event_at    timestamptz,
  saved_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, partition)
);

CREATE TABLE progress_counts (
  campaign_id uuid NOT NULL,
  partition   integer NOT NULL,
  sent        bigint NOT NULL,
  failed      bigint NOT NULL,
  dead        bigint NOT NULL,
  suppressed  bigint NOT NULL,
  cancelled   bigint NOT NULL,
  expired     bigint NOT NULL,
  -- Deferred and not yet ended.
  retrying    bigint NOT NULL,
  -- Events of messages that the campaign cannot have: an alarm, and such a campaign never completes.
  surplus     bigint NOT NULL,
  -- First and last end of a message, for the throughput.
  first_at    timestamptz,
  last_at     timestamptz,
  PRIMARY KEY (campaign_id, partition)
);

-- Which messages have ended, and which were deferred: one bit an ordinal, 65,536 of them (8 KiB) a row.
CREATE TABLE progress_chunks (
  campaign_id uuid NOT NULL,
  partition   integer NOT NULL,
  chunk       integer NOT NULL,
  ended       bytea NOT NULL,
  deferred    bytea NOT NULL,
  PRIMARY KEY (campaign_id, partition, chunk)
);
