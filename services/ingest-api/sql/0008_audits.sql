-- Up Migration

-- The last audit of each campaign: what was found, and what the campaign had then (`seen`), so that one which has not changed
-- since need not be audited again.
CREATE TABLE campaign_audits (
  campaign_id uuid PRIMARY KEY,
  tenant_id   text NOT NULL,
  verdict     text NOT NULL,
  seen        text NOT NULL,
  -- By figure; what is equal is left out.
  differences jsonb NOT NULL,
  report      jsonb NOT NULL,
  audited_at  timestamptz NOT NULL
);
CREATE INDEX campaign_audits_not_equal ON campaign_audits (campaign_id) WHERE verdict IN ('different', 'lagging');

-- The nightly runs; one that has not finished is gone on with.
CREATE TABLE audit_runs (
  run_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz,
  checked     integer NOT NULL DEFAULT 0,
  failed      integer NOT NULL DEFAULT 0,
  left_over   integer NOT NULL DEFAULT 0,
  -- As of its end.
  partitions  jsonb
);
