import { type AuditHandlerDeps, auditHandlers } from './audit-handlers.ts';
import { type CampaignHandlerDeps, campaignHandlers } from './campaign-handlers.ts';
import { type ContactHandlerDeps, contactHandlers } from './contact-handlers.ts';
import { type DirectHandlerDeps, directHandlers } from './direct-handlers.ts';
import { type DeadLetterHandlerDeps, deadLetterHandlers } from './dlq-handlers.ts';
import { type MessageHandlerDeps, messageHandlers } from './message-handlers.ts';
import type { Handlers } from './operation.ts';
import { type PipelineHandlerDeps, pipelineHandlers } from './pipeline-handlers.ts';
import { type ProviderHandlerDeps, providerHandlers } from './provider-handlers.ts';
import { type ReplayHandlerDeps, replayHandlers } from './replay-handlers.ts';
import { type ReportHandlerDeps, reportHandlers } from './report-handlers.ts';
import { createStatsStreams } from './stats-stream.ts';

export type HandlerDeps = CampaignHandlerDeps &
  ContactHandlerDeps &
  MessageHandlerDeps &
  ReportHandlerDeps &
  DirectHandlerDeps &
  PipelineHandlerDeps &
  ProviderHandlerDeps &
  AuditHandlerDeps &
  DeadLetterHandlerDeps &
  ReplayHandlerDeps & { readonly openApi: unknown; streams(open: number): void };

/** Every operation of the route table. */
export function createHandlers(d: HandlerDeps): { handlers: Handlers; closeStreams(): void } {
  const streams = createStatsStreams(d.reads, d.streams);
  const handlers: Handlers = {
    ...campaignHandlers(d),
    ...contactHandlers(d),
    ...messageHandlers(d),
    ...reportHandlers(d),
    ...directHandlers(d),
    ...deadLetterHandlers(d),
    ...pipelineHandlers(d),
    ...providerHandlers(d),
    ...auditHandlers(d),
    ...replayHandlers(d),
    campaignStatsStream: streams.handler,
    getOpenApi: async () => ({ status: 200, body: d.openApi }),
    getRoot: async () => ({ status: 200, body: { name: 'Volley', openapi: '/openapi.json' } }),
  };
  return { handlers, closeStreams: streams.close };
}
