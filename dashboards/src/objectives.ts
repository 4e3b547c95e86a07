/**
 * What is promised to whom, in one place: thresholds of alerts and the lines in charts. They are a start, to be changed to
 * what an installation promises its users; `npm run gen` afterwards.
 */
export const OBJECTIVES = {
  /**
   * 95 of 100 messages are sent within this. A bound of the latency histogram, so that the share of later ones is exact.
   * Fan-out keeps up to 10 s of a campaign's rate in the log, so a healthy one that uses its rate lies above 10 s.
   */
  p95Ms: 20_000,
  /** Which is the same as: at most this share of messages is later. */
  lateShare: 0.05,
  /** Share of messages that ended failed or dead. */
  failureRatio: 0.05,
  /** Fewer messages than this say nothing about a share. */
  leastMessages: 100,
  /** An event is queryable two seconds after it was written; this is a sink that does not keep up. */
  sinkLagSeconds: 30,
  /** The longest that a message may wait in a lane. Tiers and held are left out: there, waiting is what is wanted. */
  unsentAgeSeconds: 600,
  deadLettersPerTenMinutes: 100,
  /** The auditor runs every night. */
  auditSilenceSeconds: 26 * 3_600,
} as const;
