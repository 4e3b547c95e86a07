import test from 'ava';
import { type Breakers, NO_BREAKERS } from '../../src/core/breakers.ts';
import type { CampaignState } from '../../src/core/campaign-book.ts';
import type { Health } from '../../src/core/health.ts';
import { createLimits, type LimitsOptions, type Permit, type ProviderLimits } from '../../src/core/limits.ts';

let counter = 0;
const campaignWith = (ratePerSecond: number | undefined, tenantId = 'default'): CampaignState =>
  ({ campaignId: `c${++counter}`, tenantId, ratePerSecond }) as CampaignState;
const provider = (concurrency: number, ratePerSecond?: number): ProviderLimits => ({
  name: 'p',
  concurrency,
  ratePerSecond,
});
const FOREVER = Number.POSITIVE_INFINITY;

/** Takes as many calls as may start at `nowMs`, at most `most`. */
function takeAll(
  limits: ReturnType<typeof createLimits>,
  campaign: CampaignState,
  p: ProviderLimits,
  most = 1_000,
  destination = '',
): Permit[] {
  const permits: Permit[] = [];
  while (permits.length < most && limits.hold(campaign, p, 0, destination) === undefined)
    permits.push(limits.take(campaign, p, 0, destination));
  return permits;
}

test('the lower of campaign and provider rate holds, and one campaign’s rate is not another’s', (t) => {
  const limits = createLimits();
  const [slow, fast] = [campaignWith(10), campaignWith(undefined)];
  const p = provider(FOREVER, 100);
  t.is(takeAll(limits, slow, p).length, 1);
  t.like(limits.hold(slow, p, 0), { on: 'rate', scope: 'campaign', reason: 'throttled' });
  t.is(Math.round(limits.hold(slow, p, 0)?.untilMs ?? 0), 100);
  t.is(takeAll(limits, fast, p).length, 9);
  t.is(Math.round(limits.hold(fast, p, 0)?.untilMs ?? 0), 10);
});

test('one tenant’s use of a provider is not another’s', (t) => {
  const limits = createLimits();
  const p = provider(2, 10);
  t.is(takeAll(limits, campaignWith(undefined, 'a'), p).length, 1);
  t.is(takeAll(limits, campaignWith(undefined, 'b'), p).length, 1);
  t.deepEqual(
    limits.state(0).map((s) => [s.tenantId, s.calls]),
    [
      ['a', 1],
      ['b', 1],
    ],
  );
});

test('a rate that is taken away leaves nothing behind', (t) => {
  const limits = createLimits();
  const campaign = campaignWith(1);
  const p = provider(FOREVER);
  t.is(takeAll(limits, campaign, p).length, 1);
  t.is(takeAll(limits, { ...campaign, ratePerSecond: undefined }, p, 50).length, 50);
});

test('a full provider holds until a call is over, and says that somebody may go on', (t) => {
  const limits = createLimits();
  const campaign = campaignWith(undefined);
  const p = provider(2);
  const [first] = takeAll(limits, campaign, p, 1);
  t.deepEqual(limits.release(first as Permit, 'answered', 0), []);
  const permits = takeAll(limits, campaign, p);
  t.is(permits.length, 2);
  t.deepEqual(limits.hold(campaign, p, 0), {
    on: 'provider:p',
    untilMs: FOREVER,
    scope: 'campaign',
    reason: 'throttled',
  });
  t.deepEqual(limits.release(permits[0] as Permit, 'answered', 0), ['provider:p']);
  t.is(limits.hold(campaign, p, 0), undefined);
});

test('whoever was held is told, also when the limit has grown since', (t) => {
  let share = 0.25;
  const limits = createLimits({ share: () => share });
  const campaign = campaignWith(undefined);
  const p = provider(8);
  const permits = takeAll(limits, campaign, p);
  t.is(permits.length, 2);
  share = 1;
  t.deepEqual(limits.release(permits[0] as Permit, 'answered', 0), ['provider:p']);
  t.deepEqual(limits.release(permits[1] as Permit, 'answered', 0), []);

  const hosts = [
    ...takeAll(limits, campaign, p, 4, 'slow.example'),
    ...takeAll(limits, campaign, p, 3, 'fast.example'),
  ];
  t.like(limits.hold(campaign, p, 0, 'slow.example'), { scope: 'message' });
  for (const permit of hosts.slice(4)) limits.release(permit, 'answered', 0);
  t.deepEqual(limits.release(hosts[0] as Permit, 'answered', 0), ['host:default/provider:p/slow.example']);
});

