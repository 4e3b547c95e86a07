import test from 'ava';
import { LoadError } from '../src/load-error.ts';
import {
  DEFAULT_OBJECTIVES,
  judge,
  type Measured,
  type Objective,
  objectivesOf,
  parseObjective,
} from '../src/objective.ts';

const READ: [text: string, read: Partial<Extract<Objective, { kind: 'latency' }>> | Record<string, unknown>][] = [
  ['http.p99<50ms', { kind: 'latency', metric: 'http', statistic: 'p99', op: '<', boundMs: 50 }],
  ['e2e.p95 <= 2s', { kind: 'latency', metric: 'e2e', statistic: 'p95', op: '<=', boundMs: 2_000 }],
  ['delivery.p99.9<1.5s', { kind: 'latency', metric: 'delivery', statistic: 'p99.9', op: '<', boundMs: 1_500 }],
  ['complete.max<2min', { kind: 'latency', metric: 'complete', statistic: 'max', op: '<', boundMs: 120_000 }],
  ['reads.mean<800us', { kind: 'latency', metric: 'reads', statistic: 'mean', op: '<', boundMs: 0.8 }],
  ['errors<0.1%', { kind: 'share', metric: 'errors', op: '<', bound: 0.001 }],
  ['errors=0', { kind: 'share', metric: 'errors', op: '=', bound: 0 }],
  ['rate>=99%', { kind: 'share', metric: 'rate', op: '>=', bound: 0.99 }],
  ['accounted', { kind: 'accounted' }],
];
for (const [text, read] of READ) {
  test(`read: ${text}`, (t) => {
    t.like(parseObjective(text), read);
  });
}

const REFUSED: [text: string, why: RegExp][] = [
  ['', /cannot be read/],
  ['http', /cannot be read/],
  ['http<50ms', /say which of/],
  ['http.p42<50ms', /say which of/],
  ['http.p99<50', /is not a time/],
  ['http.p99<fast', /is not a time/],
  ['latency.p99<50ms', /no metric latency/],
  ['errors.p99<1%', /errors has no p99/],
  ['errors<0.1', /is not a share/],
  ['rate>=99', /is not a share/],
  ['http.p99!50ms', /cannot be read/],
];
for (const [text, why] of REFUSED) {
  test(`refused: "${text}"`, (t) => {
    const error = t.throws(() => parseObjective(text), { instanceOf: LoadError, message: why });
    t.is(error?.exitCode, 2);
    t.regex(error?.message ?? '', /http\.p99<50ms/, 'it says how one is written');
  });
}

const measured = (latency: number | undefined, share: number | undefined, accounted = true): Measured => ({
  accounted,
  latencyMs: () => latency,
  share: () => share,
});

const JUDGED: [
  objective: string,
  latency: number | undefined,
  share: number | undefined,
  met: boolean,
  found: string,
][] = [
  ['http.p99<50ms', 49.9, 0, true, '50 ms'],
  ['http.p99<50ms', 50, 0, false, '50 ms'],
  ['http.p99<=50ms', 50, 0, true, '50 ms'],
  ['e2e.p95<2s', 2_310, 0, false, '2.31 s'],
  ['e2e.p95<2s', undefined, 0, false, 'not measured'],
  ['errors<=0%', 0, 0, true, '0%'],
  ['errors<=0%', 0, 0.00002, false, '0.002%'],
  ['rate>=99%', 0, 0.9949, true, '99.49%'],
  ['rate>=99%', 0, 0.989, false, '98.9%'],
  ['rate>=99%', 0, undefined, false, 'not measured'],
];
for (const [objective, latency, share, met, found] of JUDGED) {
  test(`judged: ${objective} at ${latency ?? '-'} ms and ${share ?? '-'}`, (t) => {
    t.deepEqual(judge([parseObjective(objective)], measured(latency, share)), [{ objective, met, found }]);
  });
}

test('accounted is met by nothing but a yes', (t) => {
  const objective = [parseObjective('accounted')];
  t.true(judge(objective, measured(0, 0, true))[0]?.met);
  t.false(judge(objective, measured(0, 0, false))[0]?.met);
  t.false(judge(objective, { ...measured(0, 0), accounted: undefined })[0]?.met);
});

test('what is asked for takes the place of what holds anyhow', (t) => {
  t.deepEqual(
    objectivesOf([]).map((o) => o.text),
    [...DEFAULT_OBJECTIVES],
  );
  t.deepEqual(
    objectivesOf(['errors<1%', 'http.p99<50ms']).map((o) => o.text),
    ['errors<1%', 'http.p99<50ms', 'rate>=99%', 'accounted'],
  );
});
