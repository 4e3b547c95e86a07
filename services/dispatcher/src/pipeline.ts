import { isEnded, isTerminal } from '@volley/contract';
import { createAttempts } from './attempts.ts';
import { type CampaignState, createCampaignBook } from './core/campaign-book.ts';
import { hostOf } from './core/destination.ts';
import { buried, type Effect, type EventEffect, ended, type KeptEffect, unsaid } from './core/effect.ts';
import { deadlineOf, fateOf, isWaiting, type LimitHold, patienceOf } from './core/gate.ts';
import type { Job } from './core/job.ts';
import { createLanes } from './core/lanes.ts';
import { moveTo } from './core/move.ts';
import { createOrderOfEffects, type Written } from './core/order-of-effects.ts';
import { prepare } from './core/outgoing.ts';
import { createSources } from './core/sources.ts';
import { isDone } from './core/standing.ts';
import type { Pipeline, PipelineOptions } from './ports.ts';
import { createPump } from './pump.ts';
import { createReading } from './reading.ts';
import { createVitals } from './vitals.ts';

/** Beyond this many effects that the log has not acknowledged, nothing more ends or moves aside. */
const MAX_UNACKNOWLEDGED = 8_192;

/**
 * One record's life, top to bottom: due and decoded (reading.ts) -> campaign state, limits -> already ended? -> render ->
 * channel (attempts.ts) -> events -> watermark. ("Suppressed?" belongs before rendering, once there is a suppression list.)
 */
