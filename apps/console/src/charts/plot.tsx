import { useEffect, useRef, useState } from 'react';
import type uPlot from 'uplot';
import { useTheme } from '../ui/theme.ts';
import { PlotLegend } from './plot-legend.tsx';
import { createPlot } from './uplot-options.ts';

export interface Line {
  readonly label: string;
  /** A colour of the theme: `sent`, `accent`. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly show: (value: number) => string;
  readonly kind?: 'line' | 'area' | 'bars';
  /** Bars that stand upon the stacked ones before them. */
  readonly stacked?: boolean;
  /** Where in their step bars begin and end, from -0.5 to 0.5, so that several stand side by side. */
  readonly slot?: readonly [number, number];
  readonly dash?: readonly number[];
  /** In the legend while nothing is pointed at: a total, the last value. */
  readonly atRest?: string;
}

export interface PlotProps {
  /** What it shows, for those who cannot see it: a sentence with the figures that matter. */
  readonly label: string;
  /** Ascending; what they mean says `showX`. */
  readonly xs: readonly number[];
  readonly lines: readonly Line[];
  readonly showX: (x: number) => string;
  /** Of the point that is pointed at; `showX` when absent. */
  readonly showPointX?: (x: number) => string;
  readonly showY: (y: number) => string;
  /** Distance of neighbours on the axis: 60 where each is a minute. */
  readonly step?: number;
  /** What the axis begins and ends with. */
  readonly range: readonly [number, number];
  /** Where the axis has a label; those that find no room are left out. */
  readonly ticks: readonly number[];
  /** Only whole numbers stand on the axis of values. */
  readonly whole?: boolean;
  readonly height?: number;
}

/** Stacked bars are drawn from the sum downwards, so each one's own part stays visible above those before it. */
export function drawn(lines: readonly Line[]): readonly Line[] {
  const stacked = lines.filter((line) => line.stacked);
  const sums = stacked.map((line, at) => ({
    ...line,
    values: line.values.map((_, i) => stacked.slice(0, at + 1).reduce((sum, each) => sum + (each.values[i] ?? 0), 0)),
  }));
  return [...sums.toReversed(), ...lines.filter((line) => !line.stacked)];
}

/** A chart of fixed height. New figures go into the one that is there; only what it consists of makes it new. */
export function Plot(props: PlotProps) {
  const { label, xs, lines, height = 200 } = props;
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const theme = useTheme();
  const [pointed, setPointed] = useState<number | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const shown = drawn(lines);
  const data = [xs, ...shown.map((line) => line.values)] as unknown as uPlot.AlignedData;
  const made = shown.map((line) => `${line.label}/${line.colour}/${line.kind ?? 'line'}`).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: data comes by the effect below
  useEffect(() => {
    const at = box.current;
    if (!at) return;
    const plot = createPlot(at, shown, () => latest.current, height, setPointed);
    chart.current = plot;
    const observer = new ResizeObserver(() => plot.setSize({ width: at.clientWidth, height }));
    observer.observe(at);
    return () => {
      observer.disconnect();
      plot.destroy();
      chart.current = null;
    };
  }, [made, theme, height]);

  useEffect(() => {
    chart.current?.setData(data);
  });

  const at = pointed !== null && pointed < xs.length ? pointed : null;
  return (
    <figure className="min-w-0">
      <PlotLegend
        lines={lines}
        at={at}
        x={at === null ? undefined : (props.showPointX ?? props.showX)(xs[at] as number)}
      />
      <div ref={box} aria-hidden className="w-full overflow-hidden" style={{ height }} />
      <figcaption className="sr-only">{label}</figcaption>
    </figure>
  );
}