test('a full campaign holds itself and no other', (t) => {
  const limits = createLimits({ campaignConcurrency: 3 });
  const [one, other] = [campaignWith(undefined), campaignWith(undefined)];
  const p = provider(FOREVER);
  const permits = takeAll(limits, one, p);
  t.is(permits.length, 3);
  t.like(limits.hold(one, p, 0), { on: `campaign:${one.campaignId}`, scope: 'campaign' });
  t.is(takeAll(limits, other, p).length, 3);
  t.deepEqual(limits.release(permits[0] as Permit, 'answered', 0), [`campaign:${one.campaignId}`]);
});

test('a provider that asked for a pause gets it, another one does not', (t) => {
  const limits = createLimits();
  const campaign = campaignWith(undefined);
  const p = provider(9);
  const permit = limits.take(campaign, p, 0);
  limits.block(permit, 500);
  limits.block(permit, 300);
  t.like(limits.hold(campaign, p, 499), { on: 'provider_throttled', untilMs: 500, scope: 'campaign' });
  t.is(limits.hold(campaign, { ...p, name: 'q' }, 0), undefined);
  t.is(limits.hold(campaign, p, 500), undefined);
});

test('a host that asked for a pause gets it, the others of its provider do not', (t) => {
  const limits = createLimits();
  const campaign = campaignWith(undefined);
  const p = provider(64);
  limits.block(limits.take(campaign, p, 0, 'slow.example'), 500);
  t.like(limits.hold(campaign, p, 0, 'slow.example'), { untilMs: 500, scope: 'message', reason: 'throttled' });
  t.is(limits.hold(campaign, p, 0, 'fast.example'), undefined);
});

const withShare = (share: number, more: Partial<LimitsOptions> = {}) => createLimits({ share: () => share, ...more });

test('this process uses its share of rate, burst and concurrency, and never less than one call', (t) => {
  const p: ProviderLimits = { ...provider(16, 1_000), burst: 8 };
  t.is(takeAll(withShare(0.5), campaignWith(undefined), p).length, 4);
  t.is(takeAll(withShare(0.5), campaignWith(undefined), provider(16)).length, 8);
  t.is(takeAll(withShare(1 / 3), campaignWith(undefined), provider(9)).length, 3);
  // 0.29 × 100 is 28.999…
  t.is(takeAll(withShare(0.29), campaignWith(undefined), provider(100)).length, 29);
  t.is(takeAll(withShare(0.01), campaignWith(undefined), provider(16)).length, 1);
  t.is(takeAll(withShare(0.25), campaignWith(100), provider(FOREVER)).length, 2);
});

test('with a share a rate is looked at again within a second: the share may have grown', (t) => {
  const p = provider(FOREVER, 0.1);
  const limits = withShare(0.01);
  takeAll(limits, campaignWith(undefined), p);
  t.is(limits.hold(campaignWith(undefined), p, 0)?.untilMs, 1_000);
});

test('with several providers none takes the last sixteenth of the slots', (t) => {
  const one = createLimits({ slots: 64, providers: 1 });
  t.is(takeAll(one, campaignWith(undefined), provider(FOREVER)).length, 64);
  const several = createLimits({ slots: 64, providers: 2 });
  t.is(takeAll(several, campaignWith(undefined), provider(FOREVER)).length, 60);
  t.is(several.hold(campaignWith(undefined), { ...provider(FOREVER), name: 'q' }, 0), undefined);
});

