import type { Cluster } from 'kafkajs';

/**
 * Without a record for so long, and for how long the broker may then wait for the first one, which ends the wait. Bounded by what has to
 * wait for it: a commit or a heartbeat on the same connection, a rebalance, a stop, and a partition that is resumed meanwhile.
 */
const WAITS = [
  { idleMs: 10_000, waitMs: 1_000 },
  { idleMs: 2_000, waitMs: 500 },
] as const;

export interface Idleness {
  /** Records came, or something is about to. */
  active(): void;
}

/**
 * A consumer that asks ten times a second for records that do not come costs a twentieth of a core for nothing. kafkajs has one
 * wait for its life: here a fetch of an idle consumer waits longer, and asks for a single byte. To be called before the
 * first fetch of this cluster.
 */
export function waitLongerWhenIdle(cluster: Cluster, nowMs: () => number = () => performance.now()): Idleness {
  let activeAtMs = nowMs();
  const known = new WeakSet<object>();
  const findBroker = cluster.findBroker.bind(cluster);
  cluster.findBroker = async (which) => {
    const broker = await findBroker(which);
    if (known.has(broker)) return broker;
    known.add(broker);
    const fetch = broker.fetch.bind(broker);
    broker.fetch = (asked) => {
      const idleMs = nowMs() - activeAtMs;
      const wait = WAITS.find((each) => idleMs >= each.idleMs);
      if (wait === undefined) return fetch(asked);
      return fetch({ ...asked, maxWaitTime: Math.max(wait.waitMs, asked.maxWaitTime ?? 0), minBytes: 1 });
    };
    return broker;
  };
  return {
    active() {
      activeAtMs = nowMs();
    },
  };
}
