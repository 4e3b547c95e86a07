import type { DeliveryEvent } from '@volley/contract';
import { event, newCampaignId } from './support.ts';
import { exact, latencies, MINUTE_MS, numbers, START, type Written, withDatabase, within, write } from './views.ts';

withDatabase('percentiles are within 1% of the exact ones, per campaign and per minute', async (t, db) => {
  const campaign_id = newCampaignId();
  const e2e = latencies(6_000);
  const provider = latencies(6_000).map((ms) => Math.ceil(ms / 3));
  // Three minutes of 2,000; every fifth message was deferred before, with a provider call of its own.
  const events = e2e.flatMap((ms, i): Written[] => {
    const occurred_at = START + Math.floor(i / 2_000) * MINUTE_MS + (i % 2_000);
    const common = {
      campaign_id,
      occurred_at,
      queued_at: occurred_at - ms,
      e2e_ms: ms,
      provider_ms: provider[i] as number,
    };
    const sent = { event: event(i + 1, common) };
    return i % 5 === 0
      ? [{ event: event(i + 1, { ...common, kind: 'deferred', e2e_ms: 99_999, provider_ms: 1 }) }, sent]
      : [sent];
  });
  await write(db, 0, events);
  const [stats] = await db.rows<Record<string, unknown>>(
    `SELECT * FROM campaign_stats WHERE campaign_id = '${campaign_id}'`,
  );
  for (const [name, q] of [
    ['p50_ms', 0.5],
    ['p95_ms', 0.95],
    ['p99_ms', 0.99],
  ] as const) {
    t.true(within(stats?.[name], exact(e2e, q), 0.01), `${name} ${stats?.[name]} for ${exact(e2e, q)}`);
  }
  const minutes = await db.rows<Record<string, unknown>>(
    `SELECT * FROM latency_per_minute WHERE campaign_id = '${campaign_id}' ORDER BY minute`,
  );
  t.is(minutes.length, 3);
  for (const minute of [0, 1, 2]) {
    const of = e2e.slice(minute * 2_000, (minute + 1) * 2_000);
    const calls = [...provider.slice(minute * 2_000, (minute + 1) * 2_000), ...Array.from({ length: 400 }, () => 1)];
    const row = minutes[minute];
    t.is(Date.parse(`${row?.minute}Z`), START + minute * MINUTE_MS);
    for (const [name, q] of [
      ['p50_ms', 0.5],
      ['p95_ms', 0.95],
      ['p99_ms', 0.99],
    ] as const) {
      t.true(within(row?.[name], exact(of, q), 0.01), `${name} ${row?.[name]} for ${exact(of, q)}`);
    }
    t.true(within(row?.provider_p95_ms, exact(calls, 0.95), 0.01), `${row?.provider_p95_ms} for ${exact(calls, 0.95)}`);
  }
});

withDatabase('throughput_per_minute counts events by kind, repeats left out', async (t, db) => {
  const campaign_id = newCampaignId();
  const e = (ordinal: number, kind: DeliveryEvent['kind'], minute: number): DeliveryEvent =>
    event(ordinal, { campaign_id, kind, occurred_at: START + minute * MINUTE_MS + 59_999, queued_at: START });
  await write(db, 0, [
    { event: e(1, 'deferred', 0) },
    { event: e(1, 'sent', 0) },
    { event: e(2, 'sent', 0) },
    { event: e(2, 'sent', 0), repeat: true },
    { event: e(3, 'failed', 1) },
    { event: e(4, 'dead', 1) },
    { event: e(5, 'suppressed', 1) },
    { event: e(6, 'cancelled', 1) },
    { event: e(7, 'expired', 1) },
    { event: e(8, 'bounced', 1) },
  ]);
  // The same insert again, as after an answer that was lost.
  await write(db, 0, [{ event: e(1, 'deferred', 0) }], 't:0');
  const rows = await db.rows<Record<string, unknown>>(
    `SELECT * FROM throughput_per_minute WHERE campaign_id = '${campaign_id}' ORDER BY minute`,
  );
  t.is(rows.length, 2);
  t.like(rows[0], { tenant_id: 'default', channel: 'simulated', provider: 'simulated' });
  t.deepEqual(
    rows.map(({ minute }) => Date.parse(`${minute}Z`)),
    [START, START + MINUTE_MS],
  );
  const kinds = ['sent', 'failed', 'dead', 'deferred', 'suppressed', 'cancelled', 'expired', 'bounced'];
  t.deepEqual(Object.values(numbers(rows[0], ...kinds)), [2, 0, 0, 1, 0, 0, 0, 0]);
  t.deepEqual(Object.values(numbers(rows[1], ...kinds)), [0, 1, 1, 0, 1, 1, 1, 1]);
});

