import { z } from 'zod';
import { audit, auditQuery, campaignAudit } from './http-audit.ts';
import { deadLetterRoutes } from './http-dead-letters.ts';
import { pipeline } from './http-pipeline.ts';
import { providerList } from './http-providers.ts';
import { replayRoutes } from './http-replays.ts';
import {
  accepted,
  campaign,
  campaignChange,
  campaignCreate,
  contact,
  directAccepted,
  directMessage,
  directReport,
  importReport,
  listOf,
  type ProblemCode,
  preview,
  queries,
  stats,
  testAccepted,
  testRequest,
} from './http-schemas.ts';
import {
  failures,
  histogram,
  messageAnswer,
  messageBody,
  messagePage,
  series,
  statisticsQueries,
} from './http-statistics.ts';

export {
  type AuditView,
  CAMPAIGN_FIGURES,
  type CampaignAuditView,
  MAX_AUDIT_WAIT_S,
  PARTITION_FIGURES,
  type PartitionAuditView,
} from './http-audit.ts';
export {
  type DeadLetterCountView,
  type DeadLetterDetailView,
  type DeadLetterView,
  MAX_SHOWN_BYTES,
  purgeRequest,
  type RedriveRequest,
  type RedriveView,
  redriveRequest,
} from './http-dead-letters.ts';
export { EXAMPLES, type Example } from './http-examples.ts';
export type { PipelineView } from './http-pipeline.ts';
export type { ProviderListView } from './http-providers.ts';
export {
  type ReplayPlanView,
  type ReplayRequest,
  type ReplaySummaryView,
  type ReplayView,
  replayRequest,
} from './http-replays.ts';
export {
  accepted,
  type CampaignChange,
  type CampaignCreate,
  type CampaignView,
  campaign,
  campaignChange,
  campaignCreate,
  contact,
  directAccepted,
  directMessage,
  directReport,
  FIELDS_NOT_SUPPORTED,
  type ImportReport,
  importReport,
  MAX_IMPORT_LINE_BYTES,
  MAX_JSON_BODY_BYTES,
  MAX_JSON_DEPTH,
  MAX_PAGE,
  message,
  messageDetail,
  PROBLEMS,
  type ProblemCode,
  type ProblemView,
  preview,
  problem,
  queries,
  type StatsView,
  stats,
  testRequest,
} from './http-schemas.ts';
export {
  type FailuresView,
  type HistogramView,
  MAX_STEPS,
  type MessageBodyView,
  type SeriesView,
} from './http-statistics.ts';

