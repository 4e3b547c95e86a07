import { campaignIdFrom } from '@volley/contract';
import { CAMPAIGN_FIGURES } from '@volley/contract/http';
import test from 'ava';
import fc from 'fast-check';
import {
  type CampaignFacts,
  compareCampaign,
  isRunDue,
  type KindCount,
  laggingPartitions,
  lastDueAtMs,
  restOf,
  type StoredCampaign,
  shownStates,
  statesOf,
  talliesOf,
  totalsOf,
  verdictOf,
} from '../../src/core/audit.ts';
import { type CountedEvent, campaignPart, count, emptyTally } from '../../src/core/progress.ts';

const ID = campaignIdFrom(1_795_000_000_000, new Uint8Array(6));
const rollup = (events: number) => ({ events, inBuckets: 0 });

/** Ten messages: eight sent, two of them after a deferral, two failed; one of these was redriven and then sent. */
const facts: CampaignFacts = {
  campaign_id: ID,
  tenant_id: 'default',
  status: 'completed_with_failures',
  sentAtMs: 1,
  expected: 10,
  accepted: 0,
  frozen: 10,
  tally: { ...emptyTally(), sent: 9, failed: 1, redriven: 1 },
  cut: [40],
  partitions: [0],
  seen: '',
};
const kind = (name: string, firstBelow: number, laterBelow = 0, previous = ''): KindCount => ({
  kind: name,
  previous,
  counted: firstBelow + laterBelow,
  firstBelow,
  laterBelow,
});
const stored: StoredCampaign = {
  kinds: [kind('sent', 7, 2), kind('failed', 2), kind('deferred', 2, 1), kind('redriven', 1, 0, 'failed')],
  rawRows: 15,
  logRecords: 15,
  markedRepeats: 0,
  messages: 10,
  terminalEvents: 11,
  endedRuns: 11,
  redrivenEvents: 1,
  redrivenRuns: 1,
  endedOrdinals: 10,
  endedDirect: 0,
  directMessages: 0,
  alienMessages: 0,
  quiet: true,
  rollups: { minute_rollup: rollup(15), hour_rollup: rollup(15), campaign_rollup: rollup(15) },
  histogramEvents: 9,
  listableMessages: 10,
  listedMessages: 10,
  stats: { sent: 9, failed: 1 },
  listed: { sent: 9, failed: 1 },
  failures: { failed: 1 },
};
const differences = (f: CampaignFacts, s: StoredCampaign, isStored = true) =>
  Object.fromEntries(
    compareCampaign(f, s, isStored)
      .filter((c) => c.difference !== 0)
      .map((c) => [c.figure, c.difference]),
  );

test('a campaign whose numbers agree has every figure, and no difference', (t) => {
  const compared = compareCampaign(facts, stored, true);
  t.deepEqual(
    compared.map((c) => c.figure),
    [...CAMPAIGN_FIGURES],
  );
  t.deepEqual(differences(facts, stored), {});
  t.is(verdictOf(compared.map((c) => c.difference)), 'equal');
});

/** What is changed, and which figures must tell of it. */
const CHANGES: [what: string, f: Partial<CampaignFacts>, s: Partial<StoredCampaign>, told: Record<string, number>][] = [
  ['a frozen row is gone', { frozen: 9 }, {}, { audience: 1 }],
  ['a message never ended', { tally: { ...facts.tally, sent: 8 } }, {}, { ended: 1, states: 1 }],
  [
    'more ended than there are',
    { status: 'running', tally: { ...facts.tally, sent: 10 } },
    {},
    { ended: 1, states: 1 },
  ],
  ['an end is not stored', {}, { endedOrdinals: 9 }, { missing: 1 }],
  ['a row is there twice', {}, { rawRows: 16 }, { doubled: 1 }],
  ['a stranger', {}, { alienMessages: 2 }, { alien: 2 }],
  ['more direct messages than were taken', {}, { directMessages: 3 }, { alien: 3 }],
  ['an end twice in one run', {}, { terminalEvents: 12 }, { unmarked_repeats: 1 }],
  ['a redrive twice', {}, { redrivenEvents: 2 }, { unmarked_repeats: 1 }],
  ['a rollup lacks events', {}, { rollups: { ...stored.rollups, hour_rollup: rollup(13) } }, { hour_rollup: 2 }],
  [
    'a rollup has its events in other buckets',
    {},
    { rollups: { ...stored.rollups, minute_rollup: { events: 15, inBuckets: 4 } } },
    { minute_rollup: 4 },
  ],
  [
    'the campaign rollup has more',
    {},
    { rollups: { ...stored.rollups, campaign_rollup: rollup(16) } },
    { campaign_rollup: 1 },
  ],
  ['the histogram lacks one', {}, { histogramEvents: 8 }, { histogram: 1 }],
  ['the statistics have another state', {}, { stats: { sent: 8, failed: 2 } }, { stats: 1 }],
  ['the list lacks a message', {}, { listedMessages: 9, listed: { sent: 8, failed: 1 } }, { listed: 1 }],
  ['the list has another state', {}, { listed: { sent: 8, failed: 2 } }, { listed: 1 }],
  ['a failure is not listed', {}, { failures: {} }, { failures: 1 }],
];
for (const [what, f, s, told] of CHANGES) {
  test(`told: ${what}`, (t) => {
    t.deepEqual(differences({ ...facts, ...f }, { ...stored, ...s }), told);
  });
}

