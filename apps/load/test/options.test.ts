import test from 'ava';
import { LoadError } from '../src/load-error.ts';
import { type Asked, askedOf, checkTarget, type LoadOptions, planAt } from '../src/options.ts';
import { countText, durationMs, msText, shareText, stagesOf, tickText } from '../src/units.ts';

const CORES = 2;
const UNDERSTOOD: [name: string, options: LoadOptions, asked: (a: Asked) => unknown, wanted: unknown][] = [
  [
    'a rate and a time: NDJSON, after a warm-up',
    { rate: 2_000, duration: '60' },
    ({ plan }) => [plan.shape, plan.stages],
    [
      'ndjson',
      [
        { perSecond: 2_000, seconds: 5, warmUp: true },
        { perSecond: 2_000, seconds: 60, warmUp: false },
      ],
    ],
  ],
  ['a minute without a time', { rate: 10 }, ({ plan }) => plan.stages.at(-1)?.seconds, 60],
  ['a short run has a short warm-up', { rate: 10, duration: '5s' }, ({ plan }) => plan.stages[0]?.seconds, 1],
  ['no warm-up', { rate: 10, warmUp: '0' }, ({ plan }) => plan.stages.length, 1],
  [
    'stages, also in several options',
    { stage: ['1000:10s,2000:1m', '500:5'], warmUp: '2s' },
    ({ plan }) => plan.stages.map((s) => [s.perSecond, s.seconds, s.warmUp]),
    [
      [1_000, 2, true],
      [1_000, 10, false],
      [2_000, 60, false],
      [500, 5, false],
    ],
  ],
  ['NDJSON comes in bodies of 100', { rate: 2_000 }, ({ plan }) => plan.perRequest, 100],
  [
    'one generator is enough for campaigns',
    { rate: 9_000, duration: '10s', shape: 'campaign' },
    ({ plan }) => plan.generators,
    1,
  ],
  [
    'more generators for more requests',
    { rate: 6_000, shape: 'direct', duration: '5s' },
    ({ plan }) => plan.generators,
    2,
  ],
  ['no more than cores', { rate: 90_000, shape: 'direct', duration: '5s' }, ({ plan }) => plan.generators, CORES],
  [
    'a paced campaign meets a provider that takes all at once, because its rate counts attempts',
    { rate: 10, shape: 'campaign' },
    ({ plan }) => plan.script?.text,
    'steady',
  ],
  ['the provider as it is set', { rate: 10, shape: 'campaign', simulate: 'own' }, ({ plan }) => plan.script, undefined],
  [
    'direct messages meet the provider as it is set',
    { rate: 10, shape: 'direct' },
    ({ plan }) => plan.script,
    undefined,
  ],
  [
    'a named provider as well',
    { rate: 10, shape: 'campaign', provider: 'smtp-1' },
    ({ plan }) => [plan.provider, plan.script],
    ['smtp-1', undefined],
  ],
  [
    'capacity: tries of ten seconds',
    { findCapacity: true },
    ({ plan, capacity }) => [plan.stages.at(-1), capacity],
    [
      { perSecond: 500, seconds: 10, warmUp: false },
      { trySeconds: 10, tries: 14, maxTimeMs: 900_000 },
    ],
  ],
  [
    'what would be needed',
    { rate: 1, need: '1000000:600s' },
    ({ need }) => need,
    { messages: 1_000_000, seconds: 600 },
  ],
];
for (const [name, options, of, wanted] of UNDERSTOOD) {
  test(`understood: ${name}`, (t) => {
    t.deepEqual(of(askedOf(options, CORES)), wanted);
  });
}

const REFUSED: [name: string, options: LoadOptions, why: RegExp][] = [
  ['no rate', {}, /how many messages a second/],
  ['a rate beside stages', { rate: 1, stage: ['1:1'] }, /leave --rate and --duration away/],
  ['no duration', { rate: 1, duration: 'long' }, /not a duration/],
  ['too short', { rate: 1, duration: '10ms' }, /at least a second/],
  ['too long', { rate: 1, duration: '3h' }, /two hours/],
  ['too many messages', { rate: 20_000, duration: '60s' }, /1,300,000 messages, and 1,000,000 are allowed/],
  [
    'more than allowed',
    { rate: 10, duration: '10s', warmUp: '0', maxMessages: 99 },
    /100 messages, and 99 are allowed/,
  ],
  ['no such shape', { rate: 1, shape: 'burst' }, /--shape is one of/],
  ['an unpaced direct message', { rate: 1, shape: 'direct', unpaced: true }, /--unpaced/],
  ['a stage that is none', { stage: ['1000'] }, /a stage is RATE:DURATION/],
  ['a duration for the capacity finder', { findCapacity: true, duration: '5s' }, /--try/],
  ['a need that is none', { rate: 1, need: 'much' }, /--need/],
  ['an objective that is none', { rate: 1, objective: ['fast'] }, /objective "fast"/],
];
for (const [name, options, why] of REFUSED) {
  test(`refused: ${name}`, (t) => {
    t.is(t.throws(() => askedOf(options, CORES), { instanceOf: LoadError, message: why })?.exitCode, 2);
  });
}

test('a try of the capacity finder is the same plan at another rate', (t) => {
  const { plan } = askedOf({ findCapacity: true }, CORES);
  t.deepEqual(planAt(plan, 7_000), { ...plan, stages: plan.stages.map((s) => ({ ...s, perSecond: 7_000 })) });
});

for (const [address, remote, allowed] of [
  ['http://127.0.0.1:8080', false, true],
  ['http://localhost:8080', false, true],
  ['http://[::1]:8080', false, true],
  ['https://volley.example.org', false, false],
  ['http://127.0.0.1.example.org', false, false],
  ['https://volley.example.org', true, true],
] as const) {
  test(`${address}${remote ? ' with --allow-remote' : ''} ${allowed ? 'may' : 'may not'} be loaded`, (t) => {
    if (allowed) t.notThrows(() => checkTarget(address, remote));
    else t.throws(() => checkTarget(address, remote), { message: /--allow-remote/ });
  });
}

test('times, counts and shares are written as people read them', (t) => {
  t.deepEqual(['250ms', '60', '1.5s', '5m', '2h', '10us', 'x', '-1s', ''].map(durationMs), [
    ...[250, 60_000, 1_500, 300_000, 7_200_000, 0.01],
    ...[undefined, undefined, undefined],
  ]);
  t.deepEqual([0.123, 4.56, 18.4, 999, 1_234, 12_345, 90_000].map(msText), [
    ...['0.12 ms', '4.6 ms', '18 ms', '999 ms', '1.23 s', '12.3 s', '1.5 min'],
  ]);
  t.deepEqual([0, 1, 0.9949, 0.99999, 0.5, 0.00002, 1.08].map(shareText), [
    ...['0%', '100%', '99.49%', '99.999%', '50.0%', '0.002%', '108.0%'],
  ]);
  t.deepEqual([0.01, 1, 100, 10_000].map(tickText), ['10 µs', '1 ms', '100 ms', '10 s']);
  t.is(countText(1_234_567.8), '1,234,568');
  t.throws(() => stagesOf('0:10s'));
});
