-- Up Migration

-- Who asked for which part of the log to be run again, why, and how far it is. Made and steered by ingest-api, worked on by
-- the replay processes of sink and dispatcher under the protocol of packages/contract/src/replays.ts.
CREATE TABLE replays (
  replay_id        uuid PRIMARY KEY,
  tenant_id        text NOT NULL,
  target           text NOT NULL,
  status           text NOT NULL DEFAULT 'pending',
  phase            text NOT NULL DEFAULT '',
  reason_text      text NOT NULL,
  asked_by         text NOT NULL,
  campaign_id      uuid,
  from_at          timestamptz,
  to_at            timestamptz,
  kinds            jsonb,
  rate_per_second  double precision,
  options          jsonb NOT NULL,
  -- [{topic, partition, from, to}]: what the times were in offsets when the job was made.
  ranges           jsonb NOT NULL,
  total            bigint NOT NULL,
  done             bigint NOT NULL DEFAULT 0,
  progress         jsonb,
  result           jsonb,
  error            text,
  created_at       timestamptz NOT NULL,
  started_at       timestamptz,
  finished_at      timestamptz,
  pause_requested  boolean NOT NULL DEFAULT false,
  cancel_requested boolean NOT NULL DEFAULT false,
  -- Of a job that has ended: its swap is to be taken back.
  undo_requested   boolean NOT NULL DEFAULT false,
  -- Who asked for what after it was made: [{at, by, action}], the last hundred.
  actions          jsonb NOT NULL DEFAULT '[]',
  owner            text NOT NULL DEFAULT '',
  fence            bigint NOT NULL DEFAULT 0,
  lease_until      timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX replays_by_tenant ON replays (tenant_id, replay_id DESC);
-- What the replay processes ask for again and again.
CREATE INDEX replays_to_do ON replays (replay_id) WHERE status IN ('pending', 'running') OR undo_requested;
