import { closeSync, openSync, writeSync } from 'node:fs';
import type { Channel, SendOutcome } from '../../ports.ts';
import { type Answer, isPlain, type Plan, parseSimulatedUrl, planOf, scriptOf } from './plan.ts';
import { createTickTimers } from './tick-timers.ts';

interface Call {
  readonly messageId: string;
  readonly attempt: number;
  readonly plan: Plan;
  readonly resolve: (outcome: SendOutcome) => void;
}

const ACCEPTED: SendOutcome = { ok: true, detail: 'accepted by the simulated provider' };
const TAKEN: ReadonlySet<Answer> = new Set<Answer>(['accept', 'lost', 'drip', 'reset']);

/** Undefined: no answer ever comes. */
function outcomeOf({ answer, retryAfterMs }: Plan, defaultRetryAfterMs: number): SendOutcome | undefined {
  switch (answer) {
    case 'accept':
      return ACCEPTED;
    case 'transient':
      return { ok: false, failure: { protocol: 'http', status: 500, detail: '500 temporary failure' } };
    case 'permanent':
      return { ok: false, failure: { protocol: 'http', status: 410, detail: '410 no such recipient' } };
    case 'throttle': {
      const waitMs = retryAfterMs ?? defaultRetryAfterMs;
      return {
        ok: false,
        failure: { protocol: 'http', status: 429, retryAfterMs: waitMs, detail: '429 slow down' },
      };
    }
    case 'reset': {
      const detail = 'the connection broke before the answer';
      return { ok: false, failure: { protocol: 'http', code: 'ECONNRESET', stage: 'content', detail } };
    }
    default:
      return undefined;
  }
}

/**
 * The simulated provider of the contract: real latency, real failures, no network. It speaks in HTTP answers, so that
 * the same table judges it as webhooks.
 *
 * With `journalPath` each acceptance is a line `message id, attempt, epoch ms`, in the kernel before the answer is
 * given: what a killed process had accepted is in the file, with or without its event. Duplicates are counted from it.
 */
export function createSimulatedChannel(options: {
  readonly url: string;
  readonly journalPath?: string | undefined;
  readonly now: () => number;
  readonly monotonicMs: () => number;
}): Channel {
  const settings = parseSimulatedUrl(options.url);
  const throttledCalls = new Map<string, number>();
  let journal = options.journalPath ? openSync(options.journalPath, 'a') : undefined;

  function answer(calls: readonly Call[]): void {
    if (journal !== undefined) {
      const nowMs = options.now();
      let lines = '';
      for (const { plan, messageId, attempt } of calls)
        if (TAKEN.has(plan.answer)) lines += `${messageId} ${attempt} ${nowMs}\n`;
      if (lines !== '') writeSync(journal, lines);
    }
    for (const { plan, resolve } of calls) {
      const outcome = outcomeOf(plan, settings.retryAfterMs);
      if (outcome !== undefined) resolve(outcome);
    }
  }
  const timers = createTickTimers<Call>(options.monotonicMs, answer);

  // Without latency there is no timer: what was asked in one turn is answered in the next, with one write of the journal.
  let soon: Call[] = [];
  const answerSoon = () => {
    const calls = soon;
    soon = [];
    answer(calls);
  };

  // A bench of what is around the provider wants it to cost nothing: no plan, no timer, one promise for all.
  const accepted = Promise.resolve(ACCEPTED);
  const free = isPlain(settings) && settings.minMs === 0 && journal === undefined;

  return {
    send(message, { attempt, signal }) {
      const { messageId, recipient } = message;
      if (signal.aborted) return Promise.resolve(givenUp('connect'));
      if (free && scriptOf(recipient) === null) return accepted;
      const calls = (throttledCalls.size === 0 ? 0 : (throttledCalls.get(messageId) ?? 0)) + 1;
      const plan = planOf(settings, messageId, recipient, attempt, calls);
      if (plan.answer === 'throttle') throttledCalls.set(messageId, calls);
      else if (throttledCalls.size > 0) throttledCalls.delete(messageId);
      return new Promise((resolve) => {
        const call: Call = { messageId, attempt, plan, resolve };
        if (plan.latencyMs > 0) timers.add(plan.latencyMs, call);
        else if (soon.push(call) === 1) queueMicrotask(answerSoon);
        // What is never answered ends with its call, as a connection that is closed does.
        if (outcomeOf(plan, 0) === undefined)
          signal.addEventListener('abort', () => resolve(givenUp('content')), { once: true });
      });
    },
    async close() {
      timers.flush();
      if (soon.length > 0) answerSoon();
      if (journal !== undefined) closeSync(journal);
      journal = undefined;
    },
  };
}

const givenUp = (stage: 'connect' | 'content'): SendOutcome => ({
  ok: false,
  failure: { protocol: 'http', code: 'EABORT', stage, detail: 'given up' },
});