test('one host always leaves as many calls free as it takes beyond its part', (t) => {
  const limits = createLimits({ slots: 512 });
  const campaign = campaignWith(undefined);
  const p = provider(64);
  t.is(takeAll(limits, campaign, p, 1_000, 'slow.example').length, 32);
  t.like(limits.hold(campaign, p, 0, 'slow.example'), { scope: 'message', untilMs: FOREVER });
  const others = Array.from({ length: 40 }, (_, i) => takeAll(limits, campaign, p, 1, `h${i}.example`).length);
  t.is(
    others.reduce((sum, n) => sum + n, 0),
    32,
  );
  t.like(limits.hold(campaign, p, 0, 'another.example'), { on: 'provider:p', scope: 'campaign' });
});

test('with others at work a host has an eighth of the calls, and four where that is less', (t) => {
  for (const [concurrency, part] of [
    [64, 8],
    [16, 4],
  ] as const) {
    const limits = createLimits();
    const campaign = campaignWith(undefined);
    const p = provider(concurrency);
    for (let i = 0; i < concurrency - part; i++) limits.take(campaign, p, 0, `h${i}.example`);
    t.is(takeAll(limits, campaign, p, 100, 'slow.example').length, part);
  }
});

test('a host that does not answer is called less, the others are not', (t) => {
  const limits = createLimits();
  const campaign = campaignWith(undefined);
  const p = provider(64);
  for (let round = 0; round < 30; round++) {
    const permits = takeAll(limits, campaign, p, 1_000, 'slow.example');
    for (const permit of permits) limits.release(permit, 'silent', round);
  }
  t.is(takeAll(limits, campaign, p, 1_000, 'slow.example').length, 1);
  t.true(takeAll(limits, campaign, p, 1_000, 'fast.example').length >= 31);
});

test('a provider that throttles is called less, one that only refuses is not', (t) => {
  const after = (health: Health) => {
    const limits = createLimits();
    const p = provider(64);
    const campaign = campaignWith(undefined);
    for (let round = 0; round < 30; round++)
      for (const permit of takeAll(limits, campaign, p)) limits.release(permit, health, round);
    return takeAll(limits, campaign, p).length;
  };
  t.is(after('throttled'), 1);
  t.is(after('silent'), 1);
  t.is(after('answered'), 64);
  t.is(after('erring'), 64);
  t.is(after('none'), 64);
});

test('an open breaker holds its provider, or only its host; what comes after begins with one call', (t) => {
  let openKey = 'default/provider:p';
  let untilMs = 700;
  const ended: [string, number, Health][] = [];
  const breakers: Breakers = {
    ...NO_BREAKERS,
    openUntilMs: (key, nowMs) => (key === openKey && nowMs < untilMs ? untilMs : 0),
    start: () => 7,
    end: (key, ticket, health) => void ended.push([key, ticket, health]),
  };
  const limits = createLimits({ breakers });
  const campaign = campaignWith(undefined);
  const p = provider(64);
  t.deepEqual(limits.hold(campaign, p, 0), {
    on: 'breaker:default/provider:p',
    untilMs: 700,
    scope: 'campaign',
    reason: 'breaker',
  });
  t.is(limits.hold(campaign, p, 0, 'a.example'), undefined);
  openKey = 'default/provider:p/a.example';
  t.like(limits.hold(campaign, p, 0, 'a.example'), { scope: 'message', reason: 'breaker', untilMs: 700 });
  t.is(limits.hold(campaign, p, 0, 'b.example'), undefined);
  untilMs = 0;
  t.is(takeAll(limits, campaign, p, 100, 'a.example').length, 1);
  limits.release(limits.take(campaign, p, 0, 'b.example'), 'erring', 5);
  t.deepEqual(ended, [['default/provider:p/b.example', 7, 'erring']]);
});

test('weights name what is limited and has work: what waits, and what is under way', (t) => {
  const limits = createLimits();
  const [rated, free] = [campaignWith(10), campaignWith(undefined)];
  const [limited, unlimited] = [provider(8), { ...provider(FOREVER), name: 'q' }];
  limits.take(rated, limited, 0);
  limits.take(free, unlimited, 0);
  t.deepEqual(
    limits.weights([
      { campaign: rated, provider: limited, waiting: 5 },
      { campaign: free, provider: limited, waiting: 7 },
      { campaign: free, provider: unlimited, waiting: 9 },
    ]),
    { 'default/provider:p': 13, [`default/campaign:${rated.campaignId}`]: 6 },
  );
});
