import { type DeliveryEvent, directMessageIdOf } from '@volley/contract';
import { event, newCampaignId } from './support.ts';
import { START, type Written, withDatabase, write } from './views.ts';

withDatabase(
  'message_list has each message once, as it stands, in whatever order its events came in',
  async (t, db) => {
    const campaign_id = newCampaignId();
    const e = (
      ordinal: number,
      kind: DeliveryEvent['kind'],
      ms: number,
      more: Partial<DeliveryEvent> = {},
    ): Written => ({
      event: event(ordinal, { campaign_id, kind, queued_at: START, occurred_at: START + ms, ...more }),
    });
    const redriven = { run: 1, previous_kind: 'failed', attempt: 0, reason: 'recipient_refused' };
    const events = [
      e(1, 'deferred', 1, { reason: 'provider_timeout' }),
      e(2, 'deferred', 2, { reason: 'provider_timeout' }),
      e(2, 'deferred', 3, { reason: 'provider_transient', attempt: 2, deferrals: 1 }),
      e(3, 'failed', 4, { reason: 'recipient_refused' }),
      e(4, 'failed', 5, { reason: 'recipient_refused' }),
      e(1, 'sent', 6, { attempt: 2, deferrals: 1 }),
      e(3, 'redriven', 7, { ...redriven, queued_at: START + 7 }),
      e(4, 'redriven', 8, redriven),
      e(4, 'sent', 9, { run: 1, queued_at: START + 8 }),
      e(1, 'opened', 10),
      // The clock of another machine: the order of the log decides.
      e(5, 'deferred', 500, { reason: 'paused', attempt: 0, tier: 'held' }),
      e(5, 'cancelled', 20, { deferrals: 1, attempt: 0 }),
      // Ends twice, so far apart that nobody knew of the first: it stands all the same.
      e(6, 'sent', 30),
      e(6, 'failed', 40, { reason: 'recipient_refused' }),
      e(6, 'deferred', 50, { reason: 'provider_timeout' }),
    ];
    const expected = [
      [1, 'sent', '', 2, 0, 6],
      [2, 'deferred', 'provider_transient', 2, 0, 3],
      [3, 'redriven', 'recipient_refused', 0, 7, 7],
      [4, 'sent', '', 1, 8, 9],
      [5, 'cancelled', '', 0, 0, 20],
      [6, 'sent', '', 1, 0, 30],
    ];
    const list = async () =>
      (
        await db.rows<Record<string, string>>(
          `SELECT * FROM message_list WHERE tenant_id = 'default' AND campaign_id = '${campaign_id}' ORDER BY ordinal`,
        )
      ).map((row) => [
        Number(row.ordinal),
        row.state,
        row.reason,
        Number(row.attempts),
        Date.parse(`${row.queued_at}Z`) - START,
        Date.parse(`${row.occurred_at}Z`) - START,
      ]);
    // Later ranges first, as when a partition is taken over: what stands does not depend on it, merged or not.
    const cuts: [number, number][] = [
      [8, 15],
      [0, 4],
      [4, 8],
    ];
    for (const [from, to] of cuts) await write(db, from, events.slice(from, to));
    t.deepEqual(await list(), expected);
    await db.client.command({ query: 'OPTIMIZE TABLE message_latest FINAL' });
    t.deepEqual(await list(), expected);
    const described = await db.rows<{ name: string; type: string }>('DESCRIBE TABLE message_list');
    t.deepEqual(
      described.map(({ name }) => name),
      [
        'tenant_id',
        'campaign_id',
        'ordinal',
        'message_id',
        'recipient',
        'state',
        'reason',
        'attempts',
        'queued_at',
        'occurred_at',
      ],
    );
  },
);

withDatabase('direct messages are told apart, and read page by page', async (t, db) => {
  const campaign_id = newCampaignId();
  const ids = Array.from({ length: 50 }, (_, i) => directMessageIdOf(campaign_id, `order-${i}`));
  const events = ids.map((message_id, i): Written => {
    const recipient = `person${i}@example.test`;
    return {
      event: event(0 + 1, { campaign_id, message_id, ordinal: 0, recipient, occurred_at: START, queued_at: START }),
    };
  });
  await write(db, 0, events);
  const seen: string[] = [];
  for (let after = ''; ; after = seen.at(-1) as string) {
    const page = await db.rows<{ message_id: string }>(
      `SELECT message_id FROM message_list WHERE tenant_id = 'default' AND campaign_id = '${campaign_id}' AND ordinal = 0
         AND message_id > '${after}' ORDER BY ordinal, message_id LIMIT 7`,
    );
    if (page.length === 0) break;
    seen.push(...page.map(({ message_id }) => message_id));
  }
  t.deepEqual(seen, [...ids].sort());
});

withDatabase('the histogram counts what was sent, up to and with the bound of a bucket', async (t, db) => {
  const campaign_id = newCampaignId();
  const latencies: [e2e: number, bucket: number][] = [
    [0, 1],
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 5],
    [100, 100],
    [101, 150],
    [150, 150],
    [999, 1_000],
    [1_000, 1_000],
    [1_001, 1_500],
    [3_600_000, 5_000_000],
    [864_000_000, 1_000_000_000],
    [1_000_000_000, 1_000_000_000],
    [5_000_000_000, 1_000_000_000],
  ];
  const common = { campaign_id, occurred_at: START, queued_at: START };
  await write(db, 0, [
    ...latencies.map(([e2e_ms], i) => ({ event: event(i + 1, { ...common, e2e_ms }) })),
    { event: event(90, { ...common, kind: 'failed' as const, e2e_ms: 7 }) },
    { event: event(1, { ...common, e2e_ms: 7 }), repeat: true },
  ]);
  const found = await db.rows<{ bucket_ms: number; sent: string; minute: string }>(
    `SELECT minute, bucket_ms, sent FROM latency_histogram_per_minute WHERE campaign_id = '${campaign_id}' ORDER BY bucket_ms`,
  );
  const expected = new Map<number, number>();
  for (const [, bucket] of latencies) expected.set(bucket, (expected.get(bucket) ?? 0) + 1);
  t.deepEqual(new Map(found.map((row) => [Number(row.bucket_ms), Number(row.sent)])), expected);
  t.is(Date.parse(`${found[0]?.minute}Z`), START);
});
