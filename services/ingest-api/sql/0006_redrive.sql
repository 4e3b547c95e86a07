-- Up Migration

-- Who asked for which dead letters to be sent again, or to be taken out of the list, why, and how far it is.
CREATE TABLE redrives (
  redrive_id       uuid PRIMARY KEY,
  tenant_id        text NOT NULL,
  action           text NOT NULL,
  status           text NOT NULL DEFAULT 'running',
  filter           jsonb NOT NULL,
  max_messages     bigint,
  rate_per_second  double precision,
  reason_text      text NOT NULL,
  created_at       timestamptz NOT NULL,
  finished_at      timestamptz,
  matched          bigint NOT NULL,
  matched_at_least boolean NOT NULL,
  cancel_requested boolean NOT NULL DEFAULT false,
  -- The walk through the index: after which message of which campaign it goes on. NULL: from the beginning.
  after_campaign   uuid,
  after_message    uuid,
  all_selected     boolean NOT NULL DEFAULT false,
  selected         bigint NOT NULL DEFAULT 0,
  redriven         bigint NOT NULL DEFAULT 0,
  purged           bigint NOT NULL DEFAULT 0,
  -- By cause.
  left_as_they_are jsonb NOT NULL DEFAULT '{}',
  owner            text NOT NULL DEFAULT '',
  fence            bigint NOT NULL DEFAULT 0,
  lease_until      timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX redrives_by_tenant ON redrives (tenant_id, redrive_id DESC);
CREATE INDEX redrives_under_way ON redrives (redrive_id) WHERE status = 'running';

-- Each failed run of a message is redriven once, or purged: who is first has it, however far behind the index is. `run` is
-- the one that a redrive begins.
CREATE TABLE redriven_messages (
  message_id    uuid NOT NULL,
  run           integer NOT NULL,
  redrive_id    uuid NOT NULL,
  campaign_id   uuid NOT NULL,
  kind          text NOT NULL,
  reason        text NOT NULL,
  dlq_partition integer,
  dlq_offset    bigint,
  -- selected: on its way, repeated from here after a crash; then redriven. purged: out of the list.
  state         text NOT NULL,
  marked_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (message_id, run),
  -- A job takes a message once, also one that fails again within its bounds because a clock was wrong.
  UNIQUE (redrive_id, message_id)
);
CREATE INDEX redriven_messages_pending ON redriven_messages (redrive_id, campaign_id, message_id) WHERE state = 'selected';
CREATE INDEX redriven_messages_by_age ON redriven_messages (marked_at);

-- Campaigns that a redrive is at. `event_ends`: partition -> next offset after its `redriven` events.
CREATE TABLE redrive_campaigns (
  redrive_id  uuid NOT NULL,
  campaign_id uuid NOT NULL,
  open        boolean NOT NULL DEFAULT true,
  topic       text NOT NULL,
  event_ends  jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (redrive_id, campaign_id)
);
CREATE INDEX redrive_campaigns_by_campaign ON redrive_campaigns (campaign_id);

-- Campaigns that must not come to their end: until progress has counted the `redriven` events, all of their messages seem
-- to have ended.
CREATE VIEW redrive_holds AS
SELECT campaign_id FROM redrive_campaigns AS h
WHERE open OR EXISTS (
  SELECT 1 FROM jsonb_each_text(h.event_ends) AS e (partition, next)
  LEFT JOIN progress_offsets AS o ON o.topic = h.topic AND o.partition = e.partition::integer
  WHERE coalesce(o.next_offset, 0) < e.next::bigint
);
