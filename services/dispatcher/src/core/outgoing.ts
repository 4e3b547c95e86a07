import type { Message, Reason } from '@volley/contract';
import type { CampaignState } from './campaign-book.ts';
import { MAX_RECIPIENT_CHARS } from './identity.ts';
import { type MailHeaders, mailHeadersOf } from './mail-fields.ts';

/** What a template made of one message. */
export interface RenderedTexts {
  readonly subject: string;
  readonly body: string;
  /** The contact's name, for the address; empty if there is none. */
  readonly recipientName: string;
}

/** A message as a channel gets it. The same object for each attempt, so that a retry is the same mail. */
export interface OutgoingMessage {
  /** Also the provider's idempotency key. */
  readonly messageId: string;
  readonly campaignId: string;
  readonly recipient: string;
  readonly contentType: string;
  readonly subject: string;
  readonly body: string;
  /** Checked headers; of channels that send mail. */
  readonly mail: MailHeaders | undefined;
}

export type Prepared =
  | { readonly ok: true; readonly message: OutgoingMessage }
  | { readonly ok: false; readonly reason: Reason; readonly detail: string };

export type RenderResult =
  | { readonly ok: true; readonly texts: RenderedTexts }
  | { readonly ok: false; readonly reason: Reason; readonly detail: string };

/** From a message to what its channel gets: what a dispatcher does before a send, and a replay in its place. */
export function prepare(
  message: Message,
  campaign: CampaignState,
  channel: { readonly kind: string; readonly from: string | undefined },
  render: (campaign: CampaignState, message: Message) => RenderResult,
): Prepared {
  const rendered = render(campaign, message);
  return rendered.ok ? outgoingOf(message, campaign, rendered.texts, channel) : rendered;
}

/** Puts a rendered message together and refuses what the channel must never see. */
export function outgoingOf(
  message: Message,
  campaign: CampaignState,
  texts: RenderedTexts,
  channel: { readonly kind: string; readonly from: string | undefined },
): Prepared {
  const { recipient } = message;
  if (recipient.trim() === '' || recipient.length > MAX_RECIPIENT_CHARS)
    return { ok: false, reason: 'invalid_recipient', detail: 'the recipient is empty or too long' };
  let mail: MailHeaders | undefined;
  if (channel.kind === 'smtp') {
    const from = campaign.from === '' ? (channel.from ?? '') : campaign.from;
    const { subject, recipientName } = texts;
    const checked = mailHeadersOf({ recipient, recipientName, subject, from, replyTo: campaign.replyTo });
    if (!checked.ok) return checked;
    mail = checked.headers;
  }
  return {
    ok: true,
    message: {
      messageId: message.message_id,
      campaignId: message.campaign_id,
      recipient,
      contentType: campaign.contentType,
      subject: texts.subject,
      body: texts.body,
      mail,
    },
  };
}
