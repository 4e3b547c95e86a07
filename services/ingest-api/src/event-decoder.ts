import type { Decoded, DeliveryEvent } from '@volley/contract';

/** What is passed over is never counted again, so that one 404 (a registry that is still loading) is not enough. */
const ASK_TIMES = 3;
const ASK_AGAIN_MS = 2_000;
const BELIEVE_MS = 60_000;
const MAX_DOUBTS = 1_000;

export interface EventDecoder {
  /** Undefined: the registry has to be asked first. */
  now(frame: Buffer | null): Decoded<DeliveryEvent> | undefined;
  /**
   * Asks for the schema of such a frame. 'wait': it is said not to exist, and that is not believed yet. Rejects when the
   * registry cannot be asked: nothing is passed over.
   */
  ask(frame: Buffer): Promise<Decoded<DeliveryEvent> | 'wait'>;
}

export function createEventDecoder(d: {
  readonly decode: (bytes: Buffer | null) => Decoded<DeliveryEvent>;
  readonly loadSchema: (id: number) => Promise<void>;
  readonly monotonicMs: () => number;
}): EventDecoder {
  /** Schema ids that the registry does not know, by its word so far. */
  const doubts = new Map<number, { asked: number; askAtMs: number }>();
  const idOf = (frame: Buffer) => frame.readUInt32BE(1);
  const needsRegistry = (decoded: Decoded<DeliveryEvent>): boolean =>
    !decoded.ok && (decoded.reason === 'needs_schema' || decoded.reason === 'unknown_schema');

  return {
    now(frame) {
      const decoded = d.decode(frame);
      if (frame === null || !needsRegistry(decoded)) return decoded;
      const doubt = doubts.get(idOf(frame));
      const believed = doubt !== undefined && doubt.asked >= ASK_TIMES && d.monotonicMs() < doubt.askAtMs;
      return believed ? decoded : undefined;
    },
    async ask(frame) {
      const id = idOf(frame);
      const now = d.monotonicMs();
      const { asked, askAtMs } = doubts.get(id) ?? { asked: 0, askAtMs: 0 };
      if (now < askAtMs) return asked < ASK_TIMES ? 'wait' : d.decode(frame);
      await d.loadSchema(id);
      const decoded = d.decode(frame);
      if (!needsRegistry(decoded)) {
        doubts.delete(id);
        return decoded;
      }
      const times = (asked % ASK_TIMES) + 1;
      if (doubts.size >= MAX_DOUBTS) doubts.clear();
      doubts.set(id, { asked: times, askAtMs: now + (times < ASK_TIMES ? ASK_AGAIN_MS : BELIEVE_MS) });
      return times < ASK_TIMES ? 'wait' : decoded;
    },
  };
}
