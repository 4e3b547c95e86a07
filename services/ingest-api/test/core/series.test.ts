import { TERMINAL_KINDS } from '@volley/contract';
import { MAX_STEPS } from '@volley/contract/http';
import test from 'ava';
import fc from 'fast-check';
import {
  fillSteps,
  type Range,
  rangeOf,
  type SeriesRow,
  type Span,
  STEP_MS,
  type Step,
  seriesPoint,
  stepsOf,
} from '../../src/core/series.ts';

const at = (time: string) => Date.parse(`2026-11-21T${time}Z`);
const MINUTE = STEP_MS['1m'];
const HOUR = STEP_MS['1h'];
const row = (atMs: number, more: Partial<SeriesRow> = {}): SeriesRow => ({
  atMs,
  ...{ sent: 0, failed: 0, dead: 0, suppressed: 0, cancelled: 0, expired: 0, deferred: 0, redriven: 0 },
  ...{ p50_ms: null, p95_ms: null, p99_ms: null, provider_p95_ms: null },
  ...more,
});

const RANGES: [string, string | undefined, string | undefined, Range | string][] = [
  ['none', undefined, undefined, {}],
  ['a from', '2026-11-21T10:00:00Z', undefined, { fromMs: at('10:00:00') }],
  ['with an offset', undefined, '2026-11-21T12:00:00+02:00', { toMs: at('10:00:00') }],
  [
    'a millisecond',
    '2026-11-21T10:00:00Z',
    '2026-11-21T10:00:00.001Z',
    { fromMs: at('10:00:00'), toMs: at('10:00:00') + 1 },
  ],
  ['the same instant', '2026-11-21T10:00:00Z', '2026-11-21T11:00:00+01:00', '?to'],
  ['the wrong way round', '2026-11-21T10:00:00Z', '2026-11-20T10:00:00Z', '?to'],
  ['two long ago', '0001-01-01T00:00:00Z', '0002-01-01T00:00:00Z', { fromMs: 0, toMs: 0 }],
];
for (const [title, from, to, wanted] of RANGES) {
  test(`a range with ${title}`, (t) => {
    const range = rangeOf(from, to);
    if (typeof wanted === 'string') t.is(range.ok ? '' : range.failure.errors?.[0]?.pointer, wanted);
    else t.deepEqual(range.ok && range.value, wanted);
  });
}

const day = { firstMs: at('08:10:30'), lastMs: at('20:00:00') };
const year = { firstMs: at('08:10:30') - 365 * 24 * HOUR, lastMs: at('20:00:00') };
const STEPS: [string, Range, Step | undefined, Span | null, unknown][] = [
  ['nothing happened', {}, undefined, null, null],
  ['nothing happened since', { fromMs: at('21:30:00') }, undefined, day, null],
  ['nothing happened before', { toMs: at('08:00:00') }, undefined, day, null],
  ['an open range is minutes', {}, undefined, day, { step: '1m', fromMs: at('08:10:00'), toMs: at('21:00:00') }],
  [
    'a long one is hours',
    { fromMs: at('10:00:00') - 40 * HOUR, toMs: at('10:00:00') },
    undefined,
    null,
    { step: '1h', fromMs: at('10:00:00') - 40 * HOUR, toMs: at('10:00:00') },
  ],
  ['hours were asked for', {}, '1h', day, { step: '1h', fromMs: at('08:00:00'), toMs: at('21:00:00') }],
  [
    'ends inside of steps',
    { fromMs: at('10:00:59'), toMs: at('10:01:01') },
    '1m',
    null,
    { step: '1m', fromMs: at('10:00:00'), toMs: at('10:02:00') },
  ],
  [
    'an open begin is the last steps',
    {},
    '1m',
    year,
    { step: '1m', fromMs: at('21:00:00') - MAX_STEPS * MINUTE, toMs: at('21:00:00') },
  ],
  [
    'an open begin, in hours',
    {},
    undefined,
    year,
    { step: '1h', fromMs: at('21:00:00') - MAX_STEPS * HOUR, toMs: at('21:00:00') },
  ],
  ['too many minutes', { fromMs: at('10:00:00') - 40 * HOUR, toMs: at('10:00:00') }, '1m', null, '?step'],
  ['too many hours', { fromMs: 0, toMs: at('10:00:00') }, undefined, null, '?from'],
  ['too many hours were asked for', { fromMs: 0, toMs: at('10:00:00') }, '1h', null, '?from'],
];
for (const [title, range, step, span, wanted] of STEPS) {
  test(`steps: ${title}`, (t) => {
    const steps = stepsOf(range, step, span);
    if (typeof wanted === 'string') t.is(steps.ok ? '' : steps.failure.errors?.[0]?.pointer, wanted);
    else t.deepEqual(steps.ok && steps.value, wanted as never);
  });
}

