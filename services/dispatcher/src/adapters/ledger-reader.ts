import { FRAME_BYTES, MAX_RECORD_BYTES, parseSchema, SCHEMA_TEXTS, type SchemaStore } from '@volley/contract';
import { backoffMs, type Logger, sleep } from '@volley/runtime';
import type { AssignedPartition, StreamAdmin, StreamClient, StreamRecord } from '@volley/stream';
import { type Hints, inheritedOf } from '../core/hints.ts';
import type { Ledger, LedgerEvent } from '../core/ledger.ts';
import type { Schemas } from '../ports.ts';

/** Read before the smallest hint: copies of messages that come late, and what `REACH_ALLOWANCE` may have missed. */
const LATE_REPEATS = 65_536;
const READ_DEADLINE_MS = 60_000;
const RETRY_BASE_MS = 100;
const RETRY_CAP_MS = 2_000;

/** Fills ledger and hints of the numbers that are assigned. */
export interface LedgerReader {
  /**
   * To be called in the tick of the assignment, before any record of it is handled. No number is open before its
   * deliveries were read; until then its partitions stand still, however long the log is away.
   */
  assigned(partitions: readonly AssignedPartition[]): void;
  /** The assignment is over: nothing more is filled, and no number is open. */
  revoked(): void;
  /** Why numbers that are ours cannot be opened; undefined while all goes well. For readiness. */
  problem(): string | undefined;
  close(): void;
}

/**
 * On assignment of number p, deliveries[p] is read from the smallest hint of the topic partitions numbered p, less
 * `LATE_REPEATS`, to its end as of then. All numbers are read together, and each is open as soon as its own end is reached.
 *
 * What the end does not show: a former owner that lives may still have events acknowledged after it was read.
 * - It started nothing after the revocation it was told of, or after its session was over (pipeline.ts, presumedDead: its
 *   clock starts with an answer that the coordinator gave before its own clock did). So these are events of what it
 *   had in flight: at most C messages, of one attempt each, ended by its send deadline (8 s).
 * - We may send those once more, under the same id: the bound of promise 3. Two ends of one message are told apart by the
 *   repeat rule, and two tier records of one move by each other's events, because both carry the same deferrals.
 * - The owner after us reads them: they lie behind our own hints' start, or within `LATE_REPEATS` before it.
 */
