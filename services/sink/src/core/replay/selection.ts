import type { DeliveryEvent } from '@volley/contract';
import type { ReplayJob } from '@volley/contract/replays';

/** Offsets [from, to) of one partition. */
export interface Range {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** Which events a replay makes rows of, and compares: what lies in the ranges, of one campaign or all, of some kinds or all. */
export interface Selection {
  readonly ranges: readonly Range[];
  readonly tenantId?: string;
  readonly campaignId?: string;
  readonly kinds?: readonly string[];
}

type Asked = Pick<ReplayJob, 'ranges' | 'campaign_id' | 'tenant_id' | 'kinds'>;

export const selectionOf = ({ ranges, campaign_id, tenant_id, kinds }: Asked): Selection => ({
  ranges: ranges.map(({ partition, from, to }) => ({ partition, from, to })),
  ...(campaign_id === undefined ? {} : { tenantId: tenant_id, campaignId: campaign_id }),
  ...(kinds === undefined ? {} : { kinds }),
});

/** undefined: all of them. */
export function filterOf({ tenantId, campaignId, kinds }: Selection): ((e: DeliveryEvent) => boolean) | undefined {
  if (campaignId === undefined && kinds === undefined) return undefined;
  const wanted = kinds === undefined ? undefined : new Set<string>(kinds);
  return (e) =>
    (campaignId === undefined || (e.campaign_id === campaignId && e.tenant_id === tenantId)) &&
    (wanted === undefined || wanted.has(e.kind));
}

/** By partition number: where reading begins, and ends. One without a range has nothing to read. */
export const startsOf = (ranges: readonly Range[], partitions: number): number[] =>
  Array.from({ length: partitions }, (_, p) => ranges.find(({ partition }) => partition === p)?.from ?? 0);
export const endsOf = (ranges: readonly Range[], partitions: number): number[] =>
  Array.from({ length: partitions }, (_, p) => ranges.find(({ partition }) => partition === p)?.to ?? 0);

/**
 * Why the tables made of these ranges cannot take the place of the live ones; undefined: they can. `firsts`: of each
 * partition the first offset that the live tables hold, where they hold any.
 */
export function whyPartial(
  asked: Asked & Pick<ReplayJob, 'to'>,
  partitions: number,
  firsts: ReadonlyMap<number, number>,
): string | undefined {
  const { campaignId, kinds, ranges } = selectionOf(asked);
  if (campaignId !== undefined) return 'it was asked for one campaign';
  if (kinds !== undefined) return 'it was asked for some kinds of events';
  if (asked.to !== undefined) return 'it was asked for up to a time';
  for (let p = 0; p < partitions; p++) {
    const range = ranges.find(({ partition }) => partition === p);
    const first = firsts.get(p);
    if (range === undefined) return `partition ${p} is not in it`;
    if (first !== undefined && first < range.from)
      return `the live tables hold partition ${p} from offset ${first} on, and it begins at ${range.from}`;
  }
  return undefined;
}
