import type { ReplayLeases } from '@volley/contract/replays';
import { createMemoryReplayLeases } from '@volley/contract/replays-memory';
import type { RedriveJobs, RedriveStore } from '../../dead-letter-ports.ts';
import type { DirectStore } from '../../direct-ports.ts';
import type {
  CampaignStore,
  ContactStore,
  FanoutStore,
  Leases,
  Outbox,
  ProgressReader,
  ProgressStore,
} from '../../ports.ts';
import type { ReplayStore } from '../../replay-ports.ts';
import { createMemoryCampaigns } from './campaigns.ts';
import { createMemoryContacts } from './contacts.ts';
import { createMemoryDirect } from './direct.ts';
import { createMemoryProgress, createMemoryProgressReader, talliesAsSaved } from './progress.ts';
import { createMemoryRedriveJobs, createMemoryRedriveStore } from './redrives.ts';
import { createMemoryReplays } from './replays.ts';
import { createMemoryFanout, createMemoryLeases, createMemoryOutbox } from './roles.ts';
import { createMemoryState } from './state.ts';

export interface MemoryStore {
  readonly campaigns: CampaignStore;
  readonly contacts: ContactStore;
  readonly outbox: Outbox;
  readonly progress: ProgressStore;
  readonly progressReader: ProgressReader;
  /** Leases belong to whoever asks: one set of these a process. */
  leases(owner: string): Leases;
  fanout(owner: string): FanoutStore;
  readonly direct: DirectStore;
  readonly redriveJobs: RedriveJobs;
  /** `topic`: of the delivery events that progress counts. */
  redrives(owner: string, topic: string): RedriveStore;
  readonly replays: ReplayStore;
  replayLeases(owner: string): ReplayLeases;
}

/** The control store in one process: the same versions, uniqueness and fences as in Postgres, nothing durable. */
export function createMemoryStore(deps: {
  readonly now: () => number;
  readonly monotonicMs: () => number;
  readonly newContactId: () => string;
  /** Default 5,000 ms. */
  readonly leaseMs?: number;
  /** Default 60,000 ms. */
  readonly redoMs?: number;
}): MemoryStore {
  const state = createMemoryState();
  const terms = (owner: string) => ({ owner, leaseMs: deps.leaseMs ?? 5_000, monotonicMs: deps.monotonicMs });
  return {
    campaigns: createMemoryCampaigns(state),
    contacts: createMemoryContacts(state, deps),
    outbox: createMemoryOutbox(state),
    progress: createMemoryProgress(state),
    progressReader: createMemoryProgressReader(state),
    leases: (owner) => createMemoryLeases(state, terms(owner)),
    fanout: (owner) => createMemoryFanout(state, terms(owner), (id) => talliesAsSaved(state, id)),
    direct: createMemoryDirect(state, deps.monotonicMs, deps.redoMs ?? 60_000),
    redriveJobs: createMemoryRedriveJobs(state),
    redrives: (owner, topic) => createMemoryRedriveStore(state, terms(owner), topic),
    replays: createMemoryReplays(state),
    replayLeases: (owner) => createMemoryReplayLeases(state.replays, { owner, monotonicMs: deps.monotonicMs }),
  };
}
