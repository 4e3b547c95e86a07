import type { StatsView } from '@volley/contract/http';
import test from 'ava';
import { accountsOf, type LoadApi, settle } from '../src/accounts.ts';

const stats = (change: Partial<StatsView>): StatsView => ({
  ...{ campaign_id: 'c', status: 'completed', total: 0, queued: 0, retrying: 0 },
  ...{ sent: 0, failed: 0, dead: 0, suppressed: 0, cancelled: 0, expired: 0 },
  ...{ p50_ms: null, p95_ms: null, p99_ms: null, percentiles_as_of: null, stale: false },
  ...{ throughput_per_s: 0, as_of: '2026-11-21T10:00:00.000Z', lag_ms: 0 },
  ...change,
});

const CASES: [
  name: string,
  accepted: number,
  unknown: number,
  stats: Partial<StatsView>[],
  problem: RegExp | undefined,
][] = [
  ['everything was sent', 100, 0, [{ total: 100, sent: 100 }], undefined],
  [
    'every terminal state counts',
    6,
    0,
    [{ total: 6, sent: 1, failed: 1, dead: 1, suppressed: 1, cancelled: 1, expired: 1 }],
    undefined,
  ],
  [
    'over several campaigns',
    30,
    0,
    [
      { total: 10, sent: 10 },
      { total: 20, sent: 19, failed: 1 },
    ],
    undefined,
  ],
  ['one is lost', 100, 0, [{ total: 99, sent: 99 }], /100 messages were accepted, and only 99 are counted/],
  [
    'one is there that nobody sent',
    100,
    0,
    [{ total: 101, sent: 101 }],
    /101 messages are counted, and at most 100 were sent/,
  ],
  ['what nobody knows may be there', 100, 5, [{ total: 103, sent: 103 }], undefined],
  ['and may not be there', 100, 5, [{ total: 100, sent: 100 }], undefined],
  ['but no more than that', 100, 5, [{ total: 106, sent: 106 }], /at most 105/],
  ['one has not ended', 100, 0, [{ total: 100, sent: 98, queued: 1, retrying: 1 }], /2 of 100 messages have not ended/],
];
for (const [name, accepted, unknown, list, problem] of CASES) {
  test(`${name}: ${problem === undefined ? 'accounted for' : 'told'}`, (t) => {
    const accounts = accountsOf(accepted, unknown, list.map(stats));
    t.is(accounts.accounted, problem === undefined, accounts.problems.join());
    if (problem !== undefined) t.regex(accounts.problems.join(), problem);
  });
}

/** An API that answers these, one after the other, then the last one for ever. */
const api = (answers: readonly (StatsView | Error)[]): LoadApi & { asked: number } => {
  let asked = 0;
  return {
    get asked() {
      return asked;
    },
    async request<T>() {
      const answer = answers[Math.min(asked++, answers.length - 1)];
      if (answer instanceof Error) throw answer;
      return answer as T;
    },
    upload: () => Promise.reject(new Error('nobody uploads')),
  };
};
const target = { campaignId: 'c', arrival: 0 };

test('settled when each has ended, through an API that is away for a while', async (t) => {
  const on = [
    stats({ status: 'running', total: 10, sent: 2, queued: 8 }),
    new Error('away'),
    stats({ status: 'running', total: 10, sent: 10 }),
    stats({ status: 'completed', total: 10, sent: 10 }),
  ];
  const system = api(on);
  t.like(await settle(system, [target], { timeoutMs: 10_000 }), { 0: { sent: 10, status: 'completed' } });
  t.is(system.asked, 4);
});

test('when the time is up, as it is', async (t) => {
  const known = await settle(api([stats({ status: 'running', total: 10, sent: 2, queued: 8 })]), [target], {
    timeoutMs: 0,
  });
  t.is(known[0]?.queued, 8);
  t.deepEqual(await settle(api([new Error('away')]), [target], { timeoutMs: 0 }), []);
});
