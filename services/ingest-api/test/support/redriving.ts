import { HEADERS, type Message } from '@volley/contract';
import { createFailpoints } from '@volley/runtime';
import { v7 } from 'uuid';
import type { DeadLetter, LetterReader, NewRedrive, RedriveJob } from '../../src/dead-letter-ports.ts';
import { endAll, endedIn, type Fate, indexOf, lettersIn, redriveRole } from './dead-letters.ts';
import { readAll, topics, until } from './log.ts';
import { all, progressUntil, running, statusOf, type World } from './roles.ts';

export const refused: Fate = () => ({ kind: 'failed', reason: 'recipient_refused' });

/** A campaign of `n` whose messages have ended, each as its fate says. */
export async function ended(n: number, fate: Fate = refused) {
  const { w, s, id } = await running(n);
  await all(s.fanout);
  await endAll(w.producer, await readAll(w.client, topics.messages.bulk), fate);
  await progressUntil(s, w.clock, async () => (await statusOf(w, id)) !== 'running');
  return { w, s, id };
}
export type Ended = Awaited<ReturnType<typeof ended>>;

export const roleOf = async (
  { w, s }: Ended,
  owner: string,
  more: { failpoints?: string; index?: () => Promise<DeadLetter[]>; read?: LetterReader } = {},
) =>
  redriveRole({
    client: w.client,
    store: w.store.redrives(owner, topics.deliveries),
    commands: s.commands,
    index: indexOf(more.index ?? (() => lettersIn(w.client)), () => endedIn(w.client, ['expired'])),
    frozen: {
      byOrdinals: async (id, wanted) =>
        (await w.store.fanout('reader').page(id, 0, 10_000)).filter((row) => wanted.includes(row.ordinal)),
    },
    clock: w.clock,
    failpoints: createFailpoints(more.failpoints),
    ...(more.read ? { read: more.read } : {}),
  });

export const asked = (w: World, change: Partial<NewRedrive> = {}) =>
  w.store.redriveJobs.create({
    redrive_id: v7(),
    tenant_id: 'default',
    action: 'redrive',
    filter: {},
    limit: null,
    rate_per_second: null,
    reason_text: '',
    createdAtMs: w.clock.now(),
    matched: 0,
    matchedAtLeast: false,
    ...change,
  });
export const jobOf = async (w: World, job: { redrive_id: string }) =>
  (await w.store.redriveJobs.find('default', job.redrive_id)) as RedriveJob;

/** Rounds until the job has ended; the relay publishes what was opened, and time passes. */
export const finished = ({ w, s }: Ended, role: { round: () => Promise<unknown> }, job: { redrive_id: string }) =>
  until('the redrive ends', async () => {
    await role.round();
    await s.relay();
    w.clock.advance(100);
    const now = await jobOf(w, job);
    return now.status === 'running' ? undefined : now;
  });

export const secondRuns = async (w: World) =>
  (await readAll(w.client, topics.messages.bulk)).filter((r) => r.headers[HEADERS.redrive] !== undefined);
export const ordinals = (messages: readonly Message[]) => messages.map((m) => m.ordinal).sort((a, b) => a - b);
