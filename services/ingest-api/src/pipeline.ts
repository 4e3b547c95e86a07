/**
 * One campaign's life in this service. Read this first, then the file named beside each step.
 *
 *   import     lines -> contacts, in one transaction                                       commands.ts
 *   command    fold, decide, append; `send` freezes the audience in the same transaction   commands.ts
 *   direct     a request's own messages -> store, then volley.messages.<lane>               direct.ts
 *   relay      events above published_version -> volley.campaigns                          relay.ts
 *   fan-out    frozen rows, by ordinal -> volley.messages.<lane>                           fanout.ts
 *   (dispatchers send, and write what happened to volley.deliveries)
 *   progress   volley.deliveries -> counts of messages by state; all ended -> `completed`   progress.ts
 *   redrive    dead letters -> their lanes again, under the next run; the campaign reopens redrive.ts
 *   rehearsal  a campaign copied, and sent by all of that to a provider that sends nothing  rehearsal-role.ts
 *   queries    counts, percentiles, previews                                               queries.ts
 *              a campaign over time; its messages, one by one                  reports.ts, messages.ts
 *              one message as its recipient gets it                            message-bodies.ts
 *   audit      what was accepted, counted and stored, compared                             audit.ts
 *   replay     a part of the log again: made and steered here, done by sink and dispatcher  replays.ts
 *
 * Each step leaves something durable for the next one, so each may die alone; the README says what then repeats.
 */
import type { CampaignEvent, Decoded, DeliveryEvent, Message, Topics } from '@volley/contract';
import type { Provider } from '@volley/contract/providers';
import type { Clock, Failpoints, Logger } from '@volley/runtime';
import type { ConsumerLoop, StreamAdmin, StreamClient, StreamProducer } from '@volley/stream';
import type { CampaignFigures } from './analytics-ports.ts';
import { type Auditor, createAuditor } from './audit.ts';
import { createAuditLog } from './audit-log.ts';
import type { AuditReader, AuditStore } from './audit-ports.ts';
import { type AllCommands, createCommands, createImport } from './commands.ts';
import type { VersionWatch } from './core/version-watch.ts';
import type { DeadLetterDesk, DeadLetterIndex, LetterReader, RedriveJobs } from './dead-letter-ports.ts';
import { createDeadLetterDesk } from './dead-letters.ts';
import { createDirect, createRedo } from './direct.ts';
import type { DirectMessages, DirectStore } from './direct-ports.ts';
import { createFanout } from './fanout.ts';
import type { Freshness } from './freshness.ts';
import { createLaneLog } from './lane-log.ts';
import type {
  CampaignReads,
  CampaignStore,
  ContactImport,
  ContactStore,
  FanoutStore,
  Leases,
  LiveProgress,
  Metric,
  Outbox,
  ProgressReader,
  ProgressStore,
  Round,
} from './ports.ts';
import { createProgress, type Progress } from './progress.ts';
import { createReads } from './queries.ts';
import { createRedrive } from './redrive.ts';
import { createRelay } from './relay.ts';
import { createReplayLog } from './replay-log.ts';
import type { ReplayDesk } from './replay-ports.ts';
import { createReplayCounts, createReplayDesk, type ReplayDeps } from './replays.ts';

/** What every part needs. `wake*` run a role's next round at once, when the role lives in this process. */
export interface Common {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metric: Metric;
  readonly failpoints: Failpoints;
  readonly topics: Topics;
  readonly partitions: number;
  readonly providers: readonly Provider[];
  readonly wakeRelay: () => void;
  readonly wakeFanout: () => void;
  readonly wakeProgress: () => void;
  readonly wakeRedrive: () => void;
}

/** The command side: after each commit the relay is told, so that nobody waits for its next look at the outbox. */
export function commandSide(
  c: Common,
  d: { store: CampaignStore; contacts: ContactStore; random(bytes: number): Uint8Array; newEventId(): string },
): { commands: AllCommands; imports: ContactImport } {
  return {
    commands: createCommands({
      store: d.store,
      providers: c.providers,
      partitions: c.partitions,
      now: c.clock.now,
      random: d.random,
      newEventId: d.newEventId,
      committed: c.wakeRelay,
      tried: (command, outcome) =>
        outcome === 'retried' ? c.metric.commandRetries?.inc() : c.metric.commands?.inc({ command, outcome }),
    }),
    imports: createImport(d.contacts, (outcome, lines) => c.metric.importedLines?.inc({ outcome }, lines)),
  };
}

/** The reading side; `live` is empty where progress runs in another process. */
export function readSide(
  c: Common,
  d: {
    store: CampaignStore;
    contacts: ContactStore;
    progress: ProgressReader;
    live: LiveProgress;
    freshness: Pick<Freshness, 'look' | 'countedUntil'>;
    analytics: Pick<CampaignFigures, 'percentiles'>;
  },
): CampaignReads {
  return createReads({ ...d, topic: c.topics.deliveries, now: c.clock.now, monotonicMs: c.clock.monotonicMs });
}

