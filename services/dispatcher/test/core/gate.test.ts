import { type CampaignEvent, RETRY_TIERS, type Reason, topicsOf } from '@volley/contract';
import test from 'ava';
import { type CampaignState, createCampaignBook } from '../../src/core/campaign-book.ts';
import { fateOf, type LimitHold, MAX_AGE_MS, patienceOf, verdictOf } from '../../src/core/gate.ts';
import { createSources, type Source } from '../../src/core/sources.ts';
import { campaignEvent, messageOf, newCampaignId } from '../support.ts';

const id = newCampaignId();
const NOW = 1_800_000_000_000;
const campaign = (more: Parameters<typeof campaignEvent>[1]): CampaignState => {
  const book = createCampaignBook();
  book.apply(campaignEvent(id, more));
  return book.get(id) as CampaignState;
};
const message = (more: Parameters<typeof messageOf>[2] = {}) => messageOf(id, 1, { queued_at: NOW - 1_000, ...more });
const AGE = NOW - 1_000 + MAX_AGE_MS;

const rows = [
  ['a running campaign sends', message(), campaign({}), { go: 'send' }],
  [
    'an unknown campaign waits until the message is too old',
    message(),
    undefined,
    { go: 'wait', why: 'campaign_unknown', untilMs: AGE },
  ],
  [
    'a lower version than the message asks for waits',
    message({ campaign_version: 2 }),
    campaign({}),
    { go: 'wait', why: 'campaign_unknown', untilMs: AGE },
  ],
  ['a higher version than the message asks for sends', message(), campaign({ version: 9 }), { go: 'send' }],
  ['paused waits', message(), campaign({ status: 'paused' }), { go: 'wait', why: 'paused', untilMs: AGE }],
  [
    'paused waits no longer than the message lives',
    message({ expires_at: NOW + 5 }),
    campaign({ status: 'paused' }),
    { go: 'wait', why: 'paused', untilMs: NOW + 5 },
  ],
  ['draft waits', message(), campaign({ status: 'draft' }), { go: 'wait', why: 'paused', untilMs: AGE }],
  ['cancelling ends as cancelled', message(), campaign({ status: 'cancelling' }), { go: 'end', kind: 'cancelled' }],
  [
    'cancelling wins over expiry',
    message({ expires_at: NOW - 1 }),
    campaign({ status: 'cancelling' }),
    { go: 'end', kind: 'cancelled' },
  ],
  ['past its own deadline ends as expired', message({ expires_at: NOW }), campaign({}), { go: 'end', kind: 'expired' }],
  ['one millisecond before it is sent', message({ expires_at: NOW + 1 }), campaign({}), { go: 'send' }],
  [
    "past the campaign's deadline ends as expired",
    message(),
    campaign({ expires_at: NOW }),
    { go: 'end', kind: 'expired' },
  ],
  [
    'after ten days ends as expired',
    message({ queued_at: NOW - MAX_AGE_MS }),
    campaign({}),
    { go: 'end', kind: 'expired' },
  ],
  [
    'expires while paused',
    message({ expires_at: NOW }),
    campaign({ status: 'paused' }),
    { go: 'end', kind: 'expired' },
  ],
  [
    'expires without ever knowing its campaign',
    message({ expires_at: NOW }),
    undefined,
    { go: 'end', kind: 'expired' },
  ],
  ['a completed campaign makes it a repeat', message(), campaign({ status: 'completed' }), { go: 'repeat' }],
  ['a cancelled campaign makes it a repeat', message(), campaign({ status: 'cancelled' }), { go: 'repeat' }],
  [
    'a completed one that is older than the message decides nothing',
    message({ campaign_version: 2 }),
    campaign({ status: 'completed' }),
    { go: 'wait', why: 'campaign_unknown', untilMs: AGE },
  ],
] as const;

for (const [title, m, c, wanted] of rows) {
  test(`gate: ${title}`, (t) => {
    t.deepEqual(verdictOf(m, c, NOW), wanted as ReturnType<typeof verdictOf>);
  });
}

test('the book ignores versions that are not newer and drops the template of an ended campaign', (t) => {
  const book = createCampaignBook();
  t.true(book.apply(campaignEvent(id, { version: 3, status: 'running', template: 'T' })));
  t.false(book.apply(campaignEvent(id, { version: 3, status: 'paused' })));
  t.false(book.apply(campaignEvent(id, { version: 2, status: 'paused' })));
  t.is(book.get(id)?.status, 'running');
  t.is(book.get(id)?.template, 'T');
  t.true(book.apply(campaignEvent(id, { version: 4, status: 'completed', template: 'T' })));
  t.is(book.get(id)?.template, '');
  book.remove(id);
  t.is(book.size(), 0);
});

