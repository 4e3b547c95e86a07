/**
 * What lanes and fair turns are worth: ten campaigns of 1,000 arrive where 10,000 messages of a large one (what 8 MiB of
 * read-ahead holds) stand before them and as many behind. The scheduler is the dispatcher's own; the clock is not real: each
 * call takes 10 ms and nothing else takes time, so the rows differ in order only, and are the same on every machine.
 * Without turns: all messages carry one campaign. Without lanes: all are bulk. `node bench/turns.bench.ts`.
 */
import type { Lane } from '@volley/contract';
import { type Job, jobOf, type Tracked } from '../src/core/job.ts';
import { createLanes } from '../src/core/lanes.ts';
import { messageOf, newCampaignId } from '../test/fixtures.ts';

const SLOTS = 128;
const CALL_MS = 10;
const LARGE = 10_000;
const SMALL = 10;
const EACH = 1_000;
const NO_PAST = { attempts: 0, deferrals: 0, firstFailedAtMs: 0, notBeforeMs: 0, origin: '' };

interface Of {
  readonly turns: boolean;
  readonly lanes: boolean;
  readonly large: number;
}

/** Median over the small campaigns of their p95 from arrival to end, in ms of the made clock. */
function p95Of({ turns, lanes, large }: Of): number {
  const scheduler = createLanes(SLOTS, () => 'slot');
  const campaigns = Array.from({ length: SMALL + 1 }, newCampaignId);
  const ownerOf = new Map<Job, number>();
  let offset = 0;

  function offer(owner: number, ordinal: number, lane: Lane): void {
    const tracked = { record: { offset: offset++, headers: {} }, epoch: 1 } as unknown as Tracked;
    const campaign = (turns ? campaigns[owner] : campaigns[SMALL]) as string;
    const message = messageOf(campaign, owner * 1_000_000 + ordinal, { lane });
    const job = jobOf(tracked, message, { kind: 'lane', topic: lane }, NO_PAST, 0);
    ownerOf.set(job, owner);
    scheduler.offer(job);
  }
  for (let n = 1; n <= large; n++) offer(SMALL, n, 'bulk');
  for (let n = 1; n <= EACH; n++)
    for (let owner = 0; owner < SMALL; owner++) offer(owner, n, lanes ? 'transactional' : 'bulk');
  for (let n = 1; n <= large; n++) offer(SMALL, large + n, 'bulk');

  const ends: number[][] = campaigns.map(() => []);
  const calls: { readonly job: Job; readonly endMs: number }[] = [];
  let nowMs = 0;
  for (let head = 0; ; head++) {
    for (let job = scheduler.next(nowMs, true); job !== undefined; job = scheduler.next(nowMs, true))
      calls.push({ job, endMs: nowMs + CALL_MS });
    const call = calls[head];
    if (call === undefined) break;
    nowMs = call.endMs;
    scheduler.finish(call.job, true);
    ends[ownerOf.get(call.job) as number]?.push(nowMs);
  }
  const p95s = ends.slice(0, SMALL).map((of) => of.toSorted((a, b) => a - b)[Math.ceil(0.95 * EACH) - 1] as number);
  return p95s.toSorted((a, b) => a - b)[SMALL / 2] as number;
}

const alone = 'ten alone: p95';
const beside = (name: string, turns: boolean, lanes: boolean) => ({
  name: `beside a large one, ${name}: p95`,
  value: p95Of({ turns, lanes, large: LARGE }),
  unit: 'ms',
  floor: alone,
});
console.log(
  JSON.stringify({
    bench: `lanes and turns, ${SMALL} of ${EACH.toLocaleString('en-US')} beside ${LARGE.toLocaleString('en-US')} in memory`,
    rows: [
      {
        name: alone,
        value: p95Of({ turns: true, lanes: true, large: 0 }),
        unit: 'ms',
        note: 'scheduler only, made clock',
      },
      beside('neither lanes nor turns', false, false),
      beside('lanes only', false, true),
      beside('fair turns only', true, false),
      beside('lanes and fair turns', true, true),
    ],
  }),
);