/** What a dispatcher writes of an attempt that it made, and of a message that it puts aside or ends without one. */
const called = (kind: DeliveryEvent['kind'], reason: string, attempt: number, provider_ms: number) =>
  ({ kind, reason, attempt, provider_ms }) satisfies Partial<DeliveryEvent>;
const uncalled = (kind: DeliveryEvent['kind'], reason: string, attempt: number) =>
  ({ kind, reason, attempt, provider_ms: 0, channel: '', provider: '' }) satisfies Partial<DeliveryEvent>;

const CALLS: [what: string, event: Partial<DeliveryEvent>, counted: string | undefined][] = [
  ['taken', called('sent', '', 1, 10), 'sent'],
  ['taken by the second attempt', called('sent', '', 2, 11), 'sent'],
  ['a temporary answer', called('deferred', 'provider_transient', 1, 12), 'transient'],
  ['no connection', called('deferred', 'connection_failed', 1, 13), 'transient'],
  ['told to slow down, by which no attempt is spent', called('deferred', 'provider_throttled', 0, 42), 'throttled'],
  ['told to slow down after an attempt', called('deferred', 'provider_throttled', 1, 43), 'throttled'],
  ['no answer', called('deferred', 'provider_timeout', 1, 60), 'timeout'],
  ['refused', called('failed', 'provider_refused', 1, 14), 'permanent'],
  ['the last of its attempts', called('dead', 'attempts_exhausted', 5, 15), 'exhausted'],
  ['told to slow down for too long', called('dead', 'patience_exhausted', 1, 16), 'other'],
  ['paused before its first attempt', uncalled('deferred', 'paused', 0), undefined],
  ['paused after an attempt', uncalled('deferred', 'paused', 1), undefined],
  ['held back by a limit after an attempt', uncalled('deferred', 'throttled', 1), undefined],
  ['held back by a breaker after an attempt', uncalled('deferred', 'breaker', 2), undefined],
  ['cancelled after an attempt', uncalled('cancelled', 'cancelled', 1), undefined],
  ['expired after an attempt', uncalled('expired', 'expired', 1), undefined],
  ['crashed', uncalled('dead', 'crashed', 1), undefined],
  // The provider that it would have gone to is known.
  ['not rendered', called('dead', 'missing_variable', 0, 0), undefined],
  ['not rendered when it came out of a tier', called('dead', 'render_failed', 1, 0), undefined],
  ['redriven', { ...called('redriven', 'provider_refused', 0, 0), run: 1, previous_kind: 'failed' }, undefined],
  ['reported by its provider later', called('bounced', '', 1, 0), undefined],
];

withDatabase('provider_health counts each call once and in one class, and nothing else', async (t, db) => {
  const at = { occurred_at: START + 5, queued_at: START };
  await write(
    db,
    0,
    CALLS.map(([, more], i) => ({ event: event(i + 1, { ...at, ...more }) })),
  );
  const rows = await db.rows<Record<string, unknown>>('SELECT * FROM provider_health');
  t.deepEqual(
    rows.map(({ provider, channel }) => [provider, channel]),
    [['simulated', 'simulated']],
  );
  const classes = ['sent', 'transient', 'throttled', 'timeout', 'permanent', 'exhausted', 'other'];
  const count = (of: string | undefined) => CALLS.filter(([, , counted]) => counted === of).length;
  const attempts = CALLS.length - count(undefined);
  t.deepEqual(numbers(rows[0], 'attempts', 'failures', 'failure_ratio', ...classes), {
    attempts,
    failures: attempts - count('sent'),
    failure_ratio: (attempts - count('sent')) / attempts,
    ...Object.fromEntries(classes.map((of) => [of, count(of)])),
  });
  const taken = CALLS.flatMap(([, { provider_ms = 0 }, counted]) => (counted === undefined ? [] : [provider_ms]));
  t.true(within(rows[0]?.p50_ms, exact(taken, 0.5), 0.01), `${rows[0]?.p50_ms} for ${exact(taken, 0.5)}`);
  t.true(within(rows[0]?.p99_ms, 60, 0.01) || within(rows[0]?.p99_ms, 43, 0.01), `${rows[0]?.p99_ms}`);
  for (const table of ['delivery_by_minute', 'delivery_by_hour', 'delivery_by_campaign']) {
    const [found] = await db.rows<Record<string, unknown>>(
      `SELECT sum(attempts) AS attempts, quantilesDDMerge(0.01, 0, 1)(provider_ms) AS ends FROM ${table}`,
    );
    t.is(Number(found?.attempts), attempts, table);
    const [least, most] = (found?.ends ?? []) as number[];
    t.true(within(least, 10, 0.01) && within(most, 60, 0.01), `${table}: ${least} to ${most}`);
  }
});
