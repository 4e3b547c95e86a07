import type { MessageFilter, MessageReads } from '../../analytics-ports.ts';
import { hasNoAudience } from '../../core/campaign.ts';
import type { MessageBodies } from '../../message-body-ports.ts';
import type { CampaignStore } from '../../ports.ts';
import { campaignIdOf } from './campaign-handlers.ts';
import { decodeCursor, encodeCursor, UUID } from './cursor.ts';
import { type Handlers, notFound, whileThere } from './operation.ts';
import { failed } from './problem.ts';

const ORDINAL = /^\d{1,10}$/;

export interface MessageHandlerDeps {
  readonly tenant: string;
  readonly store: CampaignStore;
  readonly messages: MessageReads;
  readonly bodies: MessageBodies;
}

export function messageHandlers(d: MessageHandlerDeps) {
  return {
    campaignMessages: (r) =>
      whileThere(r, async (gone) => {
        const campaign = await d.store.find(d.tenant, campaignIdOf(r));
        if (!campaign) throw notFound('campaign');
        const { cursor, ...want } = r.query as unknown as MessageFilter & { limit: number; cursor?: string };
        const [list, form] = hasNoAudience(campaign) ? (['direct', UUID] as const) : (['messages', ORDINAL] as const);
        const after = decodeCursor(list, cursor, form);
        const { next, ...page } = await d.messages.page(
          campaign,
          { ...want, ...(after !== undefined && { after }) },
          gone,
        );
        const next_cursor = next === undefined ? null : encodeCursor(list, next);
        return { status: 200, body: { ...page, next_cursor } };
      }),

    getMessage: (r) =>
      whileThere(r, async (gone) => {
        const body = await d.messages.one(r.id, gone);
        if (!body) throw notFound('message');
        return { status: 200, body };
      }),

    getMessageBody: (r) =>
      whileThere(r, async (gone) => {
        const result = await d.bodies.of(r.id, gone);
        if (!result.ok) throw failed(result.failure);
        return { status: 200, body: result.value };
      }),
  } satisfies Partial<Handlers>;
}
