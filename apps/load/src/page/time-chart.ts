import {
  areaOf,
  BOTTOM,
  frame,
  gridOf,
  H,
  LEFT,
  legendOf,
  type Points,
  pathOf,
  RIGHT,
  TOP,
  timesOf,
  W,
  WIDE,
} from './frame.ts';
import { el, embedded, escaped } from './markup.ts';
import { linear, logarithmic, timeline } from './scale.ts';

export interface Series {
  readonly name: string;
  /** Of the palette in style.ts: `a` to `f`. */
  readonly tone: string;
  readonly points: Points;
  readonly filled?: boolean;
  readonly dashed?: boolean;
}

export interface Band {
  readonly fromS: number;
  readonly toS: number;
  readonly name: string;
}

export interface TimeChart {
  readonly title: string;
  readonly note?: string;
  readonly series: readonly Series[];
  readonly fromS: number;
  readonly toS: number;
  readonly bands: readonly Band[];
  readonly log?: boolean;
  /** Across both columns. */
  readonly wide?: boolean;
  text(value: number): string;
  /** Of the axis; default: `text`. */
  tick?(value: number): string;
}

/** Lines over the time of the run, with a cross hair that reads them. */
export function timeChart(c: TimeChart): string {
  const values = c.series.flatMap((s) => s.points.flatMap(([, v]) => (v === null ? [] : [v])));
  if (values.length === 0) return '';
  const width = c.wide ? WIDE : W;
  const x = timeline(c.fromS, c.toS, LEFT, width - RIGHT);
  const most = Math.max(...values);
  const positive = values.filter((v) => v > 0);
  const y = c.log
    ? logarithmic(Math.min(most, ...positive), most, H - BOTTOM, TOP)
    : linear(most * 1.05, H - BOTTOM, TOP);
  const bands = c.bands
    .map(({ fromS, toS, name }) => {
      const from = x.at(Math.max(fromS, c.fromS));
      const wide = x.at(Math.min(toS, c.toS)) - from;
      return (
        el('rect', { class: 'band', x: from, y: TOP, width: wide, height: H - TOP - BOTTOM }) +
        el('text', { class: 'band-name', x: from + 5, y: TOP + 13 }, escaped(name))
      );
    })
    .join('');
  const lines = c.series
    .map(
      (s) =>
        (s.filled ? el('path', { class: `area s-${s.tone}`, d: areaOf(s.points, x, y, H - BOTTOM) }) : '') +
        el('path', { class: `line s-${s.tone}${s.dashed ? ' dashed' : ''}`, d: pathOf(s.points, x, y) }),
    )
    .join('');
  const read = {
    x: [LEFT, width - RIGHT, c.fromS, c.toS],
    series: c.series.map((s) => ({
      name: s.name,
      tone: s.tone,
      points: s.points.map(([at, v]) => [at, v === null ? null : c.text(v)]),
    })),
  };
  const svg = el(
    'svg',
    { viewBox: `0 0 ${width} ${H}`, role: 'img', 'aria-label': c.title, 'data-read': embedded(read) },
    bands,
    gridOf(y, c.tick ?? c.text, width),
    timesOf(x),
    lines,
    el('line', { class: 'hair', x1: 0, x2: 0, y1: TOP, y2: H - BOTTOM, visibility: 'hidden' }),
  );
  return frame(c.title, c.note, legendOf(c.series), el('div', { class: 'plot' }, svg), c.wide);
}
