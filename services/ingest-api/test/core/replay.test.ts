import type { ReplayStatus } from '@volley/contract/replays';
import test from 'ava';
import fc from 'fast-check';
import {
  checkAsk,
  decideReplay,
  estimateOf,
  optionsOf,
  REPLAY_ACTIONS,
  type ReplayAction,
  type ReplayAsk,
  type ReplayChange,
  type StandingReplay,
} from '../../src/core/replay.ts';
import { replayJob } from '../support/replays.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const LATER = '2026-11-29T12:00:00Z';

type More = Omit<Partial<StandingReplay>, 'job'> & { readonly job?: Partial<StandingReplay['job']> };
const standing = (status: ReplayStatus, { job, ...more }: More = {}): StandingReplay => ({
  pauseRequested: false,
  cancelRequested: false,
  actions: [],
  ...more,
  job: replayJob({ status, started_at: ['pending', 'paused'].includes(status) ? null : 1, ...job }),
});
const swapped = (more: object = {}) => ({ result: { equal: true, swapped: true, undo_until: LATER, ...more } });

/** As it is, what is asked, what changes; a word: why it is refused. */
const TABLE: readonly [string, StandingReplay, ReplayAction, ReplayChange | string][] = [
  ['pending', standing('pending'), 'pause', { status: 'paused' }],
  ['pending', standing('pending'), 'resume', {}],
  ['pending', standing('pending'), 'cancel', { status: 'cancelled', ended: true }],
  ['pending', standing('pending'), 'undo', 'after its end'],
  ['begun and pending', standing('pending', { job: { started_at: 1 } }), 'pause', { status: 'paused' }],
  ['begun and pending', standing('pending', { job: { started_at: 1 } }), 'resume', {}],
  [
    'begun and pending',
    standing('pending', { job: { started_at: 1 } }),
    'cancel',
    { status: 'pending', cancelRequested: true },
  ],
  ['begun and pending', standing('pending', { job: { started_at: 1 } }), 'undo', 'after its end'],
  ['running', standing('running'), 'pause', { pauseRequested: true }],
  ['running', standing('running'), 'resume', {}],
  ['running', standing('running'), 'cancel', { cancelRequested: true }],
  ['running', standing('running'), 'undo', 'after its end'],
  ['being paused', standing('running', { pauseRequested: true }), 'pause', {}],
  ['being paused', standing('running', { pauseRequested: true }), 'resume', { pauseRequested: false }],
  ['being paused', standing('running', { pauseRequested: true }), 'cancel', { cancelRequested: true }],
  ['being paused', standing('running', { pauseRequested: true }), 'undo', 'after its end'],
  ['being cancelled', standing('running', { cancelRequested: true }), 'pause', 'being cancelled'],
  ['being cancelled', standing('running', { cancelRequested: true }), 'resume', 'being cancelled'],
  ['being cancelled', standing('running', { cancelRequested: true }), 'cancel', {}],
  ['being cancelled', standing('running', { cancelRequested: true }), 'undo', 'after its end'],
  ['paused', standing('paused'), 'pause', {}],
  ['paused', standing('paused'), 'resume', { status: 'pending', pauseRequested: false }],
  ['paused', standing('paused'), 'cancel', { status: 'cancelled', ended: true }],
  ['paused', standing('paused'), 'undo', 'after its end'],
  [
    'begun and paused',
    standing('paused', { job: { started_at: 1 } }),
    'cancel',
    { status: 'pending', cancelRequested: true },
  ],
  ['done', standing('done'), 'pause', 'has ended'],
  ['done', standing('done'), 'resume', 'has ended'],
  ['done', standing('done'), 'cancel', 'has ended'],
  ['done and not swapped', standing('done', { job: { result: { equal: true, swapped: false } } }), 'undo', 'no swap'],
  ['done without a result', standing('done'), 'undo', 'no swap'],
  ['failed', standing('failed'), 'pause', 'has ended'],
  ['failed', standing('failed'), 'resume', 'has ended'],
  ['failed', standing('failed'), 'cancel', 'has ended'],
  ['failed', standing('failed'), 'undo', 'no swap'],
  ['cancelled', standing('cancelled'), 'pause', 'has ended'],
  ['cancelled', standing('cancelled'), 'resume', 'has ended'],
  ['cancelled', standing('cancelled'), 'cancel', {}],
  ['cancelled', standing('cancelled'), 'undo', 'no swap'],
  ['swapped', standing('done', { job: swapped() }), 'undo', { undoRequested: true }],
  ['swapped, an undo failed', standing('failed', { job: swapped() }), 'undo', { undoRequested: true }],
  ['swapped and undone', standing('done', { job: swapped({ undone: true }) }), 'undo', 'no swap'],
  [
    'swapped too long ago',
    standing('done', { job: swapped({ undo_until: '2026-11-22T12:00:00Z' }) }),
    'undo',
    'were kept till',
  ],
  ['deliveries', standing('done', { job: { target: 'deliveries', ...swapped() } }), 'undo', 'only a swap'],
  ['to be undone', standing('done', { job: { undo_requested: true, ...swapped() } }), 'undo', {}],
  [
    'to be undone',
    standing('done', { job: { undo_requested: true, ...swapped() } }),
    'cancel',
    { undoRequested: false },
  ],
  ['to be undone', standing('done', { job: { undo_requested: true, ...swapped() } }), 'pause', 'has ended'],
  ['being undone', standing('running', { job: { undo_requested: true, ...swapped() } }), 'undo', {}],
  [
    'being undone',
    standing('running', { job: { undo_requested: true, ...swapped() } }),
    'pause',
    { pauseRequested: true },
  ],
  [
    'being undone',
    standing('running', { job: { undo_requested: true, ...swapped() } }),
    'cancel',
    { cancelRequested: true },
  ],
];
for (const [name, before, action, after] of TABLE) {
  test(`${action} of a replay that is ${name}: ${typeof after === 'string' ? 'refused' : JSON.stringify(after)}`, (t) => {
    const decided = decideReplay(before, action, NOW);
    if (typeof after === 'string') {
      t.false(decided.ok);
      if (decided.ok) return;
      t.is(decided.failure.code, 'illegal_transition');
      t.true(decided.failure.detail.includes(after), decided.failure.detail);
      t.deepEqual(decided.failure.extra, { current_status: before.job.status });
    } else t.deepEqual(decided, { ok: true, value: after });
  });
}

