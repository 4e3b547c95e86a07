import {
  campaignIdFrom,
  createEncoder,
  createRepeatRule,
  type DeliveryEvent,
  directMessageIdOf,
  messageIdOf,
} from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import { createRepeats } from '../repeats.ts';
import { eventIn } from './event-bytes.ts';
import { countLog, statesOf, sumsOf } from './log-count.ts';

const CAMPAIGN = campaignIdFrom(1_790_000_000_000, Buffer.alloc(6, 7));
const encode = createEncoder('DeliveryEvent', 7);
const HOUR = Date.UTC(2026, 10, 21, 9);

function event(ordinal: number, more: Partial<DeliveryEvent> = {}): DeliveryEvent {
  return {
    message_id: messageIdOf(CAMPAIGN, ordinal),
    run: 0,
    tenant_id: 'default',
    campaign_id: CAMPAIGN,
    ordinal,
    recipient: 'łukasz@example.org',
    kind: 'sent',
    previous_kind: null,
    attempt: 1,
    deferrals: 0,
    tier: '',
    lane: 'bulk',
    channel: 'simulated',
    provider: 'first',
    reason: '',
    detail: '',
    queued_at: HOUR - 100,
    occurred_at: HOUR,
    provider_ms: 10,
    e2e_ms: 100,
    dlq_partition: null,
    dlq_offset: null,
    ...more,
  };
}

const logOf = (values: readonly Buffer[]) =>
  values.map((value, offset) => ({
    topic: 'deliveries',
    partition: 0,
    offset,
    key: null,
    value,
    headers: {},
    timestampMs: HOUR,
  }));

test('bytes are read by hand as the codec wrote them', (t) => {
  for (const one of [
    event(1),
    event(2, { kind: 'redriven', previous_kind: 'failed', run: 3, e2e_ms: -7, ordinal: 2 ** 32 - 1 }),
    event(3, { kind: 'dead', dlq_partition: 11, dlq_offset: 2 ** 40, detail: 'x'.repeat(256), queued_at: 2 ** 43 }),
  ])
    t.deepEqual(eventIn(encode(one)), one);
  const bytes = encode(event(1));
  t.deepEqual(eventIn(Buffer.concat([bytes, Buffer.of(0)])), event(1));
  for (let length = 0; length < bytes.length; length++)
    t.is(eventIn(bytes.subarray(0, length)), undefined, `${length}`);
  t.is(eventIn(Buffer.from('no event, but longer than a frame')), undefined);
  t.is(eventIn(null), undefined);
});

test('the rule written again says the same of any log as the one that the services use', (t) => {
  const said = fc.record({
    n: fc.integer({ min: 1, max: 4 }),
    run: fc.integer({ min: 0, max: 2 }),
    kind: fc.constantFrom('sent', 'failed', 'deferred', 'redriven', 'delivered'),
    deferrals: fc.integer({ min: 0, max: 2 }),
    // Past the window, now and then.
    gap: fc.constantFrom(1, 1, 1, 1, 2, 60_000, 131_071),
  });
  fc.assert(
    fc.property(fc.array(said, { maxLength: 60 }), (log) => {
      const rule = createRepeatRule();
      const repeats = createRepeats();
      let offset = 0;
      for (const { n, gap, ...rest } of log) {
        offset += gap;
        const one = event(n, rest as Partial<DeliveryEvent>);
        const mine = repeats({ offset, messageId: one.message_id, ...rest });
        t.is(mine, rule.offer(offset, one) === 'repeat');
      }
    }),
    { numRuns: 150 },
  );
});

test('a log is counted: repeats left out of sums, foreign ids and broken bytes set apart', (t) => {
  const direct = directMessageIdOf(CAMPAIGN, 'mine');
  const { rows, unstorable } = countLog(
    logOf([
      encode(event(1)),
      Buffer.from('no event'),
      encode(event(1, { kind: 'failed' })),
      encode(event(2, { kind: 'deferred', e2e_ms: 5, occurred_at: HOUR - 1 })),
      encode(event(2, { kind: 'dead', reason: 'attempts_exhausted', deferrals: 1, occurred_at: HOUR + 59_999 })),
      encode(event(3, { campaign_id: CAMPAIGN.replace(/^.{8}/, 'ffffffff') })),
      encode(event(9, { message_id: direct, ordinal: 0, e2e_ms: 101 })),
      encode(event(2, { kind: 'redriven', previous_kind: 'dead', run: 1, attempt: 0 })),
    ]),
  );
  t.deepEqual(unstorable, [
    { partition: 0, offset: 1 },
    { partition: 0, offset: 5 },
  ]);
  t.deepEqual(
    rows.map(({ offset, isRepeat }) => [offset, isRepeat]),
    [
      [0, false],
      [2, true],
      [3, false],
      [4, false],
      [6, false],
      [7, false],
    ],
  );
  const whose = `default|${CAMPAIGN}|simulated|first`;
  t.deepEqual(
    Object.fromEntries(Object.entries(sumsOf(rows)).map(([view, sums]) => [view, Object.fromEntries(sums)])),
    {
      throughput_per_minute: {
        [`${HOUR}|${whose}|sent`]: 2,
        [`${HOUR - 60_000}|${whose}|deferred`]: 1,
        [`${HOUR}|${whose}|dead`]: 1,
        [`${HOUR}|${whose}|redriven`]: 1,
      },
      throughput_per_hour: {
        [`${HOUR}|${whose}|sent`]: 2,
        [`${HOUR - 3_600_000}|${whose}|deferred`]: 1,
        [`${HOUR}|${whose}|dead`]: 1,
        [`${HOUR}|${whose}|redriven`]: 1,
      },
      latency_histogram_per_minute: { [`${HOUR}|${whose}|100`]: 1, [`${HOUR}|${whose}|150`]: 1 },
      failure_reasons_per_minute: { [`${HOUR}|${whose}|dead|attempts_exhausted`]: 1 },
      provider_health: {
        [`${HOUR}|first|simulated`]: 3,
        [`${HOUR - 60_000}|first|simulated`]: 1,
      },
      campaign_stats: { [`${CAMPAIGN}|sent`]: 2 },
    },
  );
  t.deepEqual(
    [...statesOf(rows)].map(([id, { state }]) => [id, state]),
    [
      [messageIdOf(CAMPAIGN, 1), 'sent'],
      [messageIdOf(CAMPAIGN, 2), 'redriven'],
      [direct, 'sent'],
    ],
  );
});
