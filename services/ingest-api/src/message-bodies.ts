import {
  campaignIdOfMessage,
  type Decoded,
  directRange,
  isDirectMessageId,
  isMessageId,
  type Message,
  ordinalIn,
} from '@volley/contract';
import type { MessageBodyView } from '@volley/contract/http';
import { findProvider, type Provider } from '@volley/contract/providers';
import { compileTemplate, templateVars } from '@volley/contract/render';
import type { MessageIndex } from './analytics-ports.ts';
import { TENANT } from './commands.ts';
import type { Campaign } from './core/campaign.ts';
import { varsOf } from './core/message.ts';
import { fail, ok, type Result } from './core/result.ts';
import type { Found, MessageBodies, RecordFinder } from './message-body-ports.ts';
import type { CampaignStore, FrozenRecipients } from './ports.ts';

type Content = Pick<Message, 'message_id' | 'recipient' | 'vars' | 'tags'>;

const notFound = (detail: string) => fail({ code: 'not_found', detail });
const NO_MESSAGE = notFound(
  'there is no such message; a direct message is known from its first event on, a test message never',
);
const NO_REGISTRY = fail({ code: 'unavailable', detail: 'the schema registry does not answer: try again' });
/** Its variables stand nowhere but in the log. */
const NOT_READ = {
  truncated: fail({ code: 'log_truncated', detail: 'the log starts after this message: its variables are gone' }),
  absent: notFound('the log has no record of this message at the time and in the partition that its events name'),
  bounded: notFound('the record of this message was not found within 5 s and 64 MiB of the log after it was queued'),
  busy: fail({ code: 'busy', detail: 'other direct messages are being looked for in the log: try again later' }),
} satisfies Record<Exclude<Found, object>, Result<never>>;

/**
 * A message as its recipient gets it. Neither its texts nor what was sent is kept: it is rendered again of the same parts,
 * which cannot change. A template is that of a draft until it is sent, an audience is frozen, a record stays as it was written.
 */
export function createMessageBodies(d: {
  readonly store: Pick<CampaignStore, 'find' | 'between'>;
  readonly frozen: Pick<FrozenRecipients, 'byOrdinals'>;
  readonly index: Pick<MessageIndex, 'directPlaces'>;
  readonly find: RecordFinder;
  readonly decode: (bytes: Buffer | null) => Decoded<Message>;
  /** Rejects when the registry does not answer. */
  readonly loadSchema: (id: number) => Promise<void>;
  readonly providers: readonly Provider[];
}): MessageBodies {
  async function direct(messageId: string, gone?: AbortSignal): Promise<Result<MessageBodyView>> {
    for (const campaign of await d.store.between(TENANT, directRange(messageId))) {
      const { value: places } = await d.index.directPlaces(campaign, messageId, gone);
      if (places.length === 0) continue;
      const found = await d.find({ messageId, places }, gone);
      if (typeof found === 'string') return NOT_READ[found];
      const { value } = found.record;
      let decoded = d.decode(value);
      if (!decoded.ok && decoded.reason === 'needs_schema') {
        const isLoaded = await d.loadSchema(decoded.schemaId).then(
          () => true,
          () => false,
        );
        if (!isLoaded) return NO_REGISTRY;
        decoded = d.decode(value);
      }
      // Anybody may write to the log: what is shown must be the message that was asked for.
      const message = decoded.ok ? decoded.value : undefined;
      if (message?.message_id !== messageId || message.campaign_id !== campaign.campaign_id)
        return notFound('the record of this message in the log cannot be read');
      return ok(bodyOf(campaign, message, d.providers));
    }
    return NO_MESSAGE;
  }

  return {
    async of(messageId, gone) {
      if (!isMessageId(messageId)) return NO_MESSAGE;
      const campaignId = campaignIdOfMessage(messageId);
      const campaign = await d.store.find(TENANT, campaignId);
      if (!campaign) return isDirectMessageId(messageId) ? direct(messageId, gone) : NO_MESSAGE;
      const [row] = await d.frozen.byOrdinals(campaignId, [ordinalIn(messageId, campaignId) ?? 0]);
      if (!row) return NO_MESSAGE;
      return ok(bodyOf(campaign, { ...row, message_id: messageId, vars: varsOf(row) }, d.providers));
    },
  };
}

function bodyOf(campaign: Campaign, message: Content, providers: readonly Provider[]): MessageBodyView {
  // What a webhook is given has neither.
  const isMail = campaign.channel !== 'webhook';
  const provider = findProvider(providers, campaign.channel, campaign.provider);
  const view = {
    message_id: message.message_id,
    campaign_id: campaign.campaign_id,
    recipient: message.recipient,
    content_type: campaign.content_type,
    from: (isMail && (campaign.from || provider?.from)) || null,
    reply_to: (isMail && campaign.reply_to) || null,
  };
  const rendered = render(campaign, message);
  return rendered.ok
    ? { ...view, ...rendered.texts, error: null }
    : { ...view, subject: null, body: null, error: { reason: rendered.reason, detail: rendered.detail } };
}

/** As a dispatcher does it, with its sentences. */
function render(campaign: Campaign, { vars, recipient, tags }: Content) {
  const failed = (detail: string) => ({ ok: false, reason: 'render_failed', detail }) as const;
  const { template, subject, content_type: contentType } = campaign;
  const result = compileTemplate({ template, subject, contentType });
  if (!result.ok) return failed(result.errors.map((e) => `${e.field}: ${e.message}`).join('; '));
  const parsed = parse(vars);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return failed('vars is not an object');
  return result.compiled.render(templateVars(parsed as Record<string, unknown>, recipient, tags));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