test('whatever was asked, asking for the same again changes nothing', (t) => {
  const applied = (s: StandingReplay, c: ReplayChange): StandingReplay => ({
    ...s,
    pauseRequested: c.pauseRequested ?? s.pauseRequested,
    cancelRequested: c.cancelRequested ?? s.cancelRequested,
    job: { ...s.job, status: c.status ?? s.job.status, undo_requested: c.undoRequested ?? s.job.undo_requested },
  });
  fc.assert(
    fc.property(fc.constantFrom(...TABLE.map(([, s]) => s)), fc.constantFrom(...REPLAY_ACTIONS), (before, action) => {
      const first = decideReplay(before, action, NOW);
      if (!first.ok) return;
      const second = decideReplay(applied(before, first.value), action, NOW);
      // Taking an undo back twice: the second time there is nothing to take back.
      if (before.job.undo_requested && action === 'cancel' && before.job.status === 'done') t.false(second.ok);
      else t.deepEqual(second, { ok: true, value: {} });
    }),
  );
});

const ask = (more: Partial<ReplayAsk>): ReplayAsk => ({
  target: 'analytics',
  dry_run: false,
  allow_gap: false,
  send: false,
  confirm: false,
  reason: '',
  ...more,
});
const campaign_id = 'c';

for (const [what, asked, pointers] of [
  ['the whole log', ask({}), []],
  ['a part of it', ask({ campaign_id, from: 1, to: 2, kinds: ['sent'], allow_gap: true, rate_per_second: 5 }), []],
  ['the whole log, swapped always', ask({ swap: 'always' }), []],
  ['a part of it, and no swap', ask({ from: 1, swap: 'never' }), []],
  ['a part of it, swapped', ask({ from: 1, swap: 'if_equal' }), ['/swap']],
  ['a time that ends before it begins', ask({ from: 2, to: 2 }), ['/to']],
  [
    'statistics with what belongs to deliveries',
    ask({ send: true, confirm: true, template: 'x' }),
    ['/send', '/confirm', '/template', '/template'],
  ],
  ['deliveries', ask({ target: 'deliveries', campaign_id, from: 1, template: 'x', subject: 's' }), []],
  ['deliveries that are sent', ask({ target: 'deliveries', campaign_id, send: true, confirm: true }), []],
  ['deliveries of no campaign', ask({ target: 'deliveries' }), ['/campaign_id']],
  [
    'deliveries of some kinds, swapped',
    ask({ target: 'deliveries', campaign_id, kinds: ['sent'], swap: 'never' }),
    ['/kinds', '/swap'],
  ],
  [
    'another text that is sent',
    ask({ target: 'deliveries', campaign_id, send: true, confirm: true, template: 'x' }),
    ['/template'],
  ],
  [
    'a time of which what failed is sent',
    ask({ target: 'deliveries', campaign_id, send: true, confirm: true, from: 1, to: 2 }),
    ['/from', '/to'],
  ],
  ['a rehearsal', ask({ target: 'rehearsal', campaign_id, rate_per_second: 1 }), []],
  [
    'a rehearsal of a time',
    ask({ target: 'rehearsal', campaign_id, from: 1, allow_gap: true }),
    ['/from', '/allow_gap'],
  ],
] as const) {
  test(`${what}: ${pointers.length === 0 ? 'makes sense' : `is refused for ${pointers.join(', ')}`}`, (t) => {
    const wrong = checkAsk(asked);
    t.deepEqual(wrong?.failure.errors?.map(({ pointer }) => pointer) ?? [], pointers);
    t.is(wrong?.failure.code, pointers.length === 0 ? undefined : 'validation_failed');
  });
}

