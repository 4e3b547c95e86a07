import type { DeliveryEvent } from '@volley/contract';
import { event, newCampaignId } from './support.ts';
import { CONTRACT_COLUMNS, numbers, START, type Written, withDatabase, within, write } from './views.ts';

withDatabase(
  'delivery_events has the columns of the record and the place in the log, as the contract writes them',
  async (t, db) => {
    const e = event(1, {
      kind: 'dead',
      previous_kind: 'failed',
      reason: 'attempts_exhausted',
      detail: 'so "it" goes',
      tier: '5s',
      run: 2,
      attempt: 4,
      deferrals: 3,
      dlq_partition: 5,
      dlq_offset: 77,
      queued_at: START,
      occurred_at: START + 1_234,
      e2e_ms: 1_234,
    });
    await write(db, 40, [{ event: e }]);
    const described = await db.rows<{ name: string; type: string }>('DESCRIBE TABLE delivery_events');
    t.deepEqual(
      described.map(({ name }) => name),
      CONTRACT_COLUMNS,
    );
    const typeOf = (name: string) => described.find((c) => c.name === name)?.type;
    t.is(typeOf('occurred_at'), "DateTime64(3, 'UTC')");
    t.is(typeOf('queued_at'), "DateTime64(3, 'UTC')");
    t.is(typeOf('message_id'), 'String');
    const [row] = await db.rows<Record<string, unknown>>('SELECT * FROM delivery_events');
    const timeOf = (ms: number) => new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
    t.like(row, {
      message_id: e.message_id,
      campaign_id: e.campaign_id,
      tenant_id: 'default',
      recipient: e.recipient,
      kind: 'dead',
      previous_kind: 'failed',
      reason: 'attempts_exhausted',
      detail: 'so "it" goes',
      tier: '5s',
      queued_at: timeOf(START),
      occurred_at: timeOf(START + 1_234),
      is_repeat: false,
    });
    t.deepEqual(
      numbers(
        row,
        'run',
        'ordinal',
        'attempt',
        'deferrals',
        'e2e_ms',
        'dlq_partition',
        'dlq_offset',
        'source_partition',
        'source_offset',
      ),
      {
        run: 2,
        ordinal: 1,
        attempt: 4,
        deferrals: 3,
        e2e_ms: 1_234,
        dlq_partition: 5,
        dlq_offset: 77,
        source_partition: 0,
        source_offset: 40,
      },
    );
  },
);

