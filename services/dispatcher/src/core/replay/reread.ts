import type { Decoded, Message, Reason, SourceRecord } from '@volley/contract';
import { acceptanceOf } from '../acceptance.ts';
import type { CampaignState } from '../campaign-book.ts';
import { identityFromHeaders, isTest } from '../identity.ts';
import type { Source } from '../sources.ts';

/** A record of a lane, read once more. */
export type Reread =
  /** Of another campaign, or a test message: outside of all figures. */
  | { readonly is: 'other' }
  | { readonly is: 'message'; readonly messageId: string; readonly run: number; readonly message: Message }
  /** It ended as a dead letter under the id that its headers say. */
  | {
      readonly is: 'unreadable';
      readonly messageId: string;
      readonly run: number;
      readonly reason: Reason;
      readonly detail: string;
    }
  /** As that, and its headers name nobody: no event tells of it. */
  | { readonly is: 'nobodys' }
  | { readonly is: 'needs_schema'; readonly schemaId: number };

const OTHER: Reread = { is: 'other' };
const NOBODYS: Reread = { is: 'nobodys' };

/** With the decoder and the checks of a dispatcher. */
export function createRereader(o: {
  readonly campaign: CampaignState;
  readonly source: (topic: string) => Source;
  readonly decode: (bytes: Buffer | null) => Decoded<Message>;
}): (record: SourceRecord) => Reread {
  const { campaignId } = o.campaign;
  const key = Buffer.from(campaignId);

  function unreadable(record: SourceRecord, reason: Reason, detail: string, value: Message | undefined): Reread {
    const named = identityFromHeaders(record);
    if (named === undefined) return record.key === null ? OTHER : NOBODYS;
    if (named.campaignId !== campaignId) return OTHER;
    const isSame =
      value === undefined ||
      (value.message_id === named.messageId && value.campaign_id === campaignId && value.tenant_id === named.tenantId);
    return isSame ? { is: 'unreadable', messageId: named.messageId, run: 0, reason, detail } : NOBODYS;
  }

  return (record) => {
    if ((record.key !== null && !record.key.equals(key)) || isTest(record)) return OTHER;
    const decoded = o.decode(record.value);
    if (!decoded.ok) {
      if (decoded.reason === 'needs_schema') return { is: 'needs_schema', schemaId: decoded.schemaId };
      return unreadable(record, decoded.reason, decoded.detail, undefined);
    }
    const message = decoded.value;
    if (record.key === null && message.campaign_id !== campaignId) return OTHER;
    const accepted = acceptanceOf(record, message, o.source(record.topic), o.campaign);
    if (!accepted.ok) return unreadable(record, 'undecodable', accepted.flaw, message);
    return { is: 'message', messageId: message.message_id, run: message.run, message };
  };
}
