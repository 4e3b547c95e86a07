import type { ProviderScript } from './provider-script.ts';
import type { Stage } from './schedule.ts';

/** What a request brings: one message, a body of many, a campaign with its audience, one campaign of many small ones. */
export const SHAPES = ['direct', 'ndjson', 'campaign', 'campaigns'] as const;
export type Shape = (typeof SHAPES)[number];

/** What a run is asked to do. Everything in it may stand in a report. */
export interface Plan {
  readonly shape: Shape;
  readonly stages: readonly Stage[];
  /** Messages of a request: lines of a body, or the audience of a small campaign. */
  readonly perRequest: number;
  readonly readers: number;
  readonly script?: ProviderScript;
  readonly provider?: string;
  /** Each direct message has an id of its own, by which a repeat would be recognised. */
  readonly ids: boolean;
  /** A campaign without a rate of its own: as fast as it goes. */
  readonly unpaced: boolean;
  readonly generators: number;
  readonly connections: number;
  readonly timeoutMs: number;
  /** How long after the last arrival messages may still be on their way. */
  readonly drainMs: number;
  /** The 99th percentile of how late the generator itself may be. */
  readonly maxLateMs: number;
}

export const perArrival = ({ shape, perRequest }: Pick<Plan, 'shape' | 'perRequest'>): number | 'stage' =>
  shape === 'campaign' ? 'stage' : shape === 'direct' ? 1 : perRequest;

/** So many points are enough for a chart, and a second is the least that has percentiles. */
const MOST_INTERVALS = 120;
export const intervalMsOf = (durationMs: number): number =>
  Math.max(1_000, Math.ceil(durationMs / MOST_INTERVALS / 1_000) * 1_000);

/** What one generator process is told. */
export interface Share {
  readonly shape: Shape;
  readonly origin: string;
  readonly key: string;
  /** Short word of this run, in addresses and names. */
  readonly run: string;
  readonly stages: readonly Stage[];
  readonly perRequest: number;
  /** Targets: of direct messages the one campaign, of large campaigns one a stage. */
  readonly campaigns: readonly string[];
  /** Body of a small campaign that is still to be made, without its name. */
  readonly draft?: Readonly<Record<string, unknown>>;
  readonly script?: ProviderScript;
  readonly ids: boolean;
  readonly first: number;
  readonly every: number;
  readonly readers: number;
  readonly intervalMs: number;
  readonly maxInFlight: number;
  readonly connections: number;
  readonly timeoutMs: number;
}
