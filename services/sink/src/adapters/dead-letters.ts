import { MAX_MESSAGE_BYTES } from '@volley/contract';
import type { Logger } from '@volley/runtime';
import { RecordRefused, type StreamProducer } from '@volley/stream';
import type { Answer, DeadLetter, DeadLetters } from '../ports.ts';

/** Below this a letter has nothing left to tell, and it is not its size that the log refuses. */
const SMALLEST_CUT_BYTES = 1_024;

/**
 * A letter that the log will never take would hold its range, and with it every row behind it, for ever: it is found by
 * halving and goes out cut. A letter that is refused whatever its size says that the topic is wrong: that is waited for.
 */
export function createDeadLetters(options: { producer: Pick<StreamProducer, 'send'>; log: Logger }): DeadLetters {
  const { producer, log } = options;
  /** Acknowledged on its own, in a range that has to be sent again. */
  const taken = new WeakSet<DeadLetter>();

  async function sendAll(letters: readonly DeadLetter[]): Promise<Answer> {
    try {
      await producer.send(letters);
      for (const letter of letters) taken.add(letter);
      return { ok: true };
    } catch (error) {
      if (!(error instanceof RecordRefused)) return { ok: false, error: (error as Error).message };
      if (letters.length === 1) return sendCut(letters[0] as DeadLetter, error);
    }
    const half = letters.length >> 1;
    const first = await sendAll(letters.slice(0, half));
    return first.ok ? sendAll(letters.slice(half)) : first;
  }

  async function sendCut(letter: DeadLetter, refusal: Error): Promise<Answer> {
    const bytes = (letter.key?.length ?? 0) + (letter.value?.length ?? 0);
    for (let maxBytes = MAX_MESSAGE_BYTES; maxBytes >= SMALLEST_CUT_BYTES; maxBytes /= 2) {
      if (bytes <= maxBytes) continue;
      try {
        await producer.send([letter.cutTo(maxBytes)]);
        taken.add(letter);
        log.warn({ bytes, maxBytes, err: refusal.message }, 'a dead letter was cut: the log does not take it whole');
        return { ok: true };
      } catch (error) {
        if (!(error instanceof RecordRefused)) return { ok: false, error: (error as Error).message };
      }
    }
    return { ok: false, error: refusal.message };
  }

  return {
    async send(letters) {
      const open = letters.filter((letter) => !taken.has(letter));
      return open.length === 0 ? { ok: true } : sendAll(open);
    },
  };
}
