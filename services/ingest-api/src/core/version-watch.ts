/**
 * The relay reads its own topic. When the newest record of a campaign is of a lower version than one before it (a relay
 * that lost its lease wrote late), compaction would keep the lower one: the current state must be published again.
 */
export interface VersionWatch {
  /** In the order of the log; 0 for a record without a value. */
  saw(campaignId: string, version: number): void;
  /** Campaigns that end with too low a version. Asked again later, it names them again unless that has changed. */
  outdated(): string[];
}

export function createVersionWatch(): VersionWatch {
  const highest = new Map<string, number>();
  const behind = new Set<string>();
  return {
    saw(campaignId, version) {
      if (version === 0) {
        highest.delete(campaignId);
        behind.delete(campaignId);
      } else if (version >= (highest.get(campaignId) ?? 0)) {
        highest.set(campaignId, version);
        behind.delete(campaignId);
      } else {
        behind.add(campaignId);
      }
    },
    outdated: () => [...behind],
  };
}
