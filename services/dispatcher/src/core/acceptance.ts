import type { Message, Past, SourceRecord } from '@volley/contract';
import type { CampaignState } from './campaign-book.ts';
import { flawOf } from './identity.ts';
import { pastAt, type Source } from './sources.ts';

export type Acceptance =
  | { readonly ok: true; readonly past: Past }
  /** Why a record that decodes is still no message. */
  | { readonly ok: false; readonly flaw: string };

/** Whether a record that decodes is a message of its campaign, as far as that is known. */
export function acceptanceOf(
  record: SourceRecord,
  message: Message,
  source: Source,
  campaign: CampaignState | undefined,
): Acceptance {
  const past = pastAt(source, record);
  if (past === undefined)
    return { ok: false, flaw: 'its headers of earlier attempts are not numbers that Volley writes' };
  const flaw = flawOf(message, record);
  if (flaw !== undefined) return { ok: false, flaw };
  if (campaign !== undefined && campaign.tenantId !== message.tenant_id)
    return { ok: false, flaw: 'its campaign is of another tenant' };
  return { ok: true, past };
}
