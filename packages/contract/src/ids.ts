import { hash } from 'node:crypto';

/**
 * Ids. A campaign id is a UUIDv7 whose last 32 bits are zero; the id of its message n (from 1) is the same with n in
 * those bits. So a message id names its campaign without a look-up, sorts by campaign and place, and compresses to
 * almost nothing (neighbours differ in a few low bits), where a random UUID was most of the bytes stored.
 * Uniqueness of a campaign rests on 48 bits of time and 41 of chance.
 *
 * A direct message has no place in an audience. Its id begins with the first 64 bits of its campaign's id, then says
 * with the variant digit a or b (campaigns have 8 or 9) that 61 bits of a hash follow. It sorts beside its campaign, but
 * does not name it alone: campaigns of the same millisecond may share those 64 bits.
 */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const CAMPAIGN_TAIL = '00000000';
const TAIL_AT = 28;
const VARIANT_AT = 19;
/** Up to where a direct message's id is its campaign's. */
const DIRECT_PREFIX = 18;

/** Messages of one campaign: as many as fit into 32 bits, without 0 (the campaign itself). */
export const MAX_ORDINAL = 2 ** 32 - 1;

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** `random` is at least 6 bytes. */
export function campaignIdFrom(epochMs: number, random: Uint8Array): string {
  const time = epochMs.toString(16).padStart(12, '0');
  const r = hexOf(random.subarray(0, 6));
  const variant = (0x8 | (Number.parseInt(r.charAt(3), 16) & 0x1)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${r.slice(0, 3)}-${variant}${r.slice(4, 7)}-${r.slice(7, 11)}${CAMPAIGN_TAIL}`;
}

/** Also true for the variants a and b, which campaigns had before there were direct messages. */
export const isCampaignId = (id: string): boolean => UUID.test(id) && id.endsWith(CAMPAIGN_TAIL);
/** In either layout. */
export const isMessageId = (id: string): boolean => UUID.test(id) && !id.endsWith(CAMPAIGN_TAIL);
export const isDirectMessageId = (id: string): boolean => isMessageId(id) && id.charAt(VARIANT_AT) >= 'a';

export function messageIdOf(campaignId: string, ordinal: number): string {
  if (!(ordinal >= 1 && ordinal <= MAX_ORDINAL))
    throw new RangeError(`ordinal ${ordinal} is outside 1..${MAX_ORDINAL}`);
  return campaignId.slice(0, TAIL_AT) + ordinal.toString(16).padStart(8, '0');
}

/** The same for the same campaign and client's id, always and everywhere: that is how a repeat is recognised. */
export const directMessageIdOf = (campaignId: string, clientId: string): string =>
  directId(campaignId, hash('sha256', `${campaignId}:${clientId}`));

/** For a message that the client did not name. `random` is at least 8 bytes. */
export const directMessageIdFrom = (campaignId: string, random: Uint8Array): string =>
  directId(campaignId, hexOf(random.subarray(0, 8)));

/** 61 bits of `hex`: the lowest of the first digit, and the 15 digits after it. */
function directId(campaignId: string, hex: string): string {
  const variant = Number.parseInt(hex.charAt(0), 16) & 1 ? 'b' : 'a';
  const tail = hex.slice(8, 16);
  // A tail of zeros is what a campaign has.
  const end = tail === CAMPAIGN_TAIL ? '00000001' : tail;
  return `${campaignId.slice(0, DIRECT_PREFIX)}-${variant}${hex.slice(1, 4)}-${hex.slice(4, 8)}${end}`;
}

/** The campaign of a message with a place in its audience. A direct message's has to be looked up: `directRange`. */
export const campaignIdOfMessage = (messageId: string): string => messageId.slice(0, TAIL_AT) + CAMPAIGN_TAIL;

/** Between which ids (both may be it) the campaign of a direct message lies. */
export const directRange = (messageId: string): { readonly from: string; readonly to: string } => ({
  from: `${messageId.slice(0, DIRECT_PREFIX)}-8000-000000000000`,
  to: `${messageId.slice(0, DIRECT_PREFIX)}-bfff-ffffffffffff`,
});

/**
 * Place of a message in the audience of this campaign, from 1; 0: a direct message of it; undefined: no message of it.
 * The only right way to ask, whatever layout the id has: the digits at the end of a direct id are no place.
 */
export function ordinalIn(messageId: string, campaignId: string): number | undefined {
  if (!isMessageId(messageId)) return undefined;
  // Anybody may write a record: an id that is none, or only the beginning of one, names no campaign.
  if (!isCampaignId(campaignId)) return undefined;
  if (messageId.startsWith(campaignId.slice(0, TAIL_AT))) return Number.parseInt(messageId.slice(TAIL_AT), 16);
  return isDirectMessageId(messageId) && messageId.startsWith(campaignId.slice(0, DIRECT_PREFIX)) ? 0 : undefined;
}

export const belongsTo = (messageId: string, campaignId: string): boolean =>
  ordinalIn(messageId, campaignId) !== undefined;

/** Of an id that is known to have a place; anything else asks `ordinalIn`. */
export const ordinalOfMessage = (messageId: string): number => Number.parseInt(messageId.slice(TAIL_AT), 16);