test('filled: every step once and in order, what happened unchanged, never more points than there may be', (t) => {
  const minute = fc.integer({ min: 0, max: 3_000 });
  fc.assert(
    fc.property(
      fc.uniqueArray(minute, { maxLength: 50 }),
      fc.option(minute, { nil: undefined }),
      fc.option(minute, { nil: undefined }),
      fc.constantFrom<Step | undefined>('1m', '1h', undefined),
      (minutes, from, to, step) => {
        const base = at('00:00:00');
        const range: Range = {
          ...(from !== undefined && { fromMs: base + from * MINUTE + 7 }),
          ...(to !== undefined && { toMs: base + to * MINUTE + 7 }),
        };
        const happened = minutes.sort((a, b) => a - b).map((m) => base + m * MINUTE);
        const [first, last] = [happened[0], happened.at(-1)];
        const steps = stepsOf(
          range,
          step,
          first === undefined || last === undefined ? null : { firstMs: first, lastMs: last },
        );
        if (!steps.ok || steps.value === null) return true;
        const ms = STEP_MS[steps.value.step];
        const times = [...new Set(happened.map((time) => Math.floor(time / ms) * ms))];
        const rows = times.map((time, i) => row(time, { sent: i + 1, p50_ms: i }));
        const filled = fillSteps(rows, steps.value, range);
        const { fromMs, toMs } = filled.steps;
        const expected = rows.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
        return (
          filled.rows.length === (toMs - fromMs) / ms &&
          filled.rows.length <= MAX_STEPS &&
          filled.rows.every(({ atMs }, i) => atMs === fromMs + i * ms) &&
          (range.fromMs === undefined || fromMs <= range.fromMs) &&
          (range.toMs === undefined || toMs >= range.toMs) &&
          JSON.stringify(filled.rows.filter(({ sent }) => sent > 0)) === JSON.stringify(expected)
        );
      },
    ),
  );
  t.pass();
});

test('an open range begins and ends where something happened', (t) => {
  const steps = { step: '1m', fromMs: at('10:00:00'), toMs: at('12:00:00') } as const;
  const rows = [row(at('10:05:00')), row(at('10:07:00'))];
  const open = fillSteps(rows, steps, {});
  t.deepEqual([open.steps.fromMs, open.steps.toMs, open.rows.length], [at('10:05:00'), at('10:08:00'), 3]);
  const from = fillSteps(rows, steps, { fromMs: at('10:00:00') });
  t.is(from.rows.length, 8);
  t.deepEqual(fillSteps([], steps, {}).rows, []);
});

test('throughput is what ended, by the length of the step; where nothing was sent a percentile is null', (t) => {
  const ends = Object.fromEntries(TERMINAL_KINDS.map((kind) => [kind, 10]));
  const point = seriesPoint(row(at('10:00:00'), { ...ends, deferred: 1_000 }), '1m');
  t.is(point.throughput_per_s, 1);
  t.is(point.at, '2026-11-21T10:00:00.000Z');
  t.is(point.p50_ms, null);
  t.is(seriesPoint(row(0, { sent: 1 }), '1h').throughput_per_s, 0);
  t.is(seriesPoint(row(0, { sent: 5_000 }), '1h').throughput_per_s, 1.389);
});
