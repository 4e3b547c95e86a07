import { createRequire } from 'node:module';

/**
 * kafkajs 2.2.4 keeps moments as wall clock times: when it last spoke to the group, when a request was sent, until when a
 * broker asked it to wait. Set back by two hours, the clock makes it silent for two hours, and the group puts it out; set
 * ahead, all that is under way has timed out. Such a moment is therefore kept by the monotonic clock, and read as what the
 * wall clock would have said then if it had always been as it is now: the difference to `Date.now()` is right.
 */
const MOMENTS = [
  ['kafkajs/src/consumer/consumerGroup.js', 'lastRequest'],
  ['kafkajs/src/network/requestQueue/socketRequest.js', 'createdAt'],
  ['kafkajs/src/network/requestQueue/socketRequest.js', 'sentAt'],
  ['kafkajs/src/network/requestQueue/index.js', 'throttledUntil'],
  ['kafkajs/src/cluster/brokerPool.js', 'metadataExpireAt'],
] as const;

let kept = false;

export function keepTimeMonotonically(): void {
  if (kept) return;
  kept = true;
  const load = createRequire(import.meta.url);
  for (const [file, property] of MOMENTS) keepMoment((load(file) as { prototype: object }).prototype, property);
}

/** The classes assign these in their constructors, which finds the accessor; a class field would hide it. */
function keepMoment(prototype: object, property: string): void {
  const moments = new WeakMap<object, number | null>();
  Object.defineProperty(prototype, property, {
    configurable: true,
    get(this: object) {
      const at = moments.get(this);
      return typeof at === 'number' ? Math.round(at + Date.now() - performance.now()) : at;
    },
    set(this: object, wallMs: number | null) {
      moments.set(this, typeof wallMs === 'number' ? wallMs - Date.now() + performance.now() : wallMs);
    },
  });
}
