import { CAMPAIGN_STATUSES, type CampaignStatus, isEnded } from '@volley/contract';
import test from 'ava';
import fc from 'fast-check';
import {
  type Campaign,
  type CampaignCommand,
  type CampaignContent,
  decide,
  fold,
  foldAll,
  type StoredFact,
} from '../../src/core/campaign.ts';
import { publications } from '../../src/core/campaign-record.ts';

const content: CampaignContent = {
  name: 'A',
  template: 'Hi',
  subject: '',
  from: '',
  reply_to: '',
  content_type: 'text/plain',
  channel: 'simulated',
  provider: 'simulated',
  segment_rule: '',
  lane: 'bulk',
  rate_per_second: null,
  max_attempts: null,
  expires_at: null,
};
const CREATE: CampaignCommand = { type: 'create', tenant_id: 'default', content };
const SEND: CampaignCommand = { type: 'send', expected: 5, spread: 1, partitions: 12 };

/** Applies commands one after the other; what is refused leaves no fact. */
function run(commands: readonly CampaignCommand[]) {
  const facts: StoredFact[] = [];
  const refused: (string | undefined)[] = [];
  for (const command of commands) {
    const decided = decide(foldAll(facts), command);
    refused.push(decided.ok ? undefined : decided.failure.code);
    if (!decided.ok) continue;
    const version = facts.length + 1;
    facts.push({ event_id: `e${version}`, campaign_id: 'c', version, occurred_at: version, fact: decided.value });
  }
  return { facts, refused, state: foldAll(facts) };
}

/** A way to each status. */
const WAYS: Partial<Record<CampaignStatus, CampaignCommand[]>> = {
  draft: [CREATE],
  running: [CREATE, SEND],
  paused: [CREATE, SEND, { type: 'pause' }],
  cancelling: [CREATE, SEND, { type: 'cancel' }],
  cancelled: [CREATE, SEND, { type: 'cancel' }, { type: 'complete', failures: false }],
  completed: [CREATE, SEND, { type: 'complete', failures: false }],
  completed_with_failures: [CREATE, SEND, { type: 'complete', failures: true }],
};
const COMMANDS: Record<string, CampaignCommand> = {
  change: { type: 'change', changes: { name: 'B' } },
  delete: { type: 'delete' },
  send: SEND,
  pause: { type: 'pause' },
  resume: { type: 'resume' },
  cancel: { type: 'cancel' },
  complete: { type: 'complete', failures: false },
};
/** status -> command -> status after it; everything else is refused. */
const ALLOWED: Partial<Record<CampaignStatus, Record<string, CampaignStatus>>> = {
  draft: { change: 'draft', delete: 'draft', send: 'running' },
  running: { pause: 'paused', cancel: 'cancelling', complete: 'completed' },
  paused: { resume: 'running', cancel: 'cancelling', complete: 'completed' },
  cancelling: { complete: 'cancelled' },
};

for (const status of CAMPAIGN_STATUSES.filter((s) => WAYS[s])) {
  for (const [name, command] of Object.entries(COMMANDS)) {
    const after = ALLOWED[status]?.[name];
    test(`${name} in ${status}: ${after ?? 'illegal_transition'}`, (t) => {
      const { state } = run(WAYS[status] ?? []);
      t.is(state?.status, status);
      const decided = decide(state, command);
      if (after === undefined) {
        t.false(decided.ok);
        if (!decided.ok) t.like(decided.failure, { code: 'illegal_transition', extra: { current_status: status } });
        return;
      }
      t.true(decided.ok);
      t.is(run([...(WAYS[status] ?? []), command]).state?.status, after);
    });
  }
}

test('a send without an audience is refused, and the draft stays', (t) => {
  const { refused, state } = run([CREATE, { ...SEND, expected: 0 } as CampaignCommand]);
  t.deepEqual(refused, [undefined, 'empty_audience']);
  t.is(state?.status, 'draft');
});

test('a deleted draft is no campaign any more', (t) => {
  const { refused } = run([CREATE, { type: 'delete' }, SEND, { type: 'change', changes: {} }]);
  t.deepEqual(refused, [undefined, undefined, 'not_found', 'not_found']);
});

test('send fixes what messages are made with', (t) => {
  const { state } = run([CREATE, { type: 'change', changes: { name: 'B' } }, SEND]);
  t.like(state, { name: 'B', expected: 5, spread: 1, partitions: 12, sent_version: 3, sent_at: 3 });
});

const anyCommand = fc.constantFrom(CREATE, ...Object.values(COMMANDS));

test('whatever commands come: versions have no gap, an ended campaign never changes, a draft has no audience', (t) => {
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 30 }), (commands) => {
      const { facts } = run(commands);
      let state: Campaign | undefined;
      for (const [i, fact] of facts.entries()) {
        const before = state;
        state = fold(state, fact);
        if (fact.version !== i + 1 || state.version !== fact.version) return false;
        if (before && (isEnded(before.status) || before.deleted)) return false;
        if ((state.status === 'draft') !== (state.expected === 0)) return false;
      }
      return true;
    }),
  );
  t.pass();
});

test('the relay publishes what is above the published version, in order, with the state after each', (t) => {
  const { facts } = run([CREATE, SEND, { type: 'pause' }, { type: 'resume' }]);
  const due = publications(facts, 1);
  t.deepEqual(
    due.map(({ version, record }) => [version, record?.version, record?.type, record?.status]),
    [
      [2, 2, 'sent', 'running'],
      [3, 3, 'paused', 'paused'],
      [4, 4, 'resumed', 'running'],
    ],
  );
  t.deepEqual(publications(facts, 4), []);
});

test('a deleted draft leaves the topic', (t) => {
  const { facts } = run([CREATE, { type: 'delete' }]);
  t.deepEqual(
    publications(facts, 1).map(({ record }) => record),
    [null],
  );
});
