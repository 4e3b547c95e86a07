import { hash32 } from '@volley/contract';
import type { Receipt } from '../history.ts';
import { type Answer, type Step, stepOf } from './script.ts';

export interface Entry extends Receipt {
  readonly recipient: string;
  readonly atMs: number;
  readonly answer: Answer;
}

/** How a provider is beside its recipients' scripts, switchable while it runs. */
export interface Mood {
  /** This share of calls meets `answer` (default transient), decided by message and call, so a run can be repeated. */
  readonly share?: number;
  readonly answer?: Answer;
  /** Only recipients with this in their address. */
  readonly to?: string;
  /** Each answer comes so much later. */
  readonly afterMs?: number;
  /** For `throttle`; default 1. */
  readonly retryAfterS?: number;
}

/** What a provider wrote down, and what it does next. */
export interface Journal {
  readonly entries: readonly Entry[];
  /** As the checker reads it: every call, accepted or not. */
  receipts(): Receipt[];
  setMood(mood: Mood): void;
  mood(): Mood;
  /** Decides and writes down one call that has arrived whole. */
  take(messageId: string, recipient: string, attempt?: number): Step;
  /** The most calls that were open at once. */
  readonly mostAtOnce: () => number;
  opened(): void;
  closed(): void;
}

const TAKEN: ReadonlySet<Answer> = new Set(['accept', 'lost', 'huge']);

export function createJournal(now: () => number = Date.now): Journal {
  const entries: Entry[] = [];
  const calls = new Map<string, number>();
  let mood: Mood = {};
  let open = 0;
  let most = 0;
  return {
    entries,
    receipts: () =>
      entries.map(({ messageId, attempt, accepted, recipient, atMs }) => ({
        messageId,
        attempt,
        accepted,
        recipient,
        atMs,
      })),
    setMood(next) {
      mood = next;
    },
    mood: () => mood,
    take(messageId, recipient, attempt) {
      const call = (calls.get(messageId) ?? 0) + 1;
      calls.set(messageId, call);
      const scripted = stepOf(recipient, call);
      const isMeant = mood.to === undefined || recipient.includes(mood.to);
      const moody = isMeant && mood.share !== undefined && hash32(`${messageId}:${call}`) / 2 ** 32 < mood.share;
      const answer = moody && scripted.answer === 'accept' ? (mood.answer ?? 'transient') : scripted.answer;
      entries.push({
        messageId,
        recipient,
        attempt: attempt ?? call,
        accepted: TAKEN.has(answer),
        answer,
        atMs: now(),
      });
      return { answer, afterMs: scripted.afterMs + (mood.afterMs ?? 0) };
    },
    mostAtOnce: () => most,
    opened() {
      open += 1;
      most = Math.max(most, open);
    },
    closed() {
      open -= 1;
    },
  };
}
