import { HEADERS, type Message, type Reason } from '@volley/contract';
import { acceptanceOf } from './core/acceptance.ts';
import { createArrivals } from './core/arrivals.ts';
import type { CampaignBook } from './core/campaign-book.ts';
import { createDeadLetterGuard } from './core/dead-letter-guard.ts';
import { type KeptEffect, keptBack, namedAlike, unreadable } from './core/effect.ts';
import { isWaiting, verdictOf } from './core/gate.ts';
import { createHeldPasses } from './core/held-passes.ts';
import { identityFromHeaders } from './core/identity.ts';
import { createIntake } from './core/intake.ts';
import { type Job, jobOf } from './core/job.ts';
import type { Sources } from './core/sources.ts';
import { createTrials } from './core/trials.ts';
import { createWaitingRoom } from './core/waiting-room.ts';
import type { Assigned, PipelineOptions, Tracked } from './ports.ts';

const NO_PAST = { run: 0, attempts: 0, deferrals: 0 };
const HELD_PASS_EVERY_MS = 3_600_000;

/** From records of lanes, tiers and held to messages: when a record is looked at, and what it says. */
export interface Reading {
  offer(records: readonly Tracked[], logEnd: number): void;
  assigned(partitions: readonly Assigned[]): void;
  ledgerOpen(partition: number): void;
  /** Lets in what has become due. */
  letIn(): void;
  /** Nothing can start just now. True: something was let in. */
  goOn(): boolean;
  /** Monotonic; Infinity if nothing waits for a time. */
  nextDueMs(): number;
  /** A record of this campaign was appended to held. */
  appended(partition: number, offset: number, campaignId: string): void;
  /** A campaign is paused no more: who of held may run? */
  passHeld(): void;
  tick(): void;
  clear(): void;
  state(): {
    readonly awaitingSchema: number;
    readonly awaitingLedger: number;
    readonly notDue: number;
    readonly keptBack: number;
  };
}

