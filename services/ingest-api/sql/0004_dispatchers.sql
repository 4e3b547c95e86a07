-- Up Migration

-- One row a living dispatcher, renewed about once a second: what it has to do under each limited key (weights), which part
-- of each limit it uses or is about to (claims), and what operators see of it (state; packages/contract/src/dispatcher.ts).
CREATE TABLE dispatchers (
  -- Namespace and client id; a restart in the same slot continues its predecessor's row.
  id        text PRIMARY KEY,
  namespace text NOT NULL,
  -- Time of this database: the dispatchers' own clocks may differ by more than the few seconds that decide here.
  seen_at   timestamptz NOT NULL,
  weights   jsonb NOT NULL,
  claims    jsonb NOT NULL,
  state     jsonb NOT NULL
) WITH (fillfactor = 50);

-- Writes the caller's row and answers the other living ones, in one round trip. The lock puts renewals in an order, each sees
-- what every earlier one wrote: a part of a limit that two of them see free is taken by one of them.
CREATE FUNCTION renew_dispatcher(of_namespace text, of_id text, new_weights jsonb, new_claims jsonb, new_state jsonb, live_ms integer)
RETURNS TABLE (other_id text, other_weights jsonb, other_claims jsonb)
LANGUAGE plpgsql AS $renew$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('volley.dispatchers ' || of_namespace, 0));
  INSERT INTO dispatchers (id, namespace, seen_at, weights, claims, state)
    VALUES (of_id, of_namespace, clock_timestamp(), new_weights, new_claims, new_state)
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, weights = excluded.weights, claims = excluded.claims,
      state = excluded.state;
  DELETE FROM dispatchers WHERE namespace = of_namespace AND seen_at < clock_timestamp() - interval '1 day';
  RETURN QUERY SELECT d.id, d.weights, d.claims FROM dispatchers d
    WHERE d.namespace = of_namespace AND d.id <> of_id AND d.seen_at > clock_timestamp() - live_ms * interval '1 ms';
END
$renew$;