withDatabase('campaign_stats counts each message once, under the end of its latest run', async (t, db) => {
  const campaign_id = newCampaignId();
  const at = (ms: number) => ({ campaign_id, occurred_at: START + ms, queued_at: START, e2e_ms: ms });
  const e = (ordinal: number, kind: DeliveryEvent['kind'], ms: number, more: Partial<DeliveryEvent> = {}): Written => ({
    event: event(ordinal, { ...at(ms), kind, ...more }),
  });
  const repeat = (written: Written): Written => ({ ...written, repeat: true });
  const first = [
    e(1, 'sent', 10),
    e(2, 'deferred', 20, { reason: 'provider_transient' }),
    e(2, 'sent', 30, { deferrals: 1 }),
    // Ends twice in one run: the first counts.
    e(3, 'failed', 40, { reason: 'provider_refused' }),
    repeat(e(3, 'sent', 50)),
    // Redriven: the later run counts.
    e(4, 'dead', 60, { reason: 'attempts_exhausted' }),
    e(4, 'redriven', 70, { run: 1, previous_kind: 'dead', reason: 'attempts_exhausted', attempt: 0 }),
    e(4, 'sent', 80, { run: 1 }),
    // Redriven and not ended again: no state counts.
    e(5, 'failed', 90, { reason: 'provider_refused' }),
    e(5, 'redriven', 100, { run: 1, previous_kind: 'failed', reason: 'provider_refused', attempt: 0 }),
    // A late event of the earlier run changes nothing.
    e(6, 'failed', 105, { reason: 'provider_refused' }),
    e(6, 'redriven', 106, { run: 1, previous_kind: 'failed', reason: 'provider_refused', attempt: 0 }),
    e(6, 'sent', 110, { run: 1 }),
    repeat(e(6, 'failed', 120, { run: 0 })),
    // Waits for its third attempt.
    e(7, 'deferred', 130, { reason: 'provider_timeout' }),
    e(7, 'deferred', 135, { reason: 'provider_timeout', deferrals: 1, attempt: 2 }),
    e(8, 'suppressed', 140),
    e(9, 'cancelled', 150, { attempt: 0 }),
    e(10, 'expired', 160, { reason: 'expired' }),
    e(11, 'dead', 170, { reason: 'missing_variable' }),
    // The log refused the message that was redriven: it stands where it stood, under its new run.
    e(12, 'failed', 180, { reason: 'provider_refused' }),
    e(12, 'redriven', 181, { run: 1, previous_kind: 'failed', reason: 'provider_refused', attempt: 0 }),
    e(12, 'failed', 182, { run: 1, reason: 'provider_refused', attempt: 0 }),
    // What comes back from the provider is no terminal event.
    e(1, 'delivered', 900),
    e(1, 'opened', 1_000),
  ];
  await write(db, 0, first);
  const expected = {
    sent: 4,
    failed: 2,
    dead: 1,
    suppressed: 1,
    cancelled: 1,
    expired: 1,
    terminal: 10,
    retrying: 1,
  };
  const rowOf = async (view: string) =>
    (await db.rows<Record<string, unknown>>(`SELECT * FROM ${view} WHERE campaign_id = '${campaign_id}'`))[0];
  const names = Object.keys(expected);
  t.deepEqual(numbers(await rowOf('campaign_stats'), ...names), expected);

  // A crash before the commit: the same range again.
  await write(db, 0, first);
  // Marked repeats are left out, whatever they say.
  await write(db, 100, [repeat(e(8, 'sent', 500)), repeat(e(13, 'sent', 510))]);
  const again = await rowOf('campaign_stats');
  t.deepEqual(numbers(again, ...names), expected);
  t.is(Date.parse(`${again?.first_occurred_at}Z`), START + 10);
  t.is(Date.parse(`${again?.last_occurred_at}Z`), START + 1_000);
  // Of the messages that were sent: 10, 30, 80 and 110 ms.
  t.true(within(again?.p50_ms, 30, 0.01), `${again?.p50_ms}`);
  t.true(within(again?.p99_ms, 80, 0.01), `${again?.p99_ms}`);

  // What the list of messages says adds up to the same.
  const states = await db.rows<{ state: string; n: string }>(
    `SELECT state, count() AS n FROM message_list WHERE campaign_id = '${campaign_id}' GROUP BY state ORDER BY state`,
  );
  t.deepEqual(Object.fromEntries(states.map(({ state, n }) => [state, Number(n)])), {
    cancelled: 1,
    dead: 1,
    deferred: 1,
    expired: 1,
    failed: 2,
    redriven: 1,
    sent: 4,
    suppressed: 1,
  });

  const counted = first.filter((w) => !w.repeat).length;
  const audited = {
    raw_rows: first.length + 2,
    log_records: first.length + 2,
    doubled_rows: 0,
    marked_repeats: 4,
    // Messages 3, 6 and 8 end twice in one run.
    repeated_ends: 3,
    counted_events: counted,
    minute_events: counted,
    hour_events: counted,
    campaign_events: counted,
    listable_messages: 12,
    listed_messages: 12,
    sent_events: 4,
    histogram_events: 4,
  };
  t.deepEqual(numbers(await rowOf('campaign_audit'), ...Object.keys(audited)), audited);

  // A range that another one overlaps is seen: rows that are there twice, and events that were counted twice.
  await write(db, 3, first.slice(3, 14), 'another end');
  const doubled = numbers(
    await rowOf('campaign_audit'),
    'doubled_rows',
    'counted_events',
    'minute_events',
    'listed_messages',
  );
  const twice = first.slice(3, 14).filter((w) => !w.repeat).length;
  t.deepEqual(doubled, {
    doubled_rows: 11,
    counted_events: counted,
    minute_events: counted + twice,
    listed_messages: 12,
  });
});

withDatabase('a campaign in which nothing was sent has no percentiles', async (t, db) => {
  await write(db, 0, [{ event: event(1, { kind: 'dead', reason: 'missing_variable', attempt: 0, provider_ms: 0 }) }]);
  const [row] = await db.rows<Record<string, unknown>>('SELECT sent, dead, p50_ms, p95_ms, p99_ms FROM campaign_stats');
  t.is(Number(row?.dead), 1);
  t.deepEqual([row?.p50_ms, row?.p95_ms, row?.p99_ms], [null, null, null]);
  const [latency] = await db.rows<Record<string, unknown>>('SELECT * FROM latency_per_minute');
  t.deepEqual([latency?.p50_ms, latency?.provider_p95_ms], [null, null]);
});

withDatabase('failure_reasons counts messages by the reason under which they ended, with samples', async (t, db) => {
  const campaign_id = newCampaignId();
  const dead = (ordinal: number, ms: number): Written => ({
    event: event(ordinal, {
      campaign_id,
      kind: 'dead',
      reason: 'missing_variable',
      occurred_at: START + ms,
      queued_at: START,
    }),
  });
  const events = Array.from({ length: 8 }, (_, i) => dead(i + 1, i * 10));
  await write(db, 0, [
    ...events,
    {
      event: event(9, {
        campaign_id,
        kind: 'deferred',
        reason: 'provider_transient',
        occurred_at: START,
        queued_at: START,
      }),
    },
    { event: event(9, { campaign_id, occurred_at: START + 1, queued_at: START, deferrals: 1 }) },
  ]);
  await write(db, 2, events.slice(2, 5), 'doubled');
  const rows = await db.rows<Record<string, unknown>>(
    `SELECT * FROM failure_reasons WHERE campaign_id = '${campaign_id}'`,
  );
  t.is(rows.length, 1);
  t.like(rows[0], { tenant_id: 'default', kind: 'dead', reason: 'missing_variable' });
  t.is(Number(rows[0]?.messages), 8);
  t.is(Date.parse(`${rows[0]?.first_occurred_at}Z`), START);
  t.is(Date.parse(`${rows[0]?.last_occurred_at}Z`), START + 70);
  t.deepEqual(
    rows[0]?.sample_message_ids,
    events.slice(0, 5).map(({ event: e }) => e.message_id),
  );
});
