import { boundedDeadLetterOf, createEncoder, HEADERS, MAX_MESSAGE_BYTES, movedRecordOf } from '@volley/contract';
import { backoffMs, type Logger, sleep } from '@volley/runtime';
import { type Ack, type OutgoingRecord, RecordRefused, type StreamProducer } from '@volley/stream';
import type { KeptEffect } from '../core/effect.ts';
import type { DeliveryLog } from '../ports.ts';

const RETRY_BASE_MS = 100;
const RETRY_CAP_MS = 5_000;
/**
 * Bytes that are kept of a record, tried in this order: all of them, what our dead-letter topic takes, what one of an
 * operator with a smaller limit may take, the headers alone.
 */
const BOUNDS_BYTES = [Number.POSITIVE_INFINITY, MAX_MESSAGE_BYTES, 65_536, 0];

export interface DeliveryLogAdapter extends DeliveryLog {
  /** Since when, and why, the log takes nothing; undefined while it does. */
  problem(): string | undefined;
  /** Ends the retries; what they held stays unacknowledged. */
  close(): void;
}

/** Effects as records: one producer, whose calls keep their order within a partition. */
export function createDeliveryLog(options: {
  readonly producer: StreamProducer;
  readonly deliveriesTopic: string;
  readonly deliveriesSchemaId: number;
  readonly dlqTopic: string;
  readonly random: () => number;
  readonly log: Logger;
  /** A dead letter was written with its value cut. */
  readonly onCut?: () => void;
}): DeliveryLogAdapter {
  const { producer, log } = options;
  const encode = createEncoder('DeliveryEvent', options.deliveriesSchemaId);
  const closing = new AbortController();
  const problems = new Map<number, string>();
  let calls = 0;

  /**
   * For ever: a record that the log does not take is neither lost nor settled, its partition stands still and readiness
   * says so. Sending the same again is safe, both topics are read by id.
   */
  async function untilTaken(records: number, send: () => Promise<Ack[]>): Promise<Ack[]> {
    const call = ++calls;
    for (let attempt = 1; ; attempt++) {
      try {
        const acks = await send();
        problems.delete(call);
        return acks;
      } catch (error) {
        if (closing.signal.aborted) return new Promise(() => {});
        const e = error as Error;
        if (!problems.has(call)) log.error({ err: e, records }, 'the log takes no records: retrying');
        problems.set(call, `the log takes no records: ${e.name}`);
        await sleep(backoffMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, options.random()), closing.signal);
      }
    }
  }

  const recordOf = ({ tracked, kept }: KeptEffect, maxBytes = Number.POSITIVE_INFINITY): OutgoingRecord =>
    kept.as === 'moved'
      ? movedRecordOf(tracked.record, kept.to.topic, kept.past)
      : boundedDeadLetterOf(tracked.record, options.dlqTopic, kept.facts, maxBytes);

  /**
   * One in a call of its own: a letter whole, else cut until the log takes it. Refused without a byte, it was not its size.
   * A moved record is never cut: with its value gone the message would be. Its topics take all that a lane can hold; where
   * one does not, its partition stands still and readiness says so.
   */
  async function sendAlone(effect: KeptEffect): Promise<Ack | undefined> {
    if (effect.kept.as === 'moved') return (await producer.send([recordOf(effect)]))[0];
    const { topic, partition, offset, key, value } = effect.tracked.record;
    const bytes = (key?.length ?? 0) + (value?.length ?? 0);
    let refusal: RecordRefused | undefined;
    for (const maxBytes of BOUNDS_BYTES) {
      if (refusal !== undefined && bytes <= maxBytes) continue;
      try {
        const [ack] = await producer.send([recordOf(effect, maxBytes)]);
        if (refusal !== undefined) {
          const facts = { topic, partition, offset, bytes, kept_bytes: maxBytes };
          log.error({ ...facts, err: refusal }, 'the log refused a dead letter: it was written with its value cut');
          options.onCut?.();
        }
        return ack;
      } catch (error) {
        if (!(error instanceof RecordRefused)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  return {
    async keep(effects) {
      const acks: Ack[] = [];
      let apart = false;
      return untilTaken(effects.length, async () => {
        if (!apart) {
          try {
            return await producer.send(effects.map((effect) => recordOf(effect)));
          } catch (error) {
            // One that can never be written would block all that come after it. Some of the others may be written twice.
            if (!(error instanceof RecordRefused)) throw error;
            apart = true;
          }
        }
        const left = effects.map(async (effect, i) => {
          const ack = acks[i] ?? (await sendAlone(effect));
          if (ack !== undefined) acks[i] = ack;
        });
        const failed = (await Promise.allSettled(left)).find((result) => result.status === 'rejected');
        if (failed !== undefined) throw failed.reason;
        return acks;
      });
    },
    async events(effects) {
      const records: OutgoingRecord[] = [];
      for (const { tracked, event, traceparent } of effects) {
        const record = {
          topic: options.deliveriesTopic,
          partition: tracked.record.partition,
          key: event.campaign_id,
          value: encode(event),
        };
        records.push(
          traceparent === undefined ? record : { ...record, headers: { [HEADERS.traceparent]: traceparent } },
        );
      }
      return untilTaken(records.length, () => producer.send(records));
    },
    problem: () => problems.values().next().value,
    close: () => closing.abort(),
  };
}
