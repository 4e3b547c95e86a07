import { campaignIdFrom, messageIdOf } from '@volley/contract';

/** A row of delivery_raw, as JSONEachRow has it. */
type Row = Readonly<Record<string, string | number | boolean | null>>;

export const MINUTE_MS = 60_000;

/** Two hours with something of everything that a dashboard shows; the same for the same start. */
export interface History {
  readonly rows: readonly Row[];
  readonly fromMs: number;
  readonly toMs: number;
  /** The one with a pause, a slow provider, failures of several kinds and messages that were sent again. */
  readonly campaign: string;
  readonly pausedFromMs: number;
  readonly pausedToMs: number;
}

interface Plan {
  readonly tenant: string;
  readonly channel: string;
  readonly providers: readonly string[];
  readonly lane: string;
  readonly firstMinute: number;
  readonly minutes: number;
  readonly perMinute: number;
  readonly typicalMs: number;
}

const PLANS: readonly Plan[] = [
  {
    tenant: 'default',
    channel: 'smtp',
    providers: ['mail-a', 'mail-b'],
    lane: 'bulk',
    firstMinute: 20,
    minutes: 90,
    perMinute: 60,
    typicalMs: 900,
  },
  {
    tenant: 'default',
    channel: 'webhook',
    providers: ['hooks'],
    lane: 'transactional',
    firstMinute: 0,
    minutes: 119,
    perMinute: 20,
    typicalMs: 60,
  },
  {
    tenant: 'acme',
    channel: 'simulated',
    providers: ['simulated'],
    lane: 'bulk',
    firstMinute: 5,
    minutes: 30,
    perMinute: 40,
    typicalMs: 300,
  },
  {
    tenant: 'acme',
    channel: 'simulated',
    providers: ['simulated'],
    lane: 'bulk',
    firstMinute: 70,
    minutes: 40,
    perMinute: 50,
    typicalMs: 200,
  },
];
const PAUSE = { from: 50.4, to: 57.2 };
const SLOW = { from: 75, to: 82, factor: 25 };
const REDRIVE_MINUTE = 95;

function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 1) / 4_294_967_297;
  };
}

const stamp = (ms: number) => new Date(ms).toISOString().replace('T', ' ').replace('Z', '');

/** `times` as many messages as a test needs make a fuller picture. */
export function history(startMs: number, times = 1): History {
  const random = chance(42);
  const logNormal = (typical: number, spread: number) =>
    typical * Math.exp(spread * Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random()));
  const rows: Row[] = [];
  const campaigns = PLANS.map((_, i) => campaignIdFrom(startMs + i, Buffer.from([i, 1, 2, 3, 4, 5])));

  function add(plan: number, ordinal: number, atMs: number, more: Row): void {
    const { tenant, channel, providers, lane } = PLANS[plan] as Plan;
    const campaign_id = campaigns[plan] as string;
    const e2e = Number(more.e2e_ms ?? 0);
    rows.push({
      message_id: messageIdOf(campaign_id, ordinal),
      run: 0,
      tenant_id: tenant,
      campaign_id,
      ordinal,
      recipient: `person${ordinal}@example.test`,
      kind: 'sent',
      previous_kind: null,
      attempt: 1,
      deferrals: 0,
      tier: '',
      lane,
      channel,
      provider: providers[ordinal % providers.length] as string,
      reason: '',
      detail: '',
      queued_at: stamp(atMs - e2e),
      occurred_at: stamp(atMs),
      provider_ms: Math.round(logNormal(40 + (ordinal % providers.length) * 60, 0.5)),
      e2e_ms: e2e,
      dlq_partition: null,
      dlq_offset: null,
      source_partition: plan,
      source_offset: rows.length,
      appended_at: stamp(atMs + 3),
      is_repeat: false,
      ...more,
    });
  }

  PLANS.forEach((plan, p) => {
    let ordinal = 0;
    const again: number[] = [];
    for (let minute = plan.firstMinute; minute < plan.firstMinute + plan.minutes; minute++) {
      const count = Math.round(plan.perMinute * times * (0.8 + 0.4 * random()));
      for (let i = 0; i < count; i++) {
        const at = minute + i / count;
        const paused = p === 0 && at >= PAUSE.from && at < PAUSE.to;
        if (paused && at > PAUSE.from + 0.2) continue;
        ordinal++;
        const atMs = startMs + Math.round(at * MINUTE_MS);
        if (paused) {
          // What is put aside without a call names no provider, whatever was tried before.
          const aside = { channel: '', provider: '', provider_ms: 0, attempt: ordinal % 2 };
          add(p, ordinal, atMs, { ...aside, kind: 'deferred', tier: 'held', reason: 'paused' });
          const resumedMs = startMs + Math.round((PAUSE.to + (ordinal % 30) / 60) * MINUTE_MS);
          add(p, ordinal, resumedMs, { deferrals: 1, e2e_ms: resumedMs - atMs });
          continue;
        }
        const slow = p === 0 && at >= SLOW.from && at < SLOW.to ? SLOW.factor : 1;
        const e2e_ms = Math.round(logNormal(plan.typicalMs * slow, 0.7));
        const luck = random();
        const letter = { dlq_partition: p, dlq_offset: ordinal };
        if (luck < 0.02) add(p, ordinal, atMs, { kind: 'failed', reason: 'recipient_refused', e2e_ms, ...letter });
        else if (luck < 0.03)
          add(p, ordinal, atMs, {
            kind: 'dead',
            attempt: 0,
            provider_ms: 0,
            reason: 'missing_variable',
            e2e_ms,
            ...letter,
          });
        else if (luck < 0.035) add(p, ordinal, atMs, { kind: 'suppressed', attempt: 0, provider_ms: 0, e2e_ms });
        else if (luck < 0.09) {
          const throttled = luck < 0.045;
          const reason = luck < 0.07 ? 'provider_transient' : 'provider_timeout';
          // To be asked to slow down costs no attempt.
          if (throttled) {
            const told = { kind: 'deferred', tier: 'memory', reason: 'provider_throttled', attempt: 0, e2e_ms };
            add(p, ordinal, atMs, told);
          } else add(p, ordinal, atMs, { kind: 'deferred', tier: '5s', reason, e2e_ms });
          const lost = random() < 0.1;
          add(p, ordinal, atMs + 5_000, {
            attempt: throttled ? 1 : 2,
            deferrals: 1,
            e2e_ms: e2e_ms + 5_000,
            ...(lost
              ? { kind: 'dead', reason: throttled ? 'patience_exhausted' : 'attempts_exhausted', ...letter }
              : {}),
          });
          if (lost && at < REDRIVE_MINUTE) again.push(ordinal);
        } else add(p, ordinal, atMs, { e2e_ms });
      }
    }
    const redrivenMs = startMs + REDRIVE_MINUTE * MINUTE_MS;
    for (const [i, of] of (p === 0 ? again : []).entries()) {
      add(p, of, redrivenMs + i, {
        kind: 'redriven',
        // As ingest-api writes it: nobody is asked to send anything yet.
        channel: '',
        provider: '',
        previous_kind: 'dead',
        run: 1,
        attempt: 0,
        provider_ms: 0,
      });
      add(p, of, redrivenMs + 400 + i, { run: 1, e2e_ms: 400 });
    }
  });

  return {
    rows,
    fromMs: startMs,
    toMs: startMs + 120 * MINUTE_MS,
    campaign: campaigns[0] as string,
    pausedFromMs: startMs + PAUSE.from * MINUTE_MS,
    pausedToMs: startMs + PAUSE.to * MINUTE_MS,
  };
}
