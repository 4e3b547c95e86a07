import { type Breakers, NO_BREAKERS } from './breakers.ts';
import type { CampaignState } from './campaign-book.ts';
import type { Health } from './health.ts';
import { createPlace, isCongested, type Place, shutOf } from './place.ts';
import type { Hold } from './scheduler.ts';
import { createTokenBucket, type TokenBucket } from './token-bucket.ts';

/** What a provider allows, all dispatchers together. */
export interface ProviderLimits {
  readonly name: string;
  readonly ratePerSecond: number | undefined;
  /** Messages that may leave at once after a rest; without it a tenth of a second's. */
  readonly burst?: number | undefined;
  /** Calls at the same time; Infinity where the provider does not care. */
  readonly concurrency: number;
}

/** Why a call may not start. It costs no attempt. */
export interface LimitHold extends Hold {
  /** `message`: only what goes to the same destination is held; others of the campaign may go on. */
  readonly scope: 'campaign' | 'message';
  readonly reason: 'throttled' | 'breaker';
}

/** A call under way, to be given back by `release`. */
export interface Permit {
  readonly provider: Place;
  readonly host: Place | undefined;
  readonly campaign: Place | undefined;
  /** Its numbers where it is judged: at the host, or at the provider where there is no host. */
  readonly call: number;
  readonly ticket: number;
}

export interface LimitsOptions {
  /** C: calls that this process has under way at most. */
  readonly slots: number;
  /** With more than one configured, none of them may take the last sixteenth of the slots: one that hangs stops no other. */
  readonly providers: number;
  /** Calls at the same time, and burst, of one campaign, all dispatchers together. */
  readonly campaignConcurrency: number;
  readonly campaignBurst: number | undefined;
  readonly breakers: Breakers;
  /** Part of this process, above 0 and at most 1, of the limit with this key. */
  readonly share: (key: string) => number;
}

/** What waits here of one campaign. */
export interface Backlog {
  readonly campaign: CampaignState;
  readonly provider: ProviderLimits;
  readonly waiting: number;
}

/** A provider as seen from here. */
export interface ProviderState {
  readonly tenantId: string;
  readonly provider: string;
  readonly calls: number;
  /** Calls that may be under way now, and the most that they may become. */
  readonly limit: number;
  readonly ceiling: number;
  readonly ratePerSecond: number | undefined;
  readonly share: number;
  /** Monotonic. */
  readonly blockedUntilMs: number;
}

/**
 * Rate, burst and concurrency of providers and campaigns, each under a key that begins with the tenant; breakers; and
 * providers that asked to be left alone for a while. `destination`, for webhooks that go to the recipient's own address, is
 * the host called (`hostOf`, empty where there is none): breaker, concurrency and Retry-After then hold for that host only,
 * and none can take all calls.
 */
export interface Limits {
  /** Why this call may not start at `nowMs` (monotonic); undefined if it may. Takes nothing. */
  hold(campaign: CampaignState, provider: ProviderLimits, nowMs: number, destination?: string): LimitHold | undefined;
  /** A call starts, right after `hold` let it pass. */
  take(campaign: CampaignState, provider: ProviderLimits, nowMs: number, destination?: string): Permit;
  /** It is over. Answers on what names (`Hold.on`) somebody may be held who can go on now. */
  release(permit: Permit, health: Health, nowMs: number): readonly string[];
  /** "Slow down": no call before `untilMs`, to the host of the call where it had one, else to the provider. */
  block(permit: Permit, untilMs: number): void;
  /** The campaign has ended. */
  forget(campaignId: string): void;
  /** Backlog by key, for the keys that limit anything: the weights of this process's shares. */
  weights(backlog: Iterable<Backlog>): Record<string, number>;
  state(nowMs: number): readonly ProviderState[];
}

export const providerKey = (name: string) => `provider:${name}`;
export const campaignKey = (campaignId: string) => `campaign:${campaignId}`;
export const hostKey = (placeKey: string) => `host:${placeKey}`;

/** A share may change every second: what would be due later by it is looked at again by then. */
const LOOK_AGAIN_MS = 1_000;
const SLOTS_KEPT_FREE = 1 / 16;
/** Of a provider's calls, what one destination may always have; more only while as many are left free. */
const HOST_PART = 1 / 8;
const HOST_CALLS = 4;
/** Above this many destinations of a provider, those without a call under way are forgotten. */
const MANY_HOSTS = 10_000;

interface ProviderPlace extends Place {
  readonly tenantId: string;
  readonly limits: ProviderLimits;
  bucket: TokenBucket | undefined;
  readonly hosts: Map<string, Place>;
}
interface CampaignPlace extends Place {
  readonly campaignId: string;
  bucket: TokenBucket | undefined;
}

