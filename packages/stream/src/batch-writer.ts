import {
  type Ack,
  type OutgoingRecord,
  type ProducerOptions,
  RecordRefused,
  type StreamProducer,
  StreamUnavailable,
} from './port.ts';
import { createTopicDirectory, SMALLEST_ENVELOPE_BYTES, type TopicLimits } from './topic-directory.ts';

export interface OutgoingMessage {
  readonly partition: number;
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, string | Buffer>>;
}

export interface PartitionAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: number;
}

/** One life of an underlying producer, with its own producer id. */
export interface WriterBackend {
  /** Rejects with WriteRejected when the log refused the content; with anything else when the outcome is unknown. */
  send(topics: readonly { topic: string; messages: OutgoingMessage[] }[]): Promise<readonly PartitionAnswer[]>;
  close(): Promise<void>;
  /** Nothing may reach the log through it any more, also no retry that it is in the middle of. */
  abandon(): void;
}

export interface WriterDependencies {
  connect(): Promise<WriterBackend>;
  /** null: there is no such topic. Rejects when the log cannot be asked. */
  describe(topic: string): Promise<TopicLimits | null>;
}

/** The log refused a record of the request for what it is (too large, malformed): repeating it is of no use. */
export class WriteRejected extends Error {
  override readonly name = 'WriteRejected';
}

interface Call {
  readonly records: readonly OutgoingRecord[];
  readonly sizes: readonly number[];
  readonly acks: (Ack | undefined)[];
  readonly bytes: number;
  readonly deadlineAtMs: number;
  readonly resolve: (acks: Ack[]) => void;
  readonly reject: (error: Error) => void;
  /** Everything before it is acknowledged. */
  firstOpen: number;
  open: number;
  ended: boolean;
}

/** What one request carries of a partition. */
interface Slot {
  readonly topic: string;
  readonly partition: number;
  bytes: number;
  count: number;
  baseOffset: number;
}

interface Batch {
  readonly topics: { topic: string; messages: OutgoingMessage[] }[];
  readonly slots: Map<string, Slot[]>;
  readonly calls: Call[];
  readonly indexes: number[];
  readonly slotOf: Slot[];
  readonly positions: number[];
  bytes: number;
}

/** Upper estimate of what the record format adds to key, value and headers. */
const RECORD_OVERHEAD_BYTES = 32;
/** kafkajs lets sequence numbers wrap to 0 at 2^31 where the broker expects 2^31 modulo: a new id comes before. */
const RECORDS_PER_PRODUCER_ID = 1_500_000_000;

function sizeOf(record: OutgoingRecord): number {
  let bytes = record.value?.length ?? 0;
  if (record.key !== null) bytes += Buffer.byteLength(record.key);
  if (record.headers !== undefined) {
    for (const name in record.headers) {
      bytes += Buffer.byteLength(name) + Buffer.byteLength(record.headers[name] as string | Buffer) + 4;
    }
  }
  return bytes;
}

/**
 * The writer behind every producer. Calls wait in a queue; one request at a time takes as much from its head as its
 * bounds allow, so what arrives during a round trip is the next request. One in flight is what makes the idempotent
 * producer safe: after a lost response kafkajs reuses the sequence numbers for whatever is sent next, and the broker
 * acknowledges that unseen as a duplicate (tulios/kafkajs#598; reproduced). For the same reason a request whose
 * outcome is unknown is never followed by a different one of the same producer id.
 */
