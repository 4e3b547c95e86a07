import type { accepted, contact, message, messageDetail, preview } from '@volley/contract/http';
import type { z } from 'zod';

/** What the API answers, from its own schemas: types only, nothing of them is in the page. */
export type {
  AuditView,
  CampaignAuditView,
  CampaignCreate,
  CampaignView,
  DeadLetterCountView,
  DeadLetterDetailView,
  DeadLetterView,
  FailuresView,
  HistogramView,
  ImportReport,
  PartitionAuditView,
  PipelineView,
  RedriveView,
  SeriesView,
  StatsView,
} from '@volley/contract/http';
export type AcceptedView = z.infer<typeof accepted>;
export type ContactView = z.infer<typeof contact>;
export type MessageView = z.infer<typeof message>;
export type MessageDetailView = z.infer<typeof messageDetail> & Known;
export type PreviewView = z.infer<typeof preview>;

/** How old an answer is: `as_of` null where it is not known. */
export interface Known {
  readonly as_of: string | null;
  readonly lag_ms: number | null;
}
export interface Page<T> {
  readonly data: T[];
  readonly next_cursor: string | null;
}