test('a rate of zero, below zero or beyond all numbers is no rate', (t) => {
  for (const rate of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    t.is(campaign({ rate_per_second: rate }).ratePerSecond, undefined);
  t.is(campaign({ rate_per_second: 0.5 }).ratePerSecond, 0.5);
});

test('a test message is sent whatever its campaign is, and not after its deadline', (t) => {
  for (const status of ['draft', 'paused', 'completed', 'cancelling'] as const)
    t.deepEqual(verdictOf(message(), campaign({ status }), NOW, true), { go: 'send' });
  t.like(verdictOf(message(), undefined, NOW, true), { go: 'wait', why: 'campaign_unknown' });
  t.deepEqual(verdictOf(message({ expires_at: NOW }), campaign({}), NOW, true), { go: 'end', kind: 'expired' });
});

const MONOTONIC = 50_000;
const FOREVER = Number.POSITIVE_INFINITY;
const sources = createSources(topicsOf('t'), RETRY_TIERS);
const patience = patienceOf(sources);
const LANE = sources.of('t.messages.bulk');

interface Ask {
  readonly message?: ReturnType<typeof message>;
  readonly campaign?: CampaignState | undefined;
  readonly hold?: LimitHold;
  readonly source?: Source;
  readonly arrivedMs?: number;
  readonly standingSinceMs?: number;
}
const ask = (a: Ask) =>
  fateOf(
    {
      message: a.message ?? message(),
      source: a.source ?? LANE,
      isTest: false,
      arrivedMs: a.arrivedMs ?? MONOTONIC,
      seat: { standingSinceMs: a.standingSinceMs ?? -1 },
    },
    'campaign' in a ? a.campaign : campaign({}),
    () => a.hold,
    patience,
    NOW,
    MONOTONIC,
  );
const rate = (waitMs: number): LimitHold => ({ on: 'rate', untilMs: MONOTONIC + waitMs, reason: 'throttled' });
const breaker = (waitMs: number): LimitHold => ({ on: 'breaker:p', untilMs: MONOTONIC + waitMs, reason: 'breaker' });
const full: LimitHold = { on: 'provider:p', untilMs: FOREVER, reason: 'throttled', scope: 'campaign' };
const fullHost: LimitHold = { on: 'host:h', untilMs: FOREVER, reason: 'throttled', scope: 'message' };
const book = (status: CampaignEvent['status'], sinceMs: number) => {
  const b = createCampaignBook();
  b.apply(campaignEvent(id, { status }), sinceMs);
  return b.get(id);
};
const tier = (n: number) => sources.of(topicsOf('t').retry[n] as string);
const move = (to: number | 'held', waitMs: number, reason: Reason, detail = '') =>
  ({ go: 'move', to, waitMs, reason, detail }) as const;

const fates: readonly [string, Ask, ReturnType<typeof ask>][] = [
  ['nothing holds it: it is sent', {}, { go: 'send' }],
  ['a rate holds it until its time', { hold: rate(300) }, { ...rate(300) }],
  ['no longer than it lives', { hold: rate(300), message: message({ expires_at: NOW + 5 }) }, { ...rate(5) }],
  ['nor than its campaign', { hold: rate(300), campaign: campaign({ expires_at: NOW + 7 }) }, { ...rate(7) }],
  ['a wait of more than ten seconds is not stood', { hold: rate(10_001) }, move(1, 10_001, 'throttled', 'rate')],
  ['one of ten seconds is', { hold: rate(10_000) }, { ...rate(10_000) }],
  [
    'a breaker open for half an hour moves to the tier of an hour',
    { hold: breaker(1_800_000) },
    move(3, 1_800_000, 'breaker', 'breaker:p'),
  ],
  [
    'who has stood ten seconds moves on, at least for the shortest tier',
    { hold: rate(300), standingSinceMs: MONOTONIC - 10_000 },
    move(0, 5_000, 'throttled', 'rate'),
  ],
  [
    'who has stood nine is looked at again in one',
    { hold: rate(3_000), standingSinceMs: MONOTONIC - 9_000 },
    { ...rate(1_000) },
  ],
  ['a full provider wakes whom it holds: there is no time', { hold: full }, full],
  [
    'a full host wakes one of many: each has its time',
    { hold: fullHost },
    { ...fullHost, untilMs: MONOTONIC + 10_000 },
  ],
  [
    'a queue however long moves nobody: only the next one stands',
    { hold: rate(300), arrivedMs: MONOTONIC - 3_600_000 },
    { ...rate(300) },
  ],
  [
    'paused: its grace first',
    { campaign: book('paused', MONOTONIC - 400) },
    { on: 'paused', untilMs: MONOTONIC + 600 },
  ],
  ['paused: then held', { campaign: book('paused', MONOTONIC - 1_000) }, move('held', 0, 'paused')],
  [
    'unknown: ten seconds from its arrival',
    { campaign: undefined, arrivedMs: MONOTONIC - 4_000 },
    { on: 'campaign_unknown', untilMs: MONOTONIC + 6_000 },
  ],
  [
    'unknown: then the first tier',
    { campaign: undefined, arrivedMs: MONOTONIC - 10_000 },
    move(0, FOREVER, 'campaign_unknown'),
  ],
  [
    'unknown out of a tier: the next one at once',
    { campaign: undefined, source: tier(1) },
    move(2, FOREVER, 'campaign_unknown'),
  ],
  [
    'cancelled is not asked for its limits',
    { campaign: book('cancelling', 0), hold: full },
    { go: 'end', kind: 'cancelled' },
  ],
];

for (const [title, given, wanted] of fates) {
  test(`fate: ${title}`, (t) => {
    t.deepEqual(ask(given), wanted);
  });
}

test('a campaign that stays paused through another event has been paused since the first', (t) => {
  const b = createCampaignBook();
  b.apply(campaignEvent(id, { version: 1, status: 'paused' }), 100);
  b.apply(campaignEvent(id, { version: 2, status: 'paused' }), 900);
  t.is(b.get(id)?.sinceMs, 100);
  b.apply(campaignEvent(id, { version: 3, status: 'running' }), 1_500);
  t.is(b.get(id)?.sinceMs, 1_500);
});
