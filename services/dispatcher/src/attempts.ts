import { rehearsedProvider } from '@volley/contract';
import { backoffMs } from '@volley/runtime';
import type { CampaignState } from './core/campaign-book.ts';
import { classify, type Failure, noAnswer } from './core/classify.ts';
import { throttleMs } from './core/decide.ts';
import { buried, deferred, type EventEffect, ended, type KeptEffect } from './core/effect.ts';
import { createFlights, type Flight } from './core/flights.ts';
import { deadlineOf } from './core/gate.ts';
import { type Health, healthOf } from './core/health.ts';
import type { Job } from './core/job.ts';
import { countFailure } from './core/judgement.ts';
import { moveTo } from './core/move.ts';
import type { Sources } from './core/sources.ts';
import type { OutgoingMessage, PipelineOptions, Route, SendOutcome } from './ports.ts';

/**
 * A channel has the same deadline and says what it saw, such as a connection that was never made: that is known, no answer
 * is not. So the look at overdue calls comes this much later, and finds only what the channel has left open.
 */
const AFTER_DEADLINE_MS = 250;

/** Provider calls: from a message that may be sent to what its answer means. Every call ends within its deadline. */
export interface Attempts {
  start(job: Job, message: OutgoingMessage, campaign: CampaignState, route: Route): void;
  /** Gives up calls whose deadline has passed. */
  giveUpOverdue(): void;
  abortAll(): void;
}

export function createAttempts(
  o: PipelineOptions,
  sources: Sources,
  on: {
    /** An attempt is over; what follows from it is to be written. */
    readonly conclude: (effect: EventEffect | KeptEffect) => void;
    /** These names may be what somebody is held on. */
    readonly free: (names: readonly string[]) => void;
    readonly isDead: () => boolean;
    readonly die: (error: Error) => void;
  },
): Attempts {
  const flights = createFlights<Route>();

  function passing(failpoint: string, go: () => void): void {
    const paused = o.failpoints.hit(failpoint);
    if (paused === undefined) go();
    else void paused.then(go, on.die);
  }

  /** A rehearsal calls nobody: it is no part of what is known of providers. */
  function watched({ name, kind }: Route, result: string, providerMs: number): void {
    if (rehearsedProvider(name) === undefined) o.watch.attempt(kind, result, providerMs);
  }

  function start(job: Job, message: OutgoingMessage, campaign: CampaignState, route: Route): void {
    const nowMs = o.clock.monotonicMs();
    const permit = o.limits.take(campaign, route, nowMs, job.destination);
    const flight = flights.start(job, campaign, route, permit, nowMs);
    const answer = (outcome: SendOutcome) => {
      if (flight.over) o.watch.lateAnswer(outcome.ok);
      else if (outcome.ok) passing('dispatch.afterAccept', () => land(flight, outcome));
      else land(flight, outcome);
    };
    passing('dispatch.beforeSend', () => void route.channel.send(message, flight.call).then(answer).catch(on.die));
  }

  /** The provider has answered, or its time is over. */
  function land(flight: Flight<Route>, outcome: SendOutcome): void {
    if (flight.over || on.isDead()) return;
    flight.over = true;
    const { job, route } = flight;
    const nowMs = o.clock.monotonicMs();
    const providerMs = Math.round(nowMs - flight.startedMs);
    let health: Health = 'answered';
    if (outcome.ok) {
      job.attempts += 1;
      watched(route, 'accepted', providerMs);
      const how = { reason: '', detail: outcome.detail, via: route, providerMs, nowMs: o.clock.now() } as const;
      on.conclude(ended(job, 'sent', how));
    } else health = judge(flight, outcome.failure, providerMs);
    const free = o.limits.release(flight.permit, health, nowMs);
    if (free.length > 0) on.free(free);
  }

  /** What a failed attempt means: another one after a while, here or through a tier, or the end. */
  function judge({ job, campaign, route, permit }: Flight<Route>, failure: Failure, providerMs: number): Health {
    const judgement = classify(failure);
    watched(route, judgement.class, providerMs);
    const nowMs = o.clock.now();
    const monotonicMs = o.clock.monotonicMs();
    const decision = countFailure(
      job,
      campaign,
      {
        ...judgement,
        retryAfterMs: failure.retryAfterMs,
        backoffMs: (n) => backoffMs(n, o.retryBaseMs, o.retryCapMs, o.random()),
        nowMs,
        monotonicMs,
      },
      sources,
      o.policy,
    );
    const how = { reason: decision.reason, detail: failure.detail, via: route, providerMs, nowMs };
    const deadlineMs = deadlineOf(job.message, campaign);
    if (judgement.class === 'throttled')
      o.limits.block(permit, monotonicMs + Math.max(o.retryBaseMs, throttleMs(failure.retryAfterMs)));
    if (decision.next === 'expired') on.conclude(ended(job, 'expired', how));
    else if (decision.next === 'retry') {
      // A wait that the message does not survive ends with it.
      on.conclude(deferred(job, how, monotonicMs + Math.min(decision.afterMs, deadlineMs - nowMs)));
      job.deferrals += 1;
    } else if (decision.next === 'move') {
      on.conclude(moveTo(job, decision.tier, decision.afterMs, how, sources, deadlineMs, o.random()));
    } else on.conclude(buried(job, decision.next, how));
    return healthOf(failure, judgement);
  }

  return {
    start,
    giveUpOverdue() {
      for (const flight of flights.overdue(o.clock.monotonicMs() - o.sendDeadlineMs - AFTER_DEADLINE_MS)) {
        land(flight, { ok: false, failure: noAnswer(flight.route.kind, o.sendDeadlineMs) });
        flight.controller.abort();
      }
    },
    abortAll() {
      for (const flight of flights.overdue(Number.POSITIVE_INFINITY)) flight.controller.abort();
    },
  };
}