test('what may be on its way is no difference: neither what is not stored yet, nor a rollup while rows come', (t) => {
  const fewer: StoredCampaign = { ...stored, kinds: [kind('sent', 5)], endedOrdinals: 5, quiet: false };
  const told = differences(facts, fewer, false);
  t.deepEqual(told, {
    states: null,
    missing: null,
    minute_rollup: null,
    hour_rollup: null,
    campaign_rollup: null,
    histogram: null,
    stats: null,
    listed: null,
    failures: null,
  } as never);
  t.is(verdictOf(Object.values(told)), 'lagging');
  // What no delay can cause is told all the same.
  t.is(verdictOf(Object.values(differences(facts, { ...fewer, rawRows: 16 }, false))), 'different');
});

test('of a campaign under way only too many ends are a difference', (t) => {
  const running = { ...facts, status: 'running' as const, expected: 20, frozen: 20 };
  t.deepEqual(differences(running, stored), {});
  t.deepEqual(shownStates(running), {
    ...{ queued: 10, retrying: 0, sent: 9, failed: 1, dead: 0, suppressed: 0, cancelled: 0, expired: 0 },
  });
});

test('a campaign that could not start has no messages to miss', (t) => {
  const failed = { ...facts, status: 'failed' as const, tally: emptyTally() };
  const nothing = { ...stored, kinds: [], endedOrdinals: 0, terminalEvents: 0, endedRuns: 0 };
  t.false('ended' in differences(failed, nothing));
  t.false('missing' in differences(failed, nothing));
});

test('partitions lag when more of them is counted than stored, and only those of the campaign', (t) => {
  const two = { ...facts, cut: [40, 10, 7], partitions: [0, 2] };
  t.deepEqual(laggingPartitions(two, [40, 0, 7]), []);
  t.deepEqual(laggingPartitions(two, [39, -1, -1]), [
    { partition: 0, counted: 40, stored: 39 },
    { partition: 2, counted: 7, stored: 0 },
  ]);
});

test('counters from stored events are those that progress makes of the same events', (t) => {
  const events = fc.array(
    fc.record({
      kind: fc.constantFrom('sent', 'failed', 'dead', 'cancelled', 'expired', 'deferred', 'redriven', 'delivered'),
      previousKind: fc.constantFrom('failed', 'dead', 'delivered', null),
      deferrals: fc.integer({ min: 0, max: 2 }),
      ordinal: fc.integer({ min: -1, max: 6 }),
      repeat: fc.boolean(),
      occurredAtMs: fc.constant(1),
    }) as fc.Arbitrary<CountedEvent>,
  );
  fc.assert(
    fc.property(events, (log) => {
      const part = campaignPart(5, emptyTally());
      const kinds = log
        .filter((e) => !e.repeat)
        .map((e): KindCount => {
          const own = e.ordinal >= 0 && e.ordinal <= 5 ? 1 : 0;
          return {
            kind: e.kind,
            previous: e.previousKind ?? '',
            counted: 1,
            firstBelow: e.deferrals === 0 ? own : 0,
            laterBelow: e.deferrals > 0 ? own : 0,
          };
        });
      for (const e of log) count(part, e);
      const { surplus: _, firstAtMs: _first, lastAtMs: _last, ...counters } = part.tally;
      t.deepEqual(talliesOf(kinds), counters);
    }),
  );
});

test('states follow from events: a redrive takes a message out of the state that it names', (t) => {
  t.deepEqual(statesOf(stored.kinds), { sent: 9, failed: 1, dead: 0, suppressed: 0, cancelled: 0, expired: 0 });
});

test('a list of ids says how many it does not name', (t) => {
  const one = (figure: 'missing' | 'minute_rollup', difference: number) => ({
    figure,
    expected: 0,
    found: 0,
    difference,
  });
  t.is(restOf(one('missing', 30), 20, 20), 10);
  // Direct messages that are missing have no names.
  t.is(restOf(one('missing', 30), 5, 20), 25);
  // One bucket may stand for many events.
  t.is(restOf(one('minute_rollup', 30), 2, 20), 0);
  t.is(restOf(one('minute_rollup', 30), 20, 20), 10);
});

test('totals by figure leave out what is equal or not comparable', (t) => {
  const figures = [
    { figure: 'gaps', difference: 2 },
    { figure: 'gaps', difference: 3 },
    { figure: 'doubled', difference: 0 },
    { figure: 'listed', difference: null },
  ];
  t.deepEqual(totalsOf(figures), { gaps: 5 });
});

const HOUR = 3_600_000;
const at = (iso: string) => Date.parse(iso);
test('a run is due once a day from its hour on, and an hour after one that failed', (t) => {
  t.is(lastDueAtMs(at('2026-11-21T02:59:59Z'), 3), at('2026-11-20T03:00:00Z'));
  t.is(lastDueAtMs(at('2026-11-21T03:00:00Z'), 3), at('2026-11-21T03:00:00Z'));
  const run = (started: string, finished: string | null, failed = 0, partitions: unknown = []) => ({
    startedAtMs: at(started),
    finishedAtMs: finished === null ? null : at(finished),
    failed,
    partitions,
  });
  const now = at('2026-11-21T12:00:00Z');
  t.true(isRunDue(undefined, now, 3));
  t.true(isRunDue(run('2026-11-21T03:00:01Z', null), now, 3), 'it is gone on with');
  t.false(isRunDue(run('2026-11-21T03:00:01Z', '2026-11-21T03:10:00Z'), now, 3));
  t.true(isRunDue(run('2026-11-20T03:00:01Z', '2026-11-20T03:10:00Z'), now, 3));
  const failed = run('2026-11-21T03:00:01Z', '2026-11-21T03:10:00Z', 1);
  t.true(isRunDue(failed, now, 3));
  t.false(isRunDue(failed, at('2026-11-21T03:10:00Z') + HOUR - 1, 3));
  t.true(isRunDue(run('2026-11-21T03:00:01Z', '2026-11-21T03:10:00Z', 0, null), now, 3));
});
