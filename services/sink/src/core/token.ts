/**
 * Raised whenever the same range would give other rows or another order of columns: an insert under the new number
 * cannot be taken for one under the old.
 */
export const LAYOUT = 2;

/**
 * Which tables a range goes into: '0' are those that migrations made, each rebuild beside them has its own. Part of the
 * token, because tables take each other's places: raw tables check it (core/replay/register.ts), so that what was meant for
 * the one before never gets into the one after.
 */
export type Generation = string;
export const FIRST_GENERATION: Generation = '0';

export interface RangeName {
  /** Id of the Kafka cluster: after its data was deleted, the same offsets are other records. */
  readonly cluster: string;
  readonly topic: string;
  readonly partition: number;
  /** First offset of the range. */
  readonly from: number;
  /** The offset after its last one. */
  readonly to: number;
}

/** The insert_deduplication_token of [from, to): whoever inserts this range, and whenever, says the same. */
export const tokenOf = (r: RangeName, layout = LAYOUT, generation = FIRST_GENERATION): string =>
  `${r.cluster}:${r.topic}:${r.partition}:${r.from}:${r.to}:${layout}${generation === FIRST_GENERATION ? '' : `.${generation}`}`;
