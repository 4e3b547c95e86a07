import type { CampaignEvent, Decoded, DeliveryEvent, Message, Topics } from '@volley/contract';
import type { HeldReplay, ReplayJob, ReplaySave } from '@volley/contract/replays';
import type { Clock, Logger } from '@volley/runtime';
import type { StreamClient } from '@volley/stream';
import type { ReplayPolicy } from './core/replay/outcome.ts';
import type { Source } from './core/sources.ts';
import type { Renderer, Schemas } from './ports.ts';

/** The job cannot be done, however often it is tried: the sentence is for whoever asked for it. */
export class ReplayRefused extends Error {
  override readonly name = 'ReplayRefused';
}

/** Why a job is left: as its owner asked, because it belongs to another process, or because this one stops. */
export type Leaving = 'pause' | 'cancel' | 'lost' | 'stop';
export class ReplayLeft extends Error {
  override readonly name = 'ReplayLeft';
  readonly why: Leaving;
  constructor(why: Leaving) {
    super(`the replay is left: ${why}`);
    this.why = why;
  }
}

/** What a job in work says of itself, and hears. */
export interface Work {
  readonly job: ReplayJob;
  /** Aborts with ReplayLeft. Whatever takes long looks at it. */
  readonly signal: AbortSignal;
  /** What is saved from now on, a few times a minute, whenever the event loop turns: it is whole at any such time. */
  saves(snapshot: () => ReplaySave): void;
}

/** One way to do a job. Rejects with ReplayRefused, or with the reason of the signal. */
export type Runner = (work: Work, held: HeldReplay) => Promise<unknown>;

/** A redrive that a replay has asked for, as its own row says. */
export interface AskedRedrive {
  readonly status: 'running' | 'done' | 'cancelled';
  readonly selected: number;
  readonly redriven: number;
  readonly left: Readonly<Record<string, number>>;
}

/** Redrives of what a replay has found, made by the redrive role of ingest-api. All reject while the store is away. */
export interface Redrives {
  /** Once for a replay, however often it is asked. False: the replay belongs to another process. */
  ask(held: HeldReplay, wanted: { readonly campaignId: string; readonly matched: number }): Promise<boolean>;
  find(replayId: string): Promise<AskedRedrive | undefined>;
  cancel(replayId: string): Promise<void>;
}

export interface ReplayDeps {
  readonly redrives: Redrives;
  /** It can read, and nothing else: there is no way to write or to send from here. */
  readonly log: Pick<StreamClient, 'readRanges' | 'admin'>;
  readonly topics: Topics;
  readonly source: (topic: string) => Source;
  readonly decodeMessage: (bytes: Buffer | null) => Decoded<Message>;
  readonly decodeEvent: (bytes: Buffer | null) => Decoded<DeliveryEvent>;
  readonly decodeCampaign: (bytes: Buffer | null) => Decoded<CampaignEvent>;
  readonly schemas: Schemas;
  readonly newRenderer: () => Renderer;
  /** What rendering asks of a provider, of those that are configured; undefined: it is not. */
  readonly provider: (channel: string, name: string) => { kind: string; from: string | undefined } | undefined;
  readonly policy: ReplayPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
}