/** The HTTP API as one table of routes. Schemas of requests and answers stand in http-schemas.ts. */
export interface Route {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** OpenAPI form: `{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  /** Request headers that mean something beyond HTTP's own. */
  readonly headers?: readonly ('Idempotency-Key' | 'If-Match' | 'If-None-Match')[];
  /** What an Idempotency-Key does, where a repeat is not simply given the first answer. */
  readonly keyMeans?: string;
  readonly body?: z.ZodType;
  /** Streamed bodies, which are validated line by line. */
  readonly bodyTypes?: readonly string[];
  readonly status: number;
  readonly answer?: z.ZodType;
  readonly answerType?: string;
  /** An answer of another 2xx status, to a request that asks for it. */
  readonly also?: { readonly status: number; readonly answer: z.ZodType };
  readonly problems?: readonly ProblemCode[];
  /** False: needs no API key. */
  readonly secured?: false;
}

const byId = '/v1/campaigns/{id}';
const command = (name: string, summary: string): Route => ({
  method: 'post',
  path: `${byId}/${name}`,
  summary,
  status: 202,
  answer: accepted,
  problems: ['not_found', 'illegal_transition', 'conflict'],
});
const report = (name: string, summary: string, query: z.ZodObject, answer: z.ZodType): Route => ({
  method: 'get',
  path: `${byId}/${name}`,
  summary,
  query,
  status: 200,
  answer,
  problems: ['not_found'],
});
const writes = ['unknown_provider', 'template_invalid', 'segment_invalid'] as const;

/** By operation id. The router has exactly these, the OpenAPI document shows exactly these. */
export const ROUTES = {
  importContacts: {
    method: 'post',
    path: '/v1/contacts/import',
    summary: 'Import contacts from CSV or NDJSON; bad lines are reported, the rest goes in',
    query: queries.contactImport,
    bodyTypes: ['text/csv', 'application/x-ndjson'],
    status: 200,
    answer: importReport,
    problems: ['busy'],
  },
  listContacts: {
    method: 'get',
    path: '/v1/contacts',
    summary: 'Contacts of a segment',
    query: queries.contacts,
    status: 200,
    answer: listOf(contact),
    problems: ['segment_invalid', 'not_supported'],
  },
  deleteContact: {
    method: 'delete',
    path: '/v1/contacts/{id}',
    summary: 'Delete a contact; messages under way keep what they have',
    status: 204,
    problems: ['not_found'],
  },
  createCampaign: {
    method: 'post',
    path: '/v1/campaigns',
    summary: 'Create a draft',
    headers: ['Idempotency-Key'],
    body: campaignCreate,
    status: 201,
    answer: campaign,
    problems: [...writes, 'idempotency_key_reused'],
  },
  listCampaigns: {
    method: 'get',
    path: '/v1/campaigns',
    summary: 'Campaigns, newest first',
    query: queries.campaigns,
    status: 200,
    answer: listOf(campaign),
  },
  getCampaign: {
    method: 'get',
    path: byId,
    summary: 'One campaign, with its version as ETag',
    headers: ['If-None-Match'],
    status: 200,
    answer: campaign,
    problems: ['not_found'],
  },
  changeCampaign: {
    method: 'patch',
    path: byId,
    summary: 'Change a draft',
    headers: ['If-Match'],
    body: campaignChange,
    status: 200,
    answer: campaign,
    problems: ['not_found', 'illegal_transition', 'version_mismatch', 'conflict', ...writes],
  },
  deleteCampaign: {
    method: 'delete',
    path: byId,
    summary: 'Delete a draft',
    headers: ['If-Match'],
    status: 204,
    problems: ['not_found', 'illegal_transition', 'version_mismatch', 'conflict'],
  },
  previewCampaign: {
    method: 'get',
    path: `${byId}/preview`,
    summary: 'Size of the audience and the first messages, by the same query as send',
    query: queries.preview,
    status: 200,
    answer: preview,
    problems: ['not_found', 'template_invalid'],
  },
  sendCampaign: {
    ...command('send', 'Freeze the audience and start'),
    headers: ['Idempotency-Key', 'If-Match'],
    problems: [
      'not_found',
      'illegal_transition',
      'version_mismatch',
      'conflict',
      'empty_audience',
      'idempotency_key_reused',
    ],
  },
  pauseCampaign: command('pause', 'Hold all messages that are not with the provider yet'),
  resumeCampaign: command('resume', 'Go on after a pause'),
  cancelCampaign: command('cancel', 'End all messages that are not with the provider yet'),
  campaignStats: {
    method: 'get',
    path: `${byId}/stats`,
    summary: 'Messages by state; they add up to total',
    status: 200,
    answer: stats,
    problems: ['not_found'],
  },
  campaignStatsStream: {
    method: 'get',
    path: `${byId}/stats/stream`,
    summary: 'The same about once a second, as server-sent events named stats; the stream ends after the campaign',
    status: 200,
    answer: z.string(),
    answerType: 'text/event-stream',
    problems: ['not_found', 'busy'],
  },
  campaignMessages: {
    method: 'get',
    path: `${byId}/messages`,
    summary:
      'Messages by their place in the audience; a page may have fewer than limit, even none: only a next_cursor of null is the end',
    query: queries.messages,
    status: 200,
    answer: messagePage,
    problems: ['not_found'],
  },
  campaignSeries: report(
    'series',
    'Events, percentiles and throughput by minute or hour',
    statisticsQueries.series,
    series,
  ),
  campaignHistogram: report('histogram', 'Latency buckets of sent messages', statisticsQueries.report, histogram),
  campaignFailures: report(
    'failures',
    'Reasons with count, first, last and sample ids',
    statisticsQueries.report,
    failures,
  ),
  getMessage: {
    method: 'get',
    path: '/v1/messages/{id}',
    summary: 'One message and everything that happened to it',
    status: 200,
    answer: messageAnswer,
    problems: ['not_found'],
  },
  getMessageBody: {
    method: 'get',
    path: '/v1/messages/{id}/body',
    summary:
      'One message as its recipient gets it, rendered again; what is in no list (a test, a direct message without an event) is not found',
    status: 200,
    answer: messageBody,
    problems: ['not_found', 'log_truncated', 'busy'],
  },
  testCampaign: {
    method: 'post',
    path: `${byId}/test`,
    summary: 'Send one message as a test, outside the statistics; a contact with the address gives its variables',
    body: testRequest,
    status: 202,
    answer: testAccepted,
    problems: ['not_found', 'illegal_transition'],
  },
  closeCampaign: command('close', 'Take no more direct messages; the campaign completes when all have ended'),
  addMessages: {
    method: 'post',
    path: `${byId}/messages`,
    summary: 'Send direct messages: one as JSON, or any number as NDJSON; the first one starts the campaign',
    headers: ['Idempotency-Key'],
    keyMeans:
      'Names messages without an id of their own, by key and line: a repeat is the same message, whatever else it says, and is answered as a duplicate.',
    body: directMessage,
    bodyTypes: ['application/x-ndjson'],
    status: 202,
    answer: directAccepted,
    also: { status: 200, answer: directReport },
    problems: ['not_found', 'illegal_transition', 'conflict', 'busy'],
  },
  listProviders: {
    method: 'get',
    path: '/v1/providers',
    summary: 'The configured providers, without addresses and secrets',
    status: 200,
    answer: providerList,
  },
  getPipeline: {
    method: 'get',
    path: '/v1/pipeline',
    summary: 'How far each lane and tier is behind, who works on it, and what holds it up; answered within 2 s',
    status: 200,
    answer: pipeline,
  },
  campaignAudit: {
    ...report('audit', 'Compare what was accepted, counted and stored; what differs, by id', auditQuery, campaignAudit),
    problems: ['not_found', 'busy'],
  },
  getAudit: {
    method: 'get',
    path: '/v1/audit',
    summary: 'What the last audits of all campaigns found, and the partitions of deliveries as they are now',
    status: 200,
    answer: audit,
  },
  ...deadLetterRoutes,
  ...replayRoutes,
  getOpenApi: {
    method: 'get',
    path: '/openapi.json',
    summary: 'This document',
    status: 200,
    answer: z.record(z.string(), z.unknown()),
    secured: false,
  },
  getRoot: {
    method: 'get',
    path: '/',
    summary: 'What this is',
    status: 200,
    answer: z.object({ name: z.string(), openapi: z.string() }),
    secured: false,
  },
} as const satisfies Record<string, Route>;

export type Operation = keyof typeof ROUTES;
