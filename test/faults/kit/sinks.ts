import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { groupsOf } from '@volley/contract';
import type { StreamClient } from '@volley/stream';
import { type Audit, audit } from '../../support/analytics/audit.ts';
import type { ExtraHow, ExtraService } from '../../support/extra-service.ts';
import type { Running } from '../../support/faults.ts';
import { readTopic } from '../../support/topic-reader.ts';
import { until } from '../../support/until.ts';
import { PARTITIONS } from './dispatchers.ts';
import type { Trial } from './trial.ts';
import type { Analytics } from './world.ts';

/** Longer than a sink that was killed, or has waited its longest, needs to be through. */
const STORED_WITHIN_MS = 120_000;

/** A namespace with a sink. */
export interface Reading {
  readonly client: StreamClient;
  readonly namespace: string;
  readonly deliveries: string;
}

export const readingOf = ({ p }: Pick<Trial, 'p'>): Reading => ({
  client: p.client,
  namespace: p.stores.namespace,
  deliveries: p.topics.deliveries,
});

export function analyticsOf({ analytics }: Pick<Trial, 'analytics'>): Analytics {
  if (analytics === undefined) throw new Error('this world has no ClickHouse of its own');
  return analytics;
}

export interface Standing {
  /** By partition; 0 where nothing is committed. */
  readonly committed: readonly number[];
  readonly ends: readonly number[];
  /** Records that are not committed. */
  readonly behind: number;
}

/** Where the sinks stand, and the log. */
export async function standingOf({ client, namespace, deliveries }: Reading): Promise<Standing> {
  const admin = await client.admin();
  try {
    const offsets = await admin.committed(groupsOf(namespace).sink, deliveries);
    const ends = (await admin.logBounds(deliveries)).map(({ end }) => end);
    const committed = ends.map((_, partition) => Math.max(0, offsets[partition]?.offset ?? 0));
    const behind = ends.reduce((sum, end, partition) => sum + end - (committed[partition] ?? 0), 0);
    return { committed, ends, behind };
  } finally {
    await admin.close();
  }
}

/** Everything that the log has now is committed, and so stored. */
export async function untilStored(reading: Reading, timeoutMs = STORED_WITHIN_MS): Promise<void> {
  let seen: Standing | undefined;
  await until(
    'the sinks stand at the end of the log',
    async () => {
      seen = await standingOf(reading);
      return seen.behind === 0;
    },
    { timeoutMs, everyMs: 100, seen: () => seen },
  );
}

/** Everything that the log has at this moment is committed; answers after how many ms. */
export async function untilThisIsStored(reading: Reading): Promise<number> {
  const sinceMs = performance.now();
  const { ends } = await standingOf(reading);
  let seen: Standing | undefined;
  await until(
    'what the log had then is committed',
    async () => {
      seen = await standingOf(reading);
      return seen.committed.every((offset, partition) => offset >= (ends[partition] ?? 0));
    },
    { timeoutMs: STORED_WITHIN_MS, everyMs: 50, seen: () => seen },
  );
  return performance.now() - sinceMs;
}

/** Looks at the sinks' commits all the while; `stop` answers those that went back. */
export function watchSinks(reading: Reading) {
  const back: string[] = [];
  let over = false;
  const watching = (async () => {
    let last: readonly number[] = [];
    while (!over) {
      const { committed } = await standingOf(reading);
      for (const [partition, offset] of committed.entries())
        if (offset < (last[partition] ?? 0)) back.push(`partition ${partition}: from ${last[partition]} to ${offset}`);
      last = committed;
    }
  })();
  return {
    async stop(): Promise<readonly string[]> {
      over = true;
      await watching;
      return back;
    },
  };
}

const nameOf = (slot: number) => (slot === 0 ? 'sink' : `sink-${slot}`);

/** What a sink has logged, of all its lives. */
export function logOfSink({ p }: Pick<Trial, 'p'>, slot: number): string {
  const path = join(p.folder, 'logs', `${nameOf(slot)}.log`);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** The partitions that a sink has, as it said last. */
export function partitionsOf(trial: Pick<Trial, 'p'>, slot: number): readonly number[] {
  const line = logOfSink(trial, slot)
    .split('\n')
    .findLast((text) => /"msg":"(assigned|revoked)"/.test(text));
  if (line === undefined) return [];
  const said = JSON.parse(line) as { readonly msg: string; readonly partitions?: readonly number[] };
  return said.msg === 'assigned' ? (said.partitions ?? []) : [];
}

/** The partitions are shared by exactly these slots, each of which has some. */
export async function untilSinksShare(trial: Pick<Trial, 'p'>, slots: readonly number[]): Promise<void> {
  const owned = () => slots.map((slot) => partitionsOf(trial, slot));
  await until(
    `partitions of deliveries are shared by the sinks ${slots.join(', ')}`,
    () => {
      const all = owned().flat();
      return owned().every((some) => some.length > 0) && all.length === PARTITIONS && new Set(all).size === PARTITIONS;
    },
    { timeoutMs: 40_000, everyMs: 100, seen: owned },
  );
}

/** With one more sink while `run` runs; it has some of the partitions by then. */
export async function withSink<T>(
  trial: Trial,
  slot: number,
  run: (extra: ExtraService) => Promise<T>,
  how?: ExtraHow,
): Promise<T> {
  const extra = await trial.p.startExtra('sink', slot, how);
  try {
    await untilSinksShare(trial, [0, slot]);
    return await run(extra);
  } finally {
    await extra.stop();
  }
}

/** Raw rows, marks, sums and rollups of these campaigns against an own count of the topic. */
export async function exact(trial: Trial, campaigns: readonly Running[]): Promise<Audit> {
  const { p } = trial;
  await untilStored(readingOf(trial));
  const records = await readTopic(p.client, p.topics.deliveries);
  const found = await audit(
    p.clickhouse,
    records,
    campaigns.map(({ id }) => id),
  );
  for (const problem of found.problems) trial.must(false, `against the topic: ${problem}`);
  trial.note(`${found.rows} rows (${found.repeats} repeats), ${found.doubled} twice, minutes and hours compared`);
  return found;
}