test('sending again wants to be asked for twice, unless nothing is done', (t) => {
  const send = ask({ target: 'deliveries', campaign_id, send: true });
  t.is(checkAsk(send)?.failure.code, 'confirmation_needed');
  t.is(checkAsk({ ...send, confirm: true }), undefined);
  t.is(checkAsk({ ...send, dry_run: true }), undefined);
});

test('the whole log is swapped if it is equal, a part of it never, and nothing of other targets', (t) => {
  t.is(optionsOf(ask({})).swap, 'if_equal');
  for (const part of [{ campaign_id }, { from: 1 }, { to: 1 }, { kinds: ['sent'] }])
    t.is(optionsOf(ask(part)).swap, 'never', JSON.stringify(part));
  t.is(optionsOf(ask({ swap: 'always' })).swap, 'always');
  t.is(optionsOf(ask({ target: 'deliveries', campaign_id })).swap, 'never');
});

for (const [total, rate, earlier, expected] of [
  [1_000, 100, undefined, { seconds: 10, records_per_second: 100, by: 'rate' }],
  [1_000, 100, 50, { seconds: 20, records_per_second: 50, by: 'earlier_replays' }],
  [1_001, 100, 1_000, { seconds: 11, records_per_second: 100, by: 'rate' }],
  [1_000, undefined, 500, { seconds: 2, records_per_second: 500, by: 'earlier_replays' }],
  [1_000, undefined, undefined, { seconds: null, records_per_second: null, by: 'nothing' }],
  [0, undefined, undefined, { seconds: 0, records_per_second: null, by: 'nothing' }],
] as const) {
  test(`${total} records at a rate of ${rate} after replays at ${earlier}: ${expected.seconds} s by ${expected.by}`, (t) => {
    t.deepEqual(estimateOf(total, rate, earlier), expected);
  });
}
