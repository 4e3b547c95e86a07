-- Up Migration

-- Who can be written to. Addresses are compared without case: address_key is what they are compared by.
CREATE TABLE contacts (
  contact_id  uuid PRIMARY KEY,
  tenant_id   text NOT NULL,
  address_key text NOT NULL,
  recipient   text NOT NULL,
  -- NULL: never given. A template that needs the name is then an error of that one message.
  name        text,
  tags        text[],
  -- An import may give 8 KiB; many imports add up, and the message that carries them has an end.
  attributes  jsonb NOT NULL DEFAULT '{}' CONSTRAINT attributes_fit_a_message CHECK (octet_length(attributes::text) <= 262144),
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, address_key)
);
CREATE INDEX contacts_by_tag ON contacts USING gin (tags);

-- The projection of campaign_events, written in the same transaction. `state` is the fold of all events up to `version`;
-- the columns beside it are those that something searches by.
CREATE TABLE campaigns (
  campaign_id       uuid PRIMARY KEY,
  tenant_id         text NOT NULL,
  version           integer NOT NULL,
  published_version integer NOT NULL DEFAULT 0,
  status            text NOT NULL,
  deleted           boolean NOT NULL DEFAULT false,
  expected          bigint NOT NULL DEFAULT 0,
  state             jsonb NOT NULL
);
CREATE INDEX campaigns_by_tenant ON campaigns (tenant_id, campaign_id DESC) WHERE NOT deleted;
-- The outbox is the events above published_version: this is how the relay finds them without looking at the rest.
CREATE INDEX campaigns_to_publish ON campaigns (campaign_id) WHERE version > published_version;
CREATE INDEX campaigns_under_way ON campaigns (campaign_id) WHERE status IN ('running', 'paused', 'cancelling');

CREATE TABLE campaign_events (
  campaign_id uuid NOT NULL,
  version     integer NOT NULL,
  event_id    uuid NOT NULL,
  type        text NOT NULL,
  data        jsonb NOT NULL,
  occurred_at timestamptz NOT NULL,
  -- Two commands that saw the same version cannot both be written.
  PRIMARY KEY (campaign_id, version)
);

-- The audience as it was at send. No foreign key to campaigns: a check per row was a third of the time of the freeze.
CREATE TABLE campaign_recipients (
  campaign_id uuid NOT NULL,
  ordinal     bigint NOT NULL,
  contact_id  uuid NOT NULL,
  recipient   text NOT NULL,
  name        text,
  tags        text[] NOT NULL,
  attributes  jsonb NOT NULL,
  PRIMARY KEY (campaign_id, ordinal),
  UNIQUE (campaign_id, contact_id)
);

CREATE TABLE idempotency_keys (
  tenant_id   text NOT NULL,
  key         text NOT NULL,
  -- Hash of method, route and body: the same key with another request is a mistake of the caller.
  fingerprint text NOT NULL,
  status      integer NOT NULL,
  body        jsonb NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- One holder at a time; `fence` counts up with each new one, so that what a former holder still tries is recognised.
CREATE TABLE leases (
  name       text PRIMARY KEY,
  owner      text NOT NULL,
  fence      bigint NOT NULL,
  expires_at timestamptz NOT NULL
);
