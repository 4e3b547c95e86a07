import type { Segment } from '../../ports.ts';

/** A segment as a condition on `contacts`. Values are always bound: `values` grows by what the text refers to. */
export function segmentCondition(segment: Segment, values: unknown[]): string {
  if (segment.kind === 'everyone') return '';
  values.push(segment.all);
  return ` AND tags @> $${values.length}::text[]`;
}
