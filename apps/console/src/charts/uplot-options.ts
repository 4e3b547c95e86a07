import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Line, PlotProps } from './plot.tsx';

/** Room of one label on the axis, in CSS pixels. */
const LABEL_PX = 64;
const WHOLE = [1, 2, 5].flatMap((n) => Array.from({ length: 12 }, (_, power) => n * 10 ** power)).sort((a, b) => a - b);

const colourOf = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Every second, third, … so that none stands in another. */
function thinned(ticks: readonly number[], widthPx: number): number[] {
  const every = Math.max(1, Math.ceil(ticks.length / Math.max(1, Math.floor(widthPx / LABEL_PX))));
  return ticks.filter((_, i) => i % every === 0);
}

const WIDE: NonNullable<Line['slot']> = [-0.36, 0.36];

/** Each as wide as its slot of the step; unit 1 is that of the axis. */
function barsOf({ slot: [begin, end] = WIDE }: Line, now: () => PlotProps) {
  const step = () => now().step ?? 1;
  return uPlot.paths.bars?.({
    radius: 0.04,
    disp: {
      x0: { unit: 1, values: () => now().xs.map((x) => x + begin * step()) },
      size: { unit: 1, values: () => now().xs.map(() => (end - begin) * step()) },
    },
  });
}

/** `now` is asked at each drawing: what is shown changes, the chart stays. */
export function createPlot(
  at: HTMLElement,
  lines: readonly Line[],
  now: () => PlotProps,
  height: number,
  onPoint: (index: number | null) => void,
): uPlot {
  const smooth = uPlot.paths.linear?.();
  const axis = {
    stroke: colourOf('soft'),
    font: '11px ui-sans-serif, system-ui, sans-serif',
    grid: { stroke: colourOf('line'), width: 1 },
    ticks: { show: false },
    border: { show: false },
  };
  return new uPlot(
    {
      width: at.clientWidth || 300,
      height,
      padding: [8, 12, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      legend: { show: false },
      hooks: { setCursor: [(u) => onPoint(u.cursor.idx ?? null)] },
      scales: {
        x: { time: false, range: () => [...now().range] as [number, number] },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 28,
          splits: (u) => thinned(now().ticks, u.width),
          values: (_, xs) => xs.map((x) => now().showX(x)),
        },
        {
          ...axis,
          size: 58,
          space: 36,
          values: (_, ys) => ys.map((y) => now().showY(y)),
          ...(now().whole ? { incrs: WHOLE } : {}),
        },
      ],
      series: [
        {},
        ...lines.map((line) => {
          const colour = colourOf(line.colour);
          if (line.kind === 'bars') {
            const paths = barsOf(line, now);
            return { stroke: colour, fill: colour, width: 0, points: { show: false }, ...(paths ? { paths } : {}) };
          }
          return {
            stroke: colour,
            width: 2,
            ...(line.dash ? { dash: [...line.dash] } : {}),
            ...(line.kind === 'area' ? { fill: `${colour}30` } : {}),
            ...(smooth ? { paths: smooth } : {}),
            points: { show: line.kind !== 'area' && now().xs.length < 40, size: 6, fill: colour },
          };
        }),
      ],
    },
    [[...now().xs], ...lines.map((line) => [...line.values])] as uPlot.AlignedData,
    at,
  );
}