/** Direct messages to the log, and a round that writes those that a crash left behind. */
export function directSide(
  c: Common,
  d: {
    store: DirectStore;
    campaigns: CampaignStore;
    contacts: ContactStore;
    commands: AllCommands;
    producer: StreamProducer;
    client: StreamClient;
    admin: StreamAdmin;
    dispatchers: string;
    backlogMark: number;
    encode: (message: Message) => Buffer;
    random(bytes: number): Uint8Array;
  },
): { direct: DirectMessages; redo: Round } {
  const lanes = createLaneLog({ ...c, client: d.client, admin: d.admin, groupId: d.dispatchers });
  return { direct: createDirect({ ...d, ...c, lanes }), redo: createRedo({ ...d, ...c, lanes }) };
}

/** Campaign events to the log. A campaign whose `sent` is there may be fanned out. */
export function relaySide(
  c: Common,
  d: {
    outbox: Outbox;
    leases: Leases;
    producer: StreamProducer;
    watch: VersionWatch;
    encode: (event: CampaignEvent) => Buffer;
  },
): Round {
  return createRelay({ ...d, ...c, published: c.wakeFanout });
}

/** Frozen rows to the log, within the window that progress leaves. */
export function fanoutSide(
  c: Common,
  d: {
    store: FanoutStore;
    client: StreamClient;
    admin: StreamAdmin;
    producer: StreamProducer;
    encode: (message: Message) => Buffer;
    backlogMark: number;
    unlimitedWindow?: number;
    live: LiveProgress;
  },
): { round: Round; release(): Promise<void> } {
  return createFanout({ ...d, ...c });
}

/** Delivery events to counts. What has ended gives fan-out room; what has ended altogether is a command to the campaign. */
export function progressSide(
  c: Common,
  d: {
    store: ProgressStore;
    client: StreamClient;
    admin: StreamAdmin;
    commands: AllCommands;
    decode: (bytes: Buffer | null) => Decoded<DeliveryEvent>;
    loadSchema: (id: number) => Promise<void>;
    settle: ConsumerLoop['settle'];
    fatal: (error: Error) => void;
  },
): Progress {
  return createProgress({
    ...d,
    ...c,
    topic: c.topics.deliveries,
    complete: async (campaignId, failures) => {
      const result = await d.commands.complete(campaignId, failures);
      const status = result.ok ? (result.value.body as { status: string }).status : result.failure.code;
      c.log.info({ campaign_id: campaignId, status }, 'all messages of the campaign have ended');
    },
    wake: c.wakeProgress,
    moved: c.wakeFanout,
  });
}

/** What an operator sees of dead letters, and asks for. */
export function deadLetterSide(
  c: Common,
  d: {
    tenant: string;
    index: DeadLetterIndex;
    jobs: RedriveJobs;
    read: LetterReader;
    decode: (bytes: Buffer | null) => Decoded<Message>;
    loadSchema: (id: number) => Promise<void>;
    newId(): string;
  },
): DeadLetterDesk {
  return createDeadLetterDesk({ ...d, now: c.clock.now, wakeRedrive: c.wakeRedrive });
}

/** Dead letters back to their lanes, when somebody asked for it and never else. */
export function redriveSide(
  c: Common,
  d: Omit<Parameters<typeof createRedrive>[0], keyof Common | 'reopen'> & { commands: AllCommands },
): { round: Round; release(): Promise<void> } {
  return createRedrive({ ...d, ...c, reopen: d.commands.reopen });
}

/** Whether the numbers are right. What is away when it is asked is told, and is no difference. For each store an auditor. */
export function auditSide(
  c: Common,
  d: {
    reader: AuditReader;
    client: StreamClient;
    /** Of the sink. */
    groupId: string;
    keptDays: number;
    isOutage(error: unknown): boolean;
  },
): (store: AuditStore) => Auditor {
  const topic = c.topics.deliveries;
  const deliveries = createAuditLog({ ...d, topic, deadLetterTopic: c.topics.deliveriesDlq });
  return (store) => createAuditor({ ...d, ...c, store, topic, deliveries });
}

/** Parts of the log that somebody wants to be run again. */
export function replaySide(
  c: Common,
  d: Omit<ReplayDeps, 'log' | 'topics' | 'now'> & { client: StreamClient },
): { replays: ReplayDesk; countReplays(): Promise<void> } {
  const replays = createReplayDesk({ ...d, log: createReplayLog(d.client), topics: c.topics, now: c.clock.now });
  return { replays, countReplays: createReplayCounts(d.store, c.metric) };
}
