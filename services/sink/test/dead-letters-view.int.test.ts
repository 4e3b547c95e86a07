import type { DeliveryEvent } from '@volley/contract';
import { event, newCampaignId } from './support.ts';
import { numbers, START, withDatabase, write } from './views.ts';

withDatabase('dead_letters has a message once, as long as its latest run stands failed or dead', async (t, db) => {
  const campaign_id = newCampaignId();
  const e = (ordinal: number, kind: DeliveryEvent['kind'], ms: number, more: Partial<DeliveryEvent> = {}) => ({
    event: event(ordinal, { campaign_id, kind, queued_at: START, occurred_at: START + ms, ...more }),
  });
  const place = (dlq_offset: number) => ({ dlq_partition: 3, dlq_offset });
  const repeat = <W extends object>(written: W) => ({ ...written, repeat: true });
  await write(db, 0, [
    e(1, 'sent', 10),
    e(2, 'failed', 20, { reason: 'recipient_refused', detail: '550 no', attempt: 1, ...place(7) }),
    e(3, 'dead', 30, { reason: 'attempts_exhausted', attempt: 8, ...place(8) }),
    // Ends twice in one run: the first counts, whichever it is.
    e(4, 'sent', 40),
    repeat(e(4, 'failed', 45, { reason: 'recipient_refused', ...place(9) })),
    e(5, 'failed', 50, { reason: 'recipient_refused', ...place(10) }),
    repeat(e(5, 'sent', 55)),
    // Redriven: on its way again, then sent.
    e(6, 'dead', 60, { reason: 'attempts_exhausted', ...place(11) }),
    e(6, 'redriven', 65, { run: 1, previous_kind: 'dead', reason: 'attempts_exhausted' }),
    e(7, 'failed', 70, { reason: 'recipient_refused', ...place(12) }),
    e(7, 'redriven', 75, { run: 1, previous_kind: 'failed' }),
    e(7, 'deferred', 76, { run: 1 }),
    e(7, 'sent', 77, { run: 1 }),
    // Redriven, and failed again: the letter of the latest run.
    e(8, 'failed', 80, { reason: 'recipient_refused', ...place(13) }),
    e(8, 'redriven', 85, { run: 1, previous_kind: 'failed' }),
    e(8, 'dead', 90, { run: 1, reason: 'provider_timeout', ...place(14) }),
    // Nobody knows where its letter lies, although an earlier run's is known.
    e(9, 'failed', 91, { reason: 'recipient_refused', ...place(15) }),
    e(9, 'redriven', 91, { run: 1, previous_kind: 'failed' }),
    e(9, 'failed', 92, { run: 1, reason: 'recipient_refused' }),
    e(10, 'expired', 93, { reason: 'expired' }),
  ]);
  await write(db, 100, [{ ...e(1, 'dead', 500, place(99)), repeat: true }]);
  const rows = await db.rows<Record<string, unknown>>(
    `SELECT * FROM dead_letters WHERE campaign_id = '${campaign_id}' ORDER BY ordinal`,
  );
  const offset = (row: Record<string, unknown>) => (row.dlq_offset === null ? null : Number(row.dlq_offset));
  t.deepEqual(
    rows.map((row) => [Number(row.ordinal), row.kind, row.reason, Number(row.run), offset(row)]),
    [
      [2, 'failed', 'recipient_refused', 0, 7],
      [3, 'dead', 'attempts_exhausted', 0, 8],
      [5, 'failed', 'recipient_refused', 0, 10],
      [8, 'dead', 'provider_timeout', 1, 14],
      [9, 'failed', 'recipient_refused', 1, null],
    ],
  );
  t.like(rows[0], { message_id: e(2, 'failed', 0).event.message_id, detail: '550 no', tenant_id: 'default' });
  t.deepEqual(numbers(rows[1], 'attempts', 'dlq_partition'), { attempts: 8, dlq_partition: 3 });
  const described = await db.rows<{ name: string; type: string }>('DESCRIBE TABLE dead_letters');
  t.is(described.find((c) => c.name === 'message_id')?.type, 'String');
});
