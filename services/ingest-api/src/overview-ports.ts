import type { PipelineView } from '@volley/contract/http';
import type { DispatcherRow } from './core/overview.ts';

export type { DispatcherRow } from './core/overview.ts';

/** Rows of the dispatchers, the dead of the last day included, and what the progress role has saved. */
export interface DispatcherReader {
  rows(namespace: string): Promise<DispatcherRow[]>;
  /** Next delivery event to count, by partition. */
  counted(topic: string): Promise<Map<number, number>>;
}

/** `GET /v1/pipeline`. Undefined: nobody could be asked in time. */
export type Overview = () => Promise<PipelineView | undefined>;
