import test from 'ava';
import fc from 'fast-check';
import type { Frames } from '../../dashboards/picture/frames.ts';
import { drawPanel } from '../../dashboards/picture/panels.ts';
import { element, escaped, label, niceAxis, withUnit } from '../../dashboards/picture/svg.ts';
import { MINUTE_MS } from './events.ts';
import { dashboards, panelsOf } from './read.ts';

const UNITS: [value: number, unit: string, text: string][] = [
  [0, 'short', '0'],
  [1_234, 'short', '1.23K'],
  [2_500_000, 'short', '2.5M'],
  [40.26, 'mps', '40.3 msg/s'],
  [0.0312, 'percentunit', '3.12%'],
  [350, 'ms', '350 ms'],
  [10_400, 'ms', '10.4 s'],
  [90, 's', '1.5 min'],
  [3 * 1_048_576, 'bytes', '3 MiB'],
];
for (const [value, unit, text] of UNITS) {
  test(`${value} in ${unit} is written as ${text}`, (t) => {
    t.is(withUnit(value, unit), text);
  });
}

test('an axis ends at or above what is drawn, and has few steps', (t) => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (max) => {
      const { end, step } = niceAxis(max);
      t.true(end >= max * (1 - 1e-9) && step > 0 && end / step <= 5 + 1e-9, `${end} ${step} for ${max}`);
    }),
  );
});

test('text cannot become markup', (t) => {
  t.is(element('g', { id: 'a"b' }), '<g id="a&quot;b"/>');
  t.true(label(0, 0, '<script>&').includes('&lt;script&gt;&amp;'));
});

const START = 1_800_000_000_000;
const span = { fromMs: START, toMs: START + 5 * MINUTE_MS, intervalMs: MINUTE_MS };
const pause = { fromMs: START + MINUTE_MS, toMs: START + 2 * MINUTE_MS, text: 'Paused' };
const points = [1, 0, 3].map((v, i): [number, number] => [START + i * MINUTE_MS, v]);
const WITH: Readonly<Record<string, Frames>> = {
  timeseries: { series: [{ name: 'Sent', points }], grid: undefined },
  stat: { series: [{ name: 'Sent', points }], grid: undefined },
  heatmap: { series: ['5', '7', '+Inf'].map((name) => ({ name, points })), grid: undefined },
  bargauge: { series: [], grid: { columns: ['Sent', 'Dead'], rows: [[5, 0]] } },
  table: {
    series: [],
    grid: {
      columns: ['Campaign', 'Sent'],
      rows: [
        ['a<b', 7],
        [null, 8],
      ],
    },
  },
};
const NOTHING: Frames = { series: [], grid: undefined };

for (const [name, dashboard] of Object.entries(dashboards)) {
  test(`${name}: every panel is drawn, with something in it and without`, (t) => {
    for (const panel of panelsOf(dashboard)) {
      const place = { x: 0, y: 0, w: 400, h: 280 };
      const drawn = drawPanel(panel, place, WITH[panel.type] as Frames, span, [pause]);
      t.false(/NaN|undefined|Infinity/.test(drawn), panel.title);
      t.true(drawn.includes(escaped(panel.title)) && !drawn.includes('No data'), panel.title);
      t.true(drawPanel(panel, place, NOTHING, span, []).includes('No data'), panel.title);
    }
  });
}
