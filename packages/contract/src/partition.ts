/**
 * Where a message lies: partition = (hash(campaign) + bucket) mod P, bucket = hash(recipient) mod spread.
 * Spread 1 keeps a campaign in one partition; a larger one lets it use that many neighbours while every recipient
 * keeps one partition, and so its order. P and spread are fixed in the campaign at launch.
 */

/** FNV-1a over UTF-16 code units, with murmur3's finish: short ids that differ in one digit must land far apart. */
export function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

export function partitionOf(campaignId: string, recipient: string, spread: number, partitions: number): number {
  const bucket = spread > 1 ? hash32(recipient) % spread : 0;
  return (hash32(campaignId) + bucket) % partitions;
}

/** The partitions that a campaign uses, in bucket order. */
export function partitionsOf(campaignId: string, spread: number, partitions: number): number[] {
  const first = hash32(campaignId);
  return Array.from({ length: Math.min(spread, partitions) }, (_, bucket) => (first + bucket) % partitions);
}