export function createBatchWriter(options: ProducerOptions, dependencies: WriterDependencies): StreamProducer {
  const deadlineMs = options.deadlineMs ?? 30_000;
  const maxRecords = options.maxBatchRecords ?? 2_000;
  const maxBytes = options.maxBatchBytes ?? 1024 * 1024;

  let queue: Call[] = [];
  let head = 0;
  let pendingBytes = 0;
  let running = false;
  let closing: Promise<void> | undefined;
  let backend: WriterBackend | undefined;
  let recordsOfBackend = 0;
  /** Lower after a refusal, until the refused record was found. */
  let recordLimit = maxRecords;
  let interrupt: (() => void) | undefined;
  let deadlineTimer: NodeJS.Timeout | undefined;
  let idle: (() => void) | undefined;
  const directory = createTopicDirectory((topic) => dependencies.describe(topic));

  function end(call: Call, error: Error | undefined): void {
    call.ended = true;
    pendingBytes -= call.bytes;
    if (error === undefined) call.resolve(call.acks as Ack[]);
    else call.reject(error);
  }

  function dropEnded(): void {
    while (head < queue.length && queue[head]?.ended) head += 1;
    if (head === queue.length) {
      queue = [];
      head = 0;
    } else if (head > 1_024 && head > queue.length / 2) {
      queue = queue.slice(head);
      head = 0;
    }
  }

  /** All calls have the same time to live, so the head is always the next to expire. */
  function armDeadline(): void {
    if (deadlineTimer !== undefined || head === queue.length) return;
    const waitMs = Math.max(1, (queue[head] as Call).deadlineAtMs - performance.now());
    deadlineTimer = setTimeout(() => {
      deadlineTimer = undefined;
      expire();
      armDeadline();
    }, waitMs);
    deadlineTimer.unref();
  }

  function expire(): void {
    const now = performance.now();
    let expired = false;
    for (let i = head; i < queue.length; i++) {
      const call = queue[i] as Call;
      if (call.ended) continue;
      if (call.deadlineAtMs > now) break;
      expired = true;
      // It may have been deleted since: the next call asks again.
      for (const record of call.records) directory.forget(record.topic);
      end(call, new StreamUnavailable(`not acknowledged within ${deadlineMs} ms`));
    }
    dropEnded();
    if (expired) interrupt?.();
  }

  function replaceBackend(): void {
    backend?.abandon();
    backend = undefined;
    recordsOfBackend = 0;
  }

  /** `resolve`: this topic must be looked up first. undefined: nothing is left to send. */
  function build(): Batch | { resolve: string } | undefined {
    const batch: Batch = { topics: [], slots: new Map(), calls: [], indexes: [], slotOf: [], positions: [], bytes: 0 };
    let topic = '';
    let topicSlots: Slot[] = [];
    let messages: OutgoingMessage[] = [];
    let limit: TopicLimits | undefined;
    for (let c = head; c < queue.length; c++) {
      const call = queue[c] as Call;
      if (call.ended) continue;
      for (let i = call.firstOpen; i < call.records.length; i++) {
        if (call.acks[i] !== undefined) continue;
        const record = call.records[i] as OutgoingRecord;
        if (record.topic !== topic || limit === undefined) {
          topic = record.topic;
          limit = directory.known(topic);
          if (limit === undefined) return batch.calls.length > 0 ? batch : { resolve: topic };
          let known = batch.slots.get(topic);
          if (known === undefined) {
            known = [];
            batch.slots.set(topic, known);
            batch.topics.push({ topic, messages: [] });
          }
          topicSlots = known;
          messages = (batch.topics.find((entry) => entry.topic === topic) as { messages: OutgoingMessage[] }).messages;
        }
        const refusal = directory.refusal(record, call.sizes[i] as number, limit);
        if (refusal === 'ask again') {
          directory.forget(topic);
          return batch.calls.length > 0 ? batch : { resolve: topic };
        }
        if (refusal !== undefined) {
          end(call, new RecordRefused(refusal));
          break;
        }
        const size = (call.sizes[i] as number) + RECORD_OVERHEAD_BYTES;
        let slot = topicSlots[record.partition];
        const full =
          batch.calls.length >= recordLimit ||
          batch.bytes + size > maxBytes ||
          (slot !== undefined && slot.bytes + size > limit.maxRecordBytes);
        if (full && batch.calls.length > 0) return batch;
        if (slot === undefined) {
          slot = { topic, partition: record.partition, bytes: SMALLEST_ENVELOPE_BYTES, count: 0, baseOffset: -1 };
          topicSlots[record.partition] = slot;
        }
        batch.calls.push(call);
        batch.indexes.push(i);
        batch.slotOf.push(slot);
        batch.positions.push(slot.count);
        slot.count += 1;
        slot.bytes += size;
        batch.bytes += size;
        messages.push(record);
      }
    }
    return batch.calls.length > 0 ? batch : undefined;
  }

  async function resolveTopic(topic: string): Promise<void> {
    const answer = await directory.resolve(topic, () => {
      dropEnded();
      return head < queue.length;
    });
    if (answer !== 'unknown') return;
    for (let i = head; i < queue.length; i++) {
      const call = queue[i] as Call;
      if (call.ended || !call.records.some((record) => record.topic === topic)) continue;
      end(call, new RecordRefused(`there is no topic ${topic}`));
    }
  }

  function apply(batch: Batch, answers: readonly PartitionAnswer[]): boolean {
    for (const answer of answers) {
      const slot = batch.slots.get(answer.topic)?.[answer.partition];
      if (slot === undefined || answer.errorCode !== 0 || answer.baseOffset < 0) continue;
      slot.baseOffset = answer.baseOffset;
    }
    let complete = true;
    for (let k = 0; k < batch.calls.length; k++) {
      const call = batch.calls[k] as Call;
      const slot = batch.slotOf[k] as Slot;
      if (slot.baseOffset < 0) {
        complete = false;
        continue;
      }
      if (call.ended) continue;
      const offset = slot.baseOffset + (batch.positions[k] as number);
      call.acks[batch.indexes[k] as number] = { topic: slot.topic, partition: slot.partition, offset };
      call.open -= 1;
      while (call.firstOpen < call.records.length && call.acks[call.firstOpen] !== undefined) call.firstOpen += 1;
      if (call.open === 0) end(call, undefined);
    }
    return complete;
  }

  function refuse(batch: Batch, error: Error): void {
    if (batch.calls.length === 1) {
      const call = batch.calls[0] as Call;
      if (!call.ended) end(call, new RecordRefused(error.message));
      recordLimit = maxRecords;
    } else {
      // Which record it was is not said: halve until it stands alone. Neighbours may be written twice by this,
      // which is why records that cannot fit are held back before they are sent.
      recordLimit = Math.max(1, Math.floor(batch.calls.length / 2));
    }
  }

  /** 'interrupted': a call of it expired; what becomes of the request is not waited for. */
  async function exchange(batch: Batch): Promise<'done' | 'failed' | 'interrupted'> {
    try {
      backend ??= await untilInterrupted(dependencies.connect(), (late) => late.abandon());
    } catch {
      return 'failed';
    }
    if (backend === undefined) return 'interrupted';
    recordsOfBackend += batch.calls.length;
    let answers: readonly PartitionAnswer[] | undefined;
    try {
      answers = await untilInterrupted(backend.send(batch.topics.filter(({ messages }) => messages.length > 0)));
    } catch (error) {
      replaceBackend();
      if (!(error instanceof WriteRejected)) return 'failed';
      refuse(batch, error);
      return 'done';
    }
    if (answers === undefined) {
      replaceBackend();
      return 'interrupted';
    }
    const complete = apply(batch, answers);
    if (!complete || recordsOfBackend > RECORDS_PER_PRODUCER_ID) replaceBackend();
    if (!complete) return 'failed';
    recordLimit = Math.min(maxRecords, recordLimit * 2);
    return 'done';
  }

  function untilInterrupted<T>(work: Promise<T>, late?: (value: T) => void): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      interrupt = () => {
        interrupt = undefined;
        if (late !== undefined) work.then(late, () => {});
        resolve(undefined);
      };
      work.then(
        (value) => {
          interrupt = undefined;
          resolve(value);
        },
        (error) => {
          interrupt = undefined;
          reject(error);
        },
      );
    });
  }

  async function run(): Promise<void> {
    let pauseMs = 20;
    for (;;) {
      dropEnded();
      const batch = build();
      dropEnded();
      if (batch === undefined) break;
      if ('resolve' in batch) {
        await resolveTopic(batch.resolve);
        continue;
      }
      if ((await exchange(batch)) === 'failed') {
        await sleep(pauseMs);
        pauseMs = Math.min(500, pauseMs * 2);
      } else {
        pauseMs = 20;
      }
    }
    running = false;
    clearTimeout(deadlineTimer);
    deadlineTimer = undefined;
    idle?.();
  }

  return {
    send(records) {
      if (closing !== undefined) return Promise.reject(new StreamUnavailable('the producer is closed'));
      if (records.length === 0) return Promise.resolve([]);
      return new Promise<Ack[]>((resolve, reject) => {
        const sizes = records.map(sizeOf);
        let bytes = 0;
        for (const size of sizes) bytes += size;
        pendingBytes += bytes;
        queue.push({
          records,
          sizes,
          acks: new Array(records.length).fill(undefined),
          bytes,
          deadlineAtMs: performance.now() + deadlineMs,
          resolve,
          reject,
          firstOpen: 0,
          open: records.length,
          ended: false,
        });
        armDeadline();
        if (running) return;
        running = true;
        // Not at once: what this turn of the event loop still sends rides along.
        setImmediate(() => void run());
      });
    },
    pendingBytes: () => pendingBytes,
    close() {
      closing ??= (async () => {
        if (running) {
          await new Promise<void>((resolve) => {
            idle = resolve;
          });
        }
        await backend?.close();
        backend = undefined;
      })();
      return closing;
    },
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