export function createLimits(options: Partial<LimitsOptions> = {}): Limits {
  const { slots = Number.POSITIVE_INFINITY, breakers = NO_BREAKERS, share = () => 1 } = options;
  const { campaignConcurrency = Number.POSITIVE_INFINITY, campaignBurst } = options;
  const mostCalls = (options.providers ?? 1) > 1 ? Math.max(1, slots - Math.ceil(slots * SLOTS_KEPT_FREE)) : slots;
  const campaigns = new Map<string, CampaignPlace>();
  const providers = new Map<string, ProviderPlace>();

  /** Whole calls of a shared limit; a product that misses a whole number by a rounding is that number. */
  const partOf = (all: number, key: string): number =>
    all === Number.POSITIVE_INFINITY ? all : Math.max(1, Math.floor(all * share(key) + 1e-6));
  const ceilingOf = (p: ProviderPlace): number => Math.min(mostCalls, partOf(p.limits.concurrency, p.key));
  /** Hosts are judged each by itself; the provider then only has its ceiling. */
  const providerLimit = (p: ProviderPlace): number =>
    p.hosts.size > 0 ? ceilingOf(p) : p.concurrency.limit(ceilingOf(p));
  const hostCeiling = (p: ProviderPlace): number => {
    const ceiling = ceilingOf(p);
    if (ceiling === Number.POSITIVE_INFINITY) return ceiling;
    return Math.min(ceiling, Math.max(HOST_CALLS, Math.floor(ceiling * HOST_PART), ceiling - p.calls));
  };

  const rated = (
    bucket: TokenBucket | undefined,
    rate: number,
    burst: number | undefined,
    key: string,
    now: number,
  ) => {
    const part = share(key);
    if (bucket === undefined) return createTokenBucket(rate * part, now, burst && burst * part);
    bucket.setRate(rate * part, now, burst && burst * part);
    return bucket;
  };

  const readyAtMs = ({ bucket, key }: ProviderPlace | CampaignPlace, nowMs: number): number => {
    const atMs = bucket?.readyAtMs(nowMs) ?? 0;
    return share(key) < 1 ? Math.min(atMs, nowMs + LOOK_AGAIN_MS) : atMs;
  };

  const providerOf = (tenantId: string, limits: ProviderLimits, nowMs: number): ProviderPlace => {
    const key = `${tenantId}/${providerKey(limits.name)}`;
    let p = providers.get(key);
    if (p === undefined) {
      p = { ...createPlace(key, providerKey(limits.name)), tenantId, limits, bucket: undefined, hosts: new Map() };
      providers.set(key, p);
    }
    if (limits.ratePerSecond !== undefined) p.bucket = rated(p.bucket, limits.ratePerSecond, limits.burst, key, nowMs);
    return p;
  };

  const campaignOf = (campaign: CampaignState, nowMs: number): CampaignPlace | undefined => {
    const { campaignId, ratePerSecond } = campaign;
    let c = campaigns.get(campaignId);
    if (ratePerSecond === undefined && campaignConcurrency === Number.POSITIVE_INFINITY) {
      // A rate that was taken away leaves no bucket behind.
      if (c !== undefined) c.bucket = undefined;
      return undefined;
    }
    if (c === undefined) {
      const on = campaignKey(campaignId);
      c = { ...createPlace(`${campaign.tenantId}/${on}`, on), campaignId, bucket: undefined };
      campaigns.set(campaignId, c);
    }
    c.bucket = ratePerSecond === undefined ? undefined : rated(c.bucket, ratePerSecond, campaignBurst, c.key, nowMs);
    return c;
  };

  /** Of the last one asked for: `take` comes right after `hold`, and both come once a message. */
  let last:
    | {
        campaign: CampaignState;
        provider: ProviderLimits;
        nowMs: number;
        p: ProviderPlace;
        c: CampaignPlace | undefined;
      }
    | undefined;
  const placesOf = (campaign: CampaignState, provider: ProviderLimits, nowMs: number) => {
    if (last?.campaign !== campaign || last.provider !== provider || last.nowMs !== nowMs) {
      const p = providerOf(campaign.tenantId, provider, nowMs);
      last = { campaign, provider, nowMs, p, c: campaignOf(campaign, nowMs) };
    }
    return last;
  };

  const hostOf = (p: ProviderPlace, destination: string): Place => {
    let host = p.hosts.get(destination);
    if (host === undefined) {
      if (p.hosts.size >= MANY_HOSTS) {
        // A block or a learned limit of theirs goes with them; their breakers stay.
        for (const [name, other] of p.hosts) if (other.calls === 0) p.hosts.delete(name);
      }
      const key = `${p.key}/${destination}`;
      host = createPlace(key, hostKey(key));
      p.hosts.set(destination, host);
    }
    return host;
  };

  const shut = (place: Place, scope: LimitHold['scope'], nowMs: number): LimitHold | undefined => {
    const why = shutOf(place, breakers, nowMs);
    return why && { on: why.on, untilMs: why.untilMs, scope, reason: why.reason };
  };
  const full = (place: Place, scope: LimitHold['scope']): LimitHold => {
    place.isAwaited = true;
    return { on: place.on, untilMs: Number.POSITIVE_INFINITY, scope, reason: 'throttled' };
  };
  function release(of: Permit, health: Health, nowMs: number): readonly string[] {
    const p = of.provider as ProviderPlace;
    const judged = of.host ?? p;
    const ceiling = of.host === undefined ? ceilingOf(p) : hostCeiling(p);
    if (health !== 'none') judged.concurrency.landed(of.call, isCongested(health), judged.calls, ceiling);
    breakers.end(judged.key, of.ticket, health, nowMs);
    const free: string[] = [];
    for (const place of [p, of.host, of.campaign]) {
      if (place === undefined) continue;
      place.calls -= 1;
      if (place.isAwaited) free.push(place.on);
      place.isAwaited = false;
    }
    return free;
  }

  return {
    hold(campaign, provider, nowMs, destination = '') {
      const { p, c } = placesOf(campaign, provider, nowMs);
      const closed = destination === '' ? shut(p, 'campaign', nowMs) : undefined;
      if (closed !== undefined) return closed;
      if (p.calls >= providerLimit(p)) return full(p, 'campaign');
      if (c !== undefined && c.calls >= partOf(campaignConcurrency, c.key)) return full(c, 'campaign');
      const untilMs = Math.max(readyAtMs(p, nowMs), c === undefined ? 0 : readyAtMs(c, nowMs));
      if (untilMs > nowMs) return { on: 'rate', untilMs, scope: 'campaign', reason: 'throttled' };
      if (destination === '') return undefined;
      const host = hostOf(p, destination);
      if (host.calls >= host.concurrency.limit(hostCeiling(p))) return full(host, 'message');
      return shut(host, 'message', nowMs);
    },

    take(campaign, provider, nowMs, destination = '') {
      const { p, c } = placesOf(campaign, provider, nowMs);
      const host = destination === '' ? undefined : hostOf(p, destination);
      const judged = host ?? p;
      p.calls += 1;
      p.bucket?.take(nowMs);
      if (c !== undefined) {
        c.calls += 1;
        c.bucket?.take(nowMs);
      }
      if (host !== undefined) host.calls += 1;
      return {
        provider: p,
        host,
        campaign: c,
        call: judged.concurrency.started(),
        ticket: breakers.start(judged.key, nowMs),
      };
    },

    release,

    block({ host, provider }, untilMs) {
      const place = host ?? provider;
      place.blockedUntilMs = Math.max(place.blockedUntilMs, untilMs);
    },

    forget(campaignId) {
      campaigns.delete(campaignId);
      last = undefined;
    },

    weights(backlog) {
      const weights: Record<string, number> = {};
      const add = (key: string, n: number) => {
        weights[key] = (weights[key] ?? 0) + n;
      };
      const limited = (limits: ProviderLimits) =>
        limits.ratePerSecond !== undefined || limits.concurrency !== Number.POSITIVE_INFINITY;
      // What is under way is work too: a process that sends all it has at once has no backlog and still needs its part.
      for (const p of providers.values()) if (limited(p.limits) && p.calls > 0) add(p.key, p.calls);
      for (const c of campaigns.values()) if (c.calls > 0) add(c.key, c.calls);
      for (const { campaign, provider, waiting } of backlog) {
        const { tenantId } = campaign;
        if (limited(provider)) add(`${tenantId}/${providerKey(provider.name)}`, waiting);
        if (campaign.ratePerSecond !== undefined || campaignConcurrency !== Number.POSITIVE_INFINITY)
          add(`${tenantId}/${campaignKey(campaign.campaignId)}`, waiting);
      }
      return weights;
    },

    state: (nowMs) =>
      [...providers.values()].map((p) => ({
        tenantId: p.tenantId,
        provider: p.limits.name,
        calls: p.calls,
        limit: providerLimit(p),
        ceiling: ceilingOf(p),
        ratePerSecond: p.limits.ratePerSecond,
        share: share(p.key),
        blockedUntilMs: p.blockedUntilMs > nowMs ? p.blockedUntilMs : 0,
      })),
  };
}
