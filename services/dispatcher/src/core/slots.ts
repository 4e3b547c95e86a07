/** How many messages may be under way at once. */
export interface Slots {
  free(): boolean;
  take(): void;
  give(): void;
}

/** Of all slots, bulk leaves these to transactional messages: calls that hang until their deadline cannot take all. */
const RESERVED_PART = 1 / 8;

export interface LaneSlots {
  readonly transactional: Slots;
  readonly bulk: Slots;
}

/** One budget for both lanes. With a single slot there is nothing to keep back. */
export function createSlots(count: number): LaneSlots {
  const reserved = count > 1 ? Math.max(1, Math.floor(count * RESERVED_PART)) : 0;
  let taken = 0;
  let byBulk = 0;
  return {
    transactional: {
      free: () => taken < count,
      take: () => void taken++,
      give: () => void taken--,
    },
    bulk: {
      free: () => taken < count && byBulk < count - reserved,
      take() {
        taken += 1;
        byBulk += 1;
      },
      give() {
        taken -= 1;
        byBulk -= 1;
      },
    },
  };
}