export function createPipeline(o: PipelineOptions): Pipeline {
  const book = createCampaignBook();
  const sources = createSources(o.topics, o.tiers);
  const patience = patienceOf(sources, o.standMs, o.pauseGraceMs);
  const vitals = createVitals(o, () => lanes.running() + lanes.waiting() + effects.size());
  const { die, presumedDead } = vitals;
  const reading = createReading(o, sources, book, {
    message: (job) => lanes.offer(job),
    keep: (effect) => effects.keep(effect),
    resumed: () => pump.run(),
    // What may not start yet (rate, campaign) is under way as well; a retry has had its turn.
    isIdle: () => lanes.running() + lanes.waiting() === lanes.retrying(),
    die,
  });

  const routeOf = ({ channel, provider, tenantId }: CampaignState) => o.routes.find(channel, provider, tenantId);

  /** A provider that is not configured here may be after a restart; until then its campaign waits and the log says so. */
  function limitHold(job: Job, campaign: CampaignState, nowMs: number): LimitHold | undefined {
    const route = routeOf(campaign);
    if (route !== undefined) {
      job.destination ??= hostOf(route.kind, job.message.recipient);
      return o.limits.hold(campaign, route, nowMs, job.destination);
    }
    return { on: 'provider_missing', untilMs: nowMs + patience.standMs, reason: 'throttled' };
  }

  // Campaign state and limits: what happens to a message now, or why it may not start yet.
  const lanes = createLanes(o.slots, (job, nowMs) => {
    const fate = fateOf(job, book.get(job.message.campaign_id), limitHold, patience, o.clock.now(), nowMs);
    if ('on' in fate) return fate;
    job.fate = fate;
    return fate.go === 'send' ? 'slot' : 'aside';
  });

  /** Starts what may start. Run whenever that may have changed: records, slots, a campaign, an assignment, the time. */
  const pump = createPump({
    monotonicMs: () => o.clock.monotonicMs(),
    // REBALANCING: nothing new is sent until the assignment is known.
    mayStart: () => o.assignment.currentEpoch() >= 0 && !presumedDead(),
    startNext(nowMs) {
      reading.letIn();
      const job = lanes.next(nowMs, effects.size() < MAX_UNACKNOWLEDGED);
      if (job === undefined) return reading.goOn();
      if (presumedDead()) return false; // What became due just now was no work when `mayStart` looked.
      if (job.tracked.epoch === o.assignment.currentEpoch()) begin(job);
      else lanes.finish(job, false);
      return true;
    },
    nextDueMs: () => Math.min(lanes.nextDueMs(), reading.nextDueMs()),
  });

  function begin(job: Job): void {
    const { message, fate } = job;
    const nowMs = o.clock.now();
    const campaign = book.get(message.campaign_id);
    // Already ended, or gone on elsewhere? A retry in memory was asked at its first attempt.
    const asks = job.triesHere === 0 && !job.isTest;
    const known = asks ? o.ledger.look(job.tracked.record.partition, message.message_id, message.run) : undefined;
    if (fate.go === 'repeat' || isDone(job, known)) {
      o.watch.skippedRepeat();
      through(unsaid(job));
    } else if (fate.go === 'end') conclude(ended(job, fate.kind, { reason: fate.kind, detail: '', nowMs }));
    else if (fate.go === 'move') {
      const how = { reason: fate.reason, detail: fate.detail, nowMs };
      conclude(moveTo(job, fate.to, fate.waitMs, how, sources, deadlineOf(message, campaign), o.random()));
    } else send(job, campaign, nowMs);
  }

  function send(job: Job, campaign: CampaignState | undefined, nowMs: number): void {
    const route = campaign && routeOf(campaign);
    if (campaign === undefined || route === undefined) {
      die(new Error('the gate let an unroutable message pass'));
      return;
    }
    if (job.outgoing === undefined) {
      // Render, once a stay in memory: a retry sends the same. After this only the provider can refuse it.
      const made = prepare(job.message, campaign, route, o.renderer.render);
      if (!made.ok) {
        conclude(buried(job, 'dead', { reason: made.reason, detail: made.detail, via: route, nowMs }));
        return;
      }
      job.outgoing = made.message;
    }
    attempts.start(job, job.outgoing, campaign, route);
  }

  const attempts = createAttempts(o, sources, {
    conclude,
    free(names) {
      for (const name of names) lanes.wakeAll(name);
      pump.run();
    },
    isDead: vitals.isDead,
    die,
  });

  /** Writes what has become of a message. Of a test message nothing is written: one that would have to move on ends. */
  function conclude(effect: EventEffect | KeptEffect): void {
    const { job, event, kept } = effect;
    if (job?.isTest === true) {
      if (effect.retryAtMs === undefined) o.watch.test(event?.kind ?? '');
      through({ ...effect, event: undefined });
    } else if (kept !== undefined) effects.keep({ ...effect, kept });
    else if (event !== undefined) effects.record({ ...effect, event });
  }

  // ORDER OF EFFECTS: 1 the record, 2 delivery event, 3 watermark; each acknowledged before the next is begun.
  const effects = createOrderOfEffects({
    keep: (records) => o.log.keep(records),
    kept(records, places) {
      o.watch.kept(records);
      records.forEach(({ kept }, i) => {
        const { partition, offset } = places[i] as Written;
        if (kept.as === 'moved' && kept.to === sources.held) reading.appended(partition, offset, kept.campaignId);
      });
    },
    events: (events) => o.log.events(events),
    recorded(events, places) {
      o.watch.recorded(events);
      events.forEach(({ tracked: { record }, event }, i) => {
        const { offset } = places[i] as Written;
        o.ledger.note(record.partition, event, offset);
        o.hints.note(record.topic, record.partition, record.offset, offset);
      });
    },
    through,
    after: () => pump.run(),
    hit: (failpoint) => o.failpoints.hit(failpoint),
    mayWrite: () => !presumedDead(),
    soon: setImmediate,
    onBug: die,
  });

  /** Step 3: the watermark may pass, or the next attempt may come. */
  function through({ tracked, job, event, retryAtMs }: Effect): void {
    if (job !== undefined && retryAtMs !== undefined) {
      // One whose campaign was paused or cancelled meanwhile does not wait for its time.
      const runs = job.isTest || book.get(job.message.campaign_id)?.status === 'running';
      if (tracked.epoch === o.assignment.currentEpoch()) lanes.retryAt(job, runs ? retryAtMs : 0);
      else lanes.finish(job, false);
      return;
    }
    o.assignment.settle(tracked);
    // What was moved has not ended: the record that its move has written may wait behind it, to be looked at for itself.
    const hasEnded = job?.isTest === true || isTerminal(event?.kind ?? 'deferred');
    for (const copy of job === undefined ? [] : lanes.finish(job, hasEnded)) {
      o.watch.skippedRepeat();
      o.assignment.settle(copy.tracked);
    }
  }

  return {
    onCampaign(event) {
      const id = event.campaign_id;
      const waited = isWaiting(book.get(id)?.status ?? 'running');
      if (!book.apply(event, o.clock.monotonicMs())) return;
      if (isEnded(event.status)) {
        o.limits.forget(id);
        o.renderer.forget(id);
      }
      if (event.status === 'running') lanes.wake(id);
      else lanes.recall(id);
      if (waited && !isWaiting(event.status)) reading.passHeld();
      pump.run();
    },
    wake(on) {
      lanes.wakeAll(on);
      pump.run();
    },
    onCampaignRemoved: (campaignId) => book.remove(campaignId),
    onRecords(records, logEnd) {
      if (vitals.isOn()) reading.offer(records, logEnd);
      pump.run();
    },
    onAssigned(partitions) {
      reading.assigned(partitions);
      pump.run();
    },
    onLedgerOpen(partition) {
      reading.ledgerOpen(partition);
      pump.run();
    },
    onRevoked() {
      reading.clear();
      lanes.clear();
    },
    tick() {
      if (presumedDead()) return;
      attempts.giveUpOverdue();
      reading.tick();
    },
    async stop(deadlineMs) {
      vitals.stopping();
      reading.clear();
      lanes.dropUntried();
      const untilMs = o.clock.monotonicMs() + deadlineMs;
      const underWay = () => lanes.running() + effects.size() > 0;
      // A retry that is due in time is waited for: everything above it would be sent again.
      const busy = () => underWay() || (lanes.retrying() > 0 && lanes.nextDueMs() < untilMs);
      while (busy() && o.clock.monotonicMs() < untilMs) await new Promise((resolve) => setTimeout(resolve, 10));
      pump.stop();
      vitals.ended();
      attempts.abortAll();
      return !underWay();
    },
    backlog: () =>
      lanes.backlog().flatMap(({ campaignId, waiting }) => {
        const campaign = book.get(campaignId);
        const provider = campaign && routeOf(campaign);
        return campaign && provider ? [{ campaign, provider, waiting }] : [];
      }),
    state: () => ({
      running: lanes.running(),
      waiting: lanes.waiting(),
      campaigns: book.size(),
      unacknowledged: effects.size(),
      ...reading.state(),
      held: lanes.held(),
      lanes: lanes.byLane(),
    }),
  };
}
