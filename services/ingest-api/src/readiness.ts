/** Why this process is not ready; empty: it is. What was migrated once stays so, and Postgres is then only asked to answer. */
export function createReadiness(d: {
  /** Roles that have not started. */
  readonly waiting: ReadonlySet<string>;
  stopping(): boolean;
  stoppedPartitions(): number;
  readonly topic: string;
  askStore(): Promise<unknown>;
  missingMigrations(): Promise<readonly string[]>;
}): () => Promise<string[]> {
  let migrated = false;
  return async () => {
    const reasons = [...d.waiting].map(
      (role) => `role ${role} has not started: the log or the registry does not answer yet`,
    );
    if (d.stopping()) reasons.push('stopping');
    const stopped = d.stoppedPartitions();
    if (stopped > 0) reasons.push(`${stopped} partitions of ${d.topic} are stopped`);
    try {
      if (migrated) await d.askStore();
      const missing = migrated ? [] : await d.missingMigrations();
      if (missing.length > 0) reasons.push(`migrations are missing: ${missing.join(', ')} (run the set-up step)`);
      else migrated = true;
    } catch {
      reasons.push('Postgres does not answer');
    }
    return reasons;
  };
}
