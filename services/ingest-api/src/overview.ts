import { DISPATCHER_LIVE_MS, groupsOf, LANES, RETRY_TIERS, topicsOf } from '@volley/contract';
import type { PipelineView } from '@volley/contract/http';
import type { StreamAdmin, StreamClient } from '@volley/stream';
import {
  breakerViews,
  dispatcherView,
  lagOf,
  nextOf,
  oldestAgeMs,
  ownersOf,
  type Place,
  queueView,
} from './core/overview.ts';
import type { DispatcherReader, Overview } from './overview-ports.ts';

/** Whoever does not answer by then is left out; nobody is asked more often than this. */
const BOUND_MS = 1_000;
const CACHE_MS = 1_000;
/** Of the oldest record of a partition its time is wanted: a fetch each, of a whole batch. So few, and not every time. */
const TIMES_EVERY_MS = 2_000;
const TIMES_AT_ONCE = 24;
const TIMES_BOUND_MS = 600;
const MAX_TIMES = 10_000;

type Answer<T> = { readonly value: T } | { readonly why: string };

async function within<T>(ms: number, work: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** One question at a time: while one hangs, whoever else wants to know waits for the same. */
function question<T>(ask: () => Promise<T>, why: string): () => Promise<Answer<T>> {
  let underWay: Promise<Answer<T>> | undefined;
  return () => {
    underWay ??= ask()
      .then(
        (value): Answer<T> => ({ value }),
        (): Answer<T> => ({ why }),
      )
      .finally(() => {
        underWay = undefined;
      });
    return within(BOUND_MS, underWay, { why: `${why} within ${BOUND_MS} ms` });
  };
}

interface Range {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** Brokers refuse a question that names a partition twice, and deliveries are read for the sink and for progress. */
function apart(ranges: readonly Range[]): Range[][] {
  const lists: Range[][] = [];
  for (const range of ranges) {
    const isIn = (list: readonly Range[]) =>
      list.some(({ topic, partition }) => topic === range.topic && partition === range.partition);
    const free = lists.find((list) => !isIn(list));
    if (free === undefined) lists.push([range]);
    else free.push(range);
  }
  return lists;
}

export function createOverview(o: {
  readonly client: Pick<StreamClient, 'admin' | 'readRanges'>;
  readonly dispatchers: DispatcherReader;
  readonly namespace: string;
  readonly clock: { now(): number; monotonicMs(): number };
}): Overview {
  const { namespace } = o;
  const topics = topicsOf(namespace);
  const groups = groupsOf(namespace);
  const queues = [
    ...LANES.map((lane) => ({ name: lane as string, kind: 'lane' as const, topic: topics.messages[lane] })),
    ...RETRY_TIERS.map(({ name }, i) => ({ name, kind: 'tier' as const, topic: topics.retry[i] as string })),
    { name: 'held', kind: 'held' as const, topic: topics.held },
  ];
  let admin: Promise<StreamAdmin> | undefined;

  const placesOf = async (of: StreamAdmin, topic: string, groupId?: string): Promise<Place[]> => {
    const [bounds, committed] = await Promise.all([
      of.logBounds(topic),
      groupId === undefined ? [] : of.committed(groupId, topic),
    ]);
    return bounds.map(({ start, end }, partition) => ({
      partition,
      start,
      end,
      committed: committed[partition]?.offset ?? -1,
    }));
  };

  const askLog = question(async () => {
    admin ??= o.client.admin();
    const of = await admin;
    const byTopic = new Map<string, Place[]>();
    for (const { topic } of queues) byTopic.set(topic, await placesOf(of, topic, groups.dispatcher));
    byTopic.set(topics.deliveries, await placesOf(of, topics.deliveries, groups.sink));
    for (const topic of [topics.dlq, topics.deliveriesDlq]) byTopic.set(topic, await placesOf(of, topic));
    return byTopic;
  }, 'the log did not answer');
  const askRows = question(() => o.dispatchers.rows(namespace), 'Postgres did not answer');
  const askCounted = question(() => o.dispatchers.counted(topics.deliveries), 'Postgres did not answer');

  /** When the record at a place was written never changes: asked once for each. */
  const times = new Map<string, number>();
  let timesAtMs = Number.NEGATIVE_INFINITY;
  const timeKey = (topic: string, place: Place) => `${topic}/${place.partition}/${nextOf(place)}`;
  async function askTimes(of: Iterable<readonly [topic: string, places: readonly Place[]]>): Promise<void> {
    if (o.clock.monotonicMs() - timesAtMs < TIMES_EVERY_MS) return;
    const ranges = [...of]
      .flatMap(([topic, places]) => places.map((place) => ({ topic, place })))
      .filter(({ topic, place }) => lagOf(place) > 0 && !times.has(timeKey(topic, place)))
      .slice(0, TIMES_AT_ONCE)
      .map(({ topic, place }) => ({ topic, partition: place.partition, from: nextOf(place), to: nextOf(place) + 1 }));
    if (ranges.length === 0) return;
    timesAtMs = o.clock.monotonicMs();
    if (times.size > MAX_TIMES) times.clear();
    const read = Promise.all(
      apart(ranges).map((some) =>
        o.client.readRanges({
          ranges: some,
          deadlineMs: TIMES_BOUND_MS,
          onRecord: ({ topic, partition, offset, timestampMs }) =>
            void times.set(`${topic}/${partition}/${offset}`, timestampMs),
        }),
      ),
    );
    // Without them an age is null: the lag beside it says enough.
    await within(
      TIMES_BOUND_MS,
      read.then(
        () => {},
        () => {},
      ),
      undefined,
    );
  }

  async function look(): Promise<PipelineView | undefined> {
    const [log, rows, counted] = await Promise.all([askLog(), askRows(), askCounted()]);
    if ('why' in log && 'why' in rows) return undefined;
    const events = 'value' in log ? (log.value.get(topics.deliveries) ?? []) : [];
    const countedTo =
      'value' in counted
        ? events.map((place) => ({ ...place, committed: counted.value.get(place.partition) ?? -1 }))
        : [];
    if ('value' in log) {
      const waiting = queues.map(({ topic }) => [topic, log.value.get(topic) ?? []] as const);
      await askTimes([...waiting, [topics.deliveries, events], [topics.deliveries, countedTo]]);
    }
    const nowMs = o.clock.now();
    const unavailable: { part: string; detail: string }[] = [];
    const missing = (parts: readonly string[], why: string) => {
      for (const part of parts) unavailable.push({ part, detail: why });
    };
    if ('why' in log) missing(['queues', 'sink', 'dead_letters'], log.why);
    if ('why' in rows) missing(['dispatchers', 'breakers'], rows.why);
    if ('why' in log || 'why' in counted)
      missing(['progress'], 'why' in log ? log.why : (counted as { why: string }).why);

    const owners = 'value' in rows ? ownersOf(rows.value, DISPATCHER_LIVE_MS) : new Map<number, string>();
    const timeOf = (topic: string) => (place: Place) => times.get(timeKey(topic, place));
    const behind = (places: readonly Place[]) => ({
      lag: places.reduce((sum, place) => sum + lagOf(place), 0),
      age_ms: oldestAgeMs(places, timeOf(topics.deliveries), nowMs),
    });
    const size = (topic: string) =>
      'value' in log ? (log.value.get(topic) ?? []).reduce((sum, { start, end }) => sum + end - start, 0) : 0;
    return {
      as_of: new Date(nowMs).toISOString(),
      queues:
        'value' in log
          ? queues.map((q) => queueView(q, log.value.get(q.topic) ?? [], timeOf(q.topic), owners, nowMs))
          : null,
      dispatchers: 'value' in rows ? rows.value.map((row) => dispatcherView(row, DISPATCHER_LIVE_MS)) : null,
      breakers: 'value' in rows ? breakerViews(rows.value, DISPATCHER_LIVE_MS) : null,
      sink: 'value' in log ? behind(events) : null,
      progress: 'value' in log && 'value' in counted ? behind(countedTo) : null,
      dead_letters: 'value' in log ? { messages: size(topics.dlq), deliveries: size(topics.deliveriesDlq) } : null,
      unavailable,
    };
  }

  let cached: { readonly untilMs: number; readonly view: Promise<PipelineView | undefined> } | undefined;
  return () => {
    const nowMs = o.clock.monotonicMs();
    if (cached === undefined || nowMs >= cached.untilMs) cached = { untilMs: nowMs + CACHE_MS, view: look() };
    return cached.view;
  };
}
