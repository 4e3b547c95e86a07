import { createCollector } from './collector.ts';
import { withPlace } from './delivery-event.ts';
import type { Effect, EventEffect, KeptEffect } from './effect.ts';

export interface Written {
  readonly partition: number;
  readonly offset: number;
}

/** The order in which anything that the world can see happens to a record. In batches, one write of each kind at a time. */
export interface OrderOfEffects {
  /** The record is written first (dead letter, tier, held), then its event, if there is one. */
  keep(effect: KeptEffect): void;
  /** Writes an event, nothing before it. */
  record(effect: EventEffect): void;
  /** Not acknowledged yet. */
  size(): number;
}

export interface EffectSteps {
  readonly keep: (effects: readonly KeptEffect[]) => Promise<readonly Written[]>;
  readonly events: (events: readonly EventEffect[]) => Promise<readonly Written[]>;
  /** Step 3, one record. */
  readonly through: (effect: Effect) => void;
  /** After a batch of records, and after a batch of events; places in the same order. */
  readonly kept: (effects: readonly KeptEffect[], places: readonly Written[]) => void;
  readonly recorded: (events: readonly EventEffect[], places: readonly Written[]) => void;
  /** After step 3 of a batch: slots and recipients may have become free. */
  readonly after: () => void;
  readonly hit: (failpoint: string) => void | Promise<void>;
  /** False: this process speaks for these partitions no more, what is collected is dropped. */
  readonly mayWrite: () => boolean;
  readonly soon: (run: () => void) => void;
  readonly onBug: (error: Error) => void;
}

const MAX_BATCH = 2_000;

/**
 * ORDER OF EFFECTS, always: 1, 2, 3. Never 1 and 2 in one send: a send to two topics is not atomic, and an event whose
 * record is missing would have lost the message.
 */
export function createOrderOfEffects(steps: EffectSteps): OrderOfEffects {
  const { soon, onBug } = steps;

  const records = createCollector<KeptEffect>({
    maxItems: MAX_BATCH,
    soon,
    onBug,
    async write(effects) {
      if (!steps.mayWrite()) return;
      // 1 The record is acknowledged in the dead-letter topic, a tier or held. A crash after this handles the message
      // again: two copies of it, one end. Of two copies in a tier the ledger lets one run.
      const places = await steps.keep(effects);
      steps.kept(effects, places);
      for (const [i, effect] of effects.entries()) {
        const paused = steps.hit(effect.kept.as === 'letter' ? 'dispatch.afterDlq' : 'dispatch.afterRetry');
        if (paused !== undefined) await paused;
        if (effect.event === undefined) steps.through(effect);
        else if (effect.kept.as === 'moved') events.add({ ...effect, event: effect.event });
        else events.add({ ...effect, event: withPlace(effect.event, places[i] as Written) });
      }
      steps.after();
    },
  });

  const events = createCollector<EventEffect>({
    maxItems: MAX_BATCH,
    soon,
    onBug,
    async write(effects) {
      if (!steps.mayWrite()) return;
      // 2 The delivery event is acknowledged. A crash after this settles nothing more: the next owner finds the event in
      // the ledger and skips the record, or goes on with the attempt after it.
      const places = await steps.events(effects);
      // Before 3: whatever step 3 lets start must find what is known by now.
      steps.recorded(effects, places);
      for (const effect of effects) {
        const paused = effect.retryAtMs === undefined ? steps.hit('dispatch.afterEvent') : undefined;
        if (paused !== undefined) await paused;
        // 3 The watermark may pass, or the next attempt may come. What the group has committed is not read again.
        steps.through(effect);
      }
      steps.after();
    },
  });

  return {
    keep: (effect) => records.add(effect),
    record: (effect) => events.add(effect),
    size: () => records.size() + events.size(),
  };
}
