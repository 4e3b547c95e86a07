import type { Cluster } from 'kafkajs';

/** So long without a record, and a consumer is idle. */
const IDLE_AFTER_MS = 2_000;
/**
 * How long an idle one lets the broker wait for the first record, which ends the wait. Bounded by what has to wait for it: a
 * commit or a heartbeat on the same connection, a rebalance, a stop, and a partition that is resumed meanwhile.
 */
const IDLE_WAIT_MS = 500;

export interface Idleness {
  /** Records came, or something is about to. */
  active(): void;
}

/**
 * A consumer that asks ten times a second for records that do not come costs a twentieth of a core for nothing. kafkajs has one
 * wait for its life: here a fetch of an idle consumer waits longer, and asks for a single byte. To be called before the
 * first fetch of this cluster.
 */
export function waitLongerWhenIdle(cluster: Cluster): Idleness {
  let activeAtMs = performance.now();
  const known = new WeakSet<object>();
  const findBroker = cluster.findBroker.bind(cluster);
  cluster.findBroker = async (which) => {
    const broker = await findBroker(which);
    if (known.has(broker)) return broker;
    known.add(broker);
    const fetch = broker.fetch.bind(broker);
    broker.fetch = (asked) =>
      fetch(
        performance.now() - activeAtMs < IDLE_AFTER_MS
          ? asked
          : { ...asked, maxWaitTime: Math.max(IDLE_WAIT_MS, asked.maxWaitTime ?? 0), minBytes: 1 },
      );
    return broker;
  };
  return {
    active() {
      activeAtMs = performance.now();
    },
  };
}