export function createReading(
  o: PipelineOptions,
  sources: Sources,
  book: CampaignBook,
  on: {
    readonly message: (job: Job) => void;
    /** Ends as a dead letter, or goes back to held. */
    readonly keep: (effect: KeptEffect) => void;
    /** There may be something to start. */
    readonly resumed: () => void;
    /** No message is under way: each is sent, and its event acknowledged. */
    readonly isIdle: () => boolean;
    readonly die: (error: Error) => void;
  },
): Reading {
  const guard = createDeadLetterGuard(o.guard);
  const room = createWaitingRoom();
  const held = createHeldPasses(({ record }) => {
    const campaign = book.get(record.key?.toString() ?? '');
    return campaign !== undefined && !isWaiting(campaign.status);
  });
  let heldPassAtMs = o.clock.monotonicMs() + HELD_PASS_EVERY_MS;

  // When: after the ledger of its number is read; of a tier when it is due, of held in a pass.
  const arrivals = createArrivals({
    sources,
    isOpen: (partition) => o.ledger.isOpen(partition),
    room,
    held,
    now: () => o.clock.now(),
    take: (records) => trials.offer(records),
  });

  // What somebody has died of is tried alone, and not for ever.
  const trials = createTrials({
    markOf: (topic, partition) => o.hints.mark(topic, partition),
    commit: async () => {
      await o.assignment.commitNow();
    },
    handle: (records) => intake.offer(records),
    quarantine: (tracked, crashes) =>
      refuse(tracked, 'crashed', `each of the last ${crashes} processes that handled it alone ended without an answer`),
    isEnded: (tracked) => knownOf(tracked)?.ended === true && tracked.record.headers[HEADERS.redrive] === undefined,
    // One that waits for its schema is still being tried: the next one's trial would take the blame for it.
    isIdle: () => intake.blocked() === 0 && on.isIdle(),
    monotonicMs: () => o.clock.monotonicMs(),
    resumed: on.resumed,
    onBug: on.die,
  });

  // Decode. What cannot be read, or is no message, ends as a dead letter; its partition goes on, unless it carries little else.
  const intake = createIntake({
    decode: o.decode,
    ensureSchema: (schemaId) => o.schemas.ensure(schemaId),
    accept,
    refuse,
    tallyOf: (topic, partition) => guard.of(topic, partition),
    tripped({ record: { topic, partition } }, why) {
      o.assignment.stopPartition(topic, partition, why);
    },
    resumed: on.resumed,
  });

  /** What the ledger knows of the message that its headers name. */
  function knownOf({ record }: Tracked) {
    const messageId = identityFromHeaders(record)?.messageId;
    return messageId === undefined ? undefined : o.ledger.look(record.partition, messageId, 0);
  }

  function refuse(tracked: Tracked, reason: Reason, detail: string, value?: Message): void {
    const past = pastOfUnreadable(tracked, reason);
    const effect = namedAlike(unreadable(tracked, reason, detail, o.clock.now(), past), value);
    if (effect.event === undefined) o.watch.unattributed();
    on.keep(effect);
  }

  function pastOfUnreadable(tracked: Tracked, reason: Reason) {
    const { value, headers, partition } = tracked.record;
    if (reason === 'crashed' && headers[HEADERS.redrive] !== undefined) {
      // A later run is named in the value alone. Its redrive has read it before, so nobody dies of that.
      const decoded = o.decode(value);
      if (decoded.ok) {
        const { message_id, run } = decoded.value;
        return { ...NO_PAST, ...o.ledger.look(partition, message_id, run), run };
      }
    }
    return { ...NO_PAST, ...knownOf(tracked) };
  }

  function accept(tracked: Tracked, message: Message): string | undefined {
    const source = sources.of(tracked.record.topic);
    const accepted = acceptanceOf(tracked.record, message, source, book.get(message.campaign_id));
    if (!accepted.ok) return accepted.flaw;
    const { past } = accepted;
    if (source.kind === 'held' && isPaused(message)) {
      on.keep(keptBack(tracked, message.campaign_id, sources.held, past));
    } else on.message(jobOf(tracked, message, source, past, o.clock.monotonicMs()));
    return undefined;
  }

  function isPaused(message: Message): boolean {
    const verdict = verdictOf(message, book.get(message.campaign_id), o.clock.now());
    return verdict.go === 'wait' && verdict.why === 'paused';
  }

  /** Those of held may be of several partitions. */
  function take(records: readonly Tracked[]): void {
    for (const tracked of records) trials.offer([tracked]);
  }

  return {
    offer: (records, logEnd) => arrivals.offer(records, logEnd),
    assigned(partitions) {
      for (const { topic, partition, logEnd } of partitions)
        if (topic === sources.held.topic) held.assigned(partition, logEnd);
      trials.assigned(partitions);
    },
    ledgerOpen: (partition) => arrivals.opened(partition),
    letIn() {
      if (room.nextDueMs() !== Number.POSITIVE_INFINITY) arrivals.letIn(o.clock.now());
    },
    goOn: () => trials.goOn(),
    nextDueMs: () => room.nextDueMs() - o.clock.now() + o.clock.monotonicMs(),
    appended(partition, offset, campaignId) {
      held.appended(partition, offset);
      // Appended after its campaign was resumed, it would wait for the next pass: this is it.
      if (!isWaiting(book.get(campaignId)?.status ?? '')) take(held.call(partition));
    },
    passHeld: () => take(held.call()),
    tick() {
      if (trials.goOn()) on.resumed();
      if (o.clock.monotonicMs() < heldPassAtMs) return;
      heldPassAtMs += HELD_PASS_EVERY_MS;
      take(held.call());
      on.resumed();
    },
    clear() {
      arrivals.clear();
      trials.clear();
      intake.clear();
      guard.clear();
    },
    state: () => ({
      awaitingSchema: intake.blocked(),
      awaitingLedger: arrivals.blocked(),
      notDue: room.size(),
      keptBack: held.size(),
    }),
  };
}