export function createLedgerReader(options: {
  readonly client: StreamClient;
  readonly deliveriesTopic: string;
  readonly store: SchemaStore;
  readonly schemas: Schemas;
  readonly ledger: Ledger;
  readonly hints: Hints;
  /** This number's records may start. */
  readonly onOpen: (number: number) => void;
  /** An event that cannot be read is passed over: its message may be sent once more. */
  readonly onUndecodable: () => void;
  /** After all numbers of an assignment were read. */
  readonly onRead: (read: { readonly numbers: number; readonly events: number; readonly ms: number }) => void;
  /** Other than `LATE_REPEATS` in tests. */
  readonly lateRepeats?: number;
  readonly monotonicMs: () => number;
  readonly random: () => number;
  readonly log: Logger;
}): LedgerReader {
  const { client, deliveriesTopic, ledger, hints, log, lateRepeats = LATE_REPEATS } = options;
  const project = createProjection(options.store);
  let current = new AbortController();
  let problem: string | undefined;

  interface Range {
    readonly number: number;
    next: number;
    end: number;
  }

  /** Where to read: `from` is asked for by offset, the log says what it still has. */
  async function rangesOf(numbers: readonly number[]): Promise<Range[]> {
    const bounds = await withAdmin(client, (admin) => admin.logBounds(deliveriesTopic));
    return numbers.map((number) => {
      const { start, end } = bounds[number] ?? { start: 0, end: 0 };
      const hint = Math.min(end, hints.lowest(number));
      return { number, next: ledger.reading(number, hint, Math.max(start, hint - lateRepeats)), end };
    });
  }

  async function fill(numbers: readonly number[], { signal }: AbortController): Promise<void> {
    const startMs = options.monotonicMs();
    let ranges: readonly Range[] | undefined;
    let events = 0;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        ranges ??= await rangesOf(numbers);
        if (signal.aborted) return;
        await read(ranges, signal, () => {
          events += 1;
        });
        if (signal.aborted) return;
        problem = undefined;
        for (const { number, end } of ranges) opened(number, end);
        options.onRead({ numbers: numbers.length, events, ms: Math.round(options.monotonicMs() - startMs) });
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof NeedsSchema) {
          await options.schemas.ensure(error.schemaId);
          attempt = 0;
          continue;
        }
        // Retention has moved the log's start past a range.
        if (error instanceof RangeError) ranges = await clamped(ranges).catch(() => ranges);
        if (problem === undefined) log.error({ err: error, numbers }, 'deliveries cannot be read: their numbers wait');
        problem = 'deliveries cannot be read';
        await sleep(backoffMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, options.random()), signal);
      }
    }
  }

  async function clamped(ranges: readonly Range[] | undefined): Promise<readonly Range[] | undefined> {
    const bounds = await withAdmin(client, (admin) => admin.logBounds(deliveriesTopic));
    for (const range of ranges ?? []) range.next = Math.max(range.next, bounds[range.number]?.start ?? 0);
    return ranges;
  }

  function opened(number: number, end: number): void {
    if (ledger.isOpen(number)) return;
    ledger.open(number, end);
    options.onOpen(number);
  }

  async function read(ranges: readonly Range[], signal: AbortSignal, count: () => void): Promise<void> {
    const byNumber = new Map(ranges.map((range) => [range.number, range]));
    const open = ranges.filter(({ next, end }) => next < end);
    for (const { number, next, end } of ranges) if (next >= end) opened(number, end);
    if (open.length === 0) return;
    await client.readRanges({
      ranges: open.map(({ number, next, end }) => ({ topic: deliveriesTopic, partition: number, from: next, to: end })),
      deadlineMs: READ_DEADLINE_MS,
      onRecord(record) {
        // The only way to end a read early: what it throws is what the read rejects with.
        if (signal.aborted) throw new Error('the assignment is over');
        const range = byNumber.get(record.partition) as Range;
        const event = project(record);
        if (event === undefined) options.onUndecodable();
        else {
          ledger.note(record.partition, event, record.offset);
          count();
        }
        range.next = record.offset + 1;
        if (range.next === range.end) opened(range.number, range.end);
      },
    });
  }

  return {
    assigned(partitions) {
      current.abort();
      current = new AbortController();
      problem = undefined;
      hints.clear();
      const numbers = [...new Set(partitions.map(({ partition }) => partition))];
      ledger.assigned(numbers);
      for (const of of partitions) hints.assigned(of.topic, of.partition, inheritedOf(of));
      if (numbers.length > 0) void fill(numbers, current);
    },
    revoked() {
      current.abort();
      problem = undefined;
      hints.clear();
      ledger.revoked();
    },
    problem: () => problem,
    close: () => current.abort(),
  };
}

async function withAdmin<T>(client: StreamClient, ask: (admin: StreamAdmin) => Promise<T>): Promise<T> {
  const admin = await client.admin();
  try {
    return await ask(admin);
  } finally {
    await admin.close();
  }
}

class NeedsSchema extends Error {
  override readonly name = 'NeedsSchema';
  readonly schemaId: number;
  constructor(schemaId: number) {
    super(`schema ${schemaId} is not known yet`);
    this.schemaId = schemaId;
  }
}

const NEEDED = new Set(['message_id', 'run', 'kind', 'attempt', 'deferrals', 'tier'] satisfies (keyof LedgerEvent)[]);

/**
 * Six fields of an event, the others skipped: 0.24 µs instead of 0.9 µs for all of them (164 bytes, Node 24, one core of
 * the development machine). Undefined for what is no delivery event. Throws NeedsSchema.
 */
function createProjection(store: SchemaStore): (record: StreamRecord) => LedgerEvent | undefined {
  const whole = JSON.parse(SCHEMA_TEXTS.DeliveryEvent) as { fields: { name: string }[] };
  const fields = whole.fields.filter(({ name }) => (NEEDED as ReadonlySet<string>).has(name));
  const reader = parseSchema(JSON.stringify({ ...whole, fields }));
  const resolvers = new Map<number, ReturnType<typeof reader.createResolver>>();
  return ({ value }) => {
    if (value === null || value.length <= FRAME_BYTES || value.length > MAX_RECORD_BYTES || value[0] !== 0) return;
    const schemaId = value.readUInt32BE(1);
    const writer = store.get(schemaId);
    if (writer === undefined) throw new NeedsSchema(schemaId);
    if (writer === 'unknown' || writer.name !== reader.name) return;
    try {
      let resolver = resolvers.get(schemaId);
      if (resolver === undefined) {
        resolver = reader.createResolver(writer);
        resolvers.set(schemaId, resolver);
      }
      const { value: event, offset } = reader.decode(value, FRAME_BYTES, resolver) as {
        value: LedgerEvent;
        offset: number;
      };
      return offset === value.length ? event : undefined;
    } catch {
      return undefined;
    }
  };
}
