import type { PanelJson } from '../../test/dashboards/read.ts';
import type { Frames, Grid, Region, Series } from './frames.ts';
import { COLORS, element, label, NAMED, niceAxis, PALETTE, path, rect, withUnit } from './svg.ts';

interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
}

const HEAD = 24;
const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16);
const unitOf = (panel: PanelJson) => panel.fieldConfig?.defaults.unit ?? 'short';
/** As its override says, else by its place. */
function colorsOf(panel: PanelJson, names: readonly string[]): string[] {
  const fixed = new Map(
    (panel.fieldConfig?.overrides ?? []).map((o) => {
      const color = o.properties.find((q) => q.id === 'color')?.value as { fixedColor?: string } | undefined;
      return [o.matcher.options, NAMED[color?.fixedColor ?? '']] as const;
    }),
  );
  return names.map((name, i) => fixed.get(name) ?? (PALETTE[i % PALETTE.length] as string));
}

/** Axes, the grid, shaded pauses; gives the scales. */
interface Axis {
  readonly ticks: readonly number[];
  /** 0 at the bottom, 1 at the top. */
  readonly part: (value: number) => number;
}
function linear(max: number): Axis {
  const { end, step } = niceAxis(max);
  return {
    ticks: Array.from({ length: Math.round(end / step) + 1 }, (_, i) => i * step),
    part: (value) => value / end,
  };
}
function logarithmic(values: readonly number[]): Axis {
  const positive = values.filter((v) => v > 0);
  const low = Math.floor(Math.log10(positive.reduce((a, b) => Math.min(a, b), 1e12)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(positive.reduce((a, b) => Math.max(a, b), 1e-12))));
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
    part: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low),
  };
}

function frame(p: Place, span: Span, { ticks, part }: Axis, unit: string, regions: readonly Region[]) {
  const left = p.x + 76;
  const right = p.x + p.w - 24;
  const top = p.y + HEAD + 6;
  const bottom = p.y + p.h - 36;
  const x = (ms: number) => left + ((ms - span.fromMs) / (span.toMs - span.fromMs)) * (right - left);
  const y = (value: number) => bottom - part(value) * (bottom - top);
  const out: string[] = [];
  for (const value of ticks) {
    out.push(rect(left, y(value), right - left, 0.5, COLORS.grid));
    out.push(label(left - 5, y(value) + 3, withUnit(value, unit), { 'text-anchor': 'end' }));
  }
  for (let i = 0; i <= 4; i++) {
    const ms = span.fromMs + ((span.toMs - span.fromMs) * i) / 4;
    out.push(label(x(ms), bottom + 13, clock(ms), { 'text-anchor': 'middle' }));
  }
  for (const region of regions) {
    const from = x(Math.max(region.fromMs, span.fromMs));
    const to = x(Math.min(region.toMs, span.toMs));
    out.push(rect(from, top, Math.max(1, to - from), bottom - top, COLORS.region, { opacity: '0.15' }));
  }
  return { x, y, left, right, top, bottom, out };
}

function legend(p: Place, names: readonly string[], colors: readonly string[]): string[] {
  const out: string[] = [];
  let x = p.x + 12;
  for (const [i, name] of names.entries()) {
    const width = 22 + name.length * 5.6;
    if (x + width > p.x + p.w) break;
    out.push(rect(x, p.y + p.h - 14, 10, 3, colors[i] as string), label(x + 14, p.y + p.h - 9, name));
    x += width;
  }
  return out;
}

function timeseries(panel: PanelJson, p: Place, frames: Frames, span: Span, regions: readonly Region[]): string[] {
  const { series } = frames;
  const isStacked = (panel.fieldConfig?.defaults.custom?.stacking as { mode?: string } | undefined)?.mode === 'normal';
  const totals = new Map<number, number>();
  for (const { points } of series) for (const [ms, v] of points) totals.set(ms, (totals.get(ms) ?? 0) + v);
  const highest = isStacked ? [...totals.values()] : series.flatMap((s) => s.points.map(([, v]) => v));
  const scale = panel.fieldConfig?.defaults.custom?.scaleDistribution as { type?: string } | undefined;
  const axis = scale?.type === 'log' ? logarithmic(highest) : linear(highest.reduce((a, b) => Math.max(a, b), 0));
  const { x, y, bottom, out } = frame(p, span, axis, unitOf(panel), regions);
  const names = series.map((s) => s.name);
  const colors = colorsOf(panel, names);
  const below = new Map<number, number>();
  const width = Math.max(1, x(span.fromMs + span.intervalMs) - x(span.fromMs) - 0.5);
  for (const [i, { points }] of series.entries()) {
    if (!isStacked)
      out.push(
        path(
          points.map(([ms, v]) => [x(ms), y(v)]),
          colors[i] as string,
        ),
      );
    else {
      for (const [ms, v] of points) {
        const base = below.get(ms) ?? 0;
        below.set(ms, base + v);
        out.push(rect(x(ms), y(base + v), width, bottom - y(v), colors[i] as string));
      }
    }
  }
  return [...out, ...legend(p, names, colors)];
}

function reduced(panel: PanelJson, { points }: Series): number {
  const calc = (panel.options?.reduceOptions as { calcs?: string[] } | undefined)?.calcs?.[0];
  return calc === 'sum' ? points.reduce((total, [, v]) => total + v, 0) : (points.at(-1)?.[1] ?? 0);
}

/** Values with their names: of lines the last or the sum, of a row its numbers. */
function values(panel: PanelJson, { series, grid }: Frames): [name: string, value: number][] {
  if (grid) return grid.columns.map((name, i) => [name, Number(grid.rows[0]?.[i] ?? 0)]);
  return series.map((s) => [s.name, reduced(panel, s)]);
}

function stat(panel: PanelJson, p: Place, frames: Frames): string[] {
  const limit = panel.fieldConfig?.defaults.thresholds?.steps.at(-1)?.value ?? Number.POSITIVE_INFINITY;
  const all = values(panel, frames);
  return all.flatMap(([name, v], i) => {
    const x = p.x + (p.w * (i + 0.5)) / all.length;
    const middle = p.y + HEAD + (p.h - HEAD) / 2;
    const color = v >= limit ? COLORS.bad : COLORS.good;
    const size = { 'text-anchor': 'middle', 'font-size': 24, fill: color };
    return [
      label(x, middle + 6, withUnit(v, unitOf(panel)), size),
      all.length > 1 ? label(x, middle - 26, name, { 'text-anchor': 'middle' }) : '',
    ];
  });
}

function bargauge(panel: PanelJson, p: Place, frames: Frames): string[] {
  const all = values(panel, frames);
  const most = Math.max(1, ...all.map(([, v]) => v));
  const height = (p.h - HEAD - 10) / Math.max(1, all.length);
  return all.flatMap(([name, v], i) => {
    const y = p.y + HEAD + i * height;
    const full = p.w - 170;
    return [
      label(p.x + 84, y + height / 2 + 3, name, { 'text-anchor': 'end' }),
      rect(p.x + 92, y + 3, full, height - 6, COLORS.grid),
      rect(p.x + 92, y + 3, (full * v) / most, height - 6, '#5794f2'),
      label(p.x + 100 + full, y + height / 2 + 3, withUnit(v, unitOf(panel)), { fill: COLORS.text }),
    ];
  });
}

const shown = (value: unknown, unit: string): string => {
  if (value === null) return '';
  if (typeof value === 'number') return withUnit(value, unit);
  return /^\d{4}-\d\d-\d\d \d\d:/.test(String(value)) ? String(value).slice(0, 16) : String(value);
};

function table(panel: PanelJson, p: Place, { columns, rows }: Grid): string[] {
  const overrides = panel.fieldConfig?.overrides ?? [];
  const unitFor = (column: string) =>
    String(
      overrides.find((o) => o.matcher.options === column)?.properties.find((q) => q.id === 'unit')?.value ??
        unitOf(panel),
    );
  const cells = [columns, ...rows.map((row) => row.map((v, i) => shown(v, unitFor(columns[i] as string))))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => String(row[i]).length)) + 2);
  const scale = (p.w - 20) / widths.reduce((a, b) => a + b, 0);
  const most = Math.floor((p.h - HEAD - 8) / 18);
  return cells.slice(0, most).flatMap((row, r) => {
    let x = p.x + 10;
    return row.map((cell, i) => {
      const text = label(x, p.y + HEAD + 14 + r * 18, String(cell), { fill: r === 0 ? COLORS.dim : COLORS.text });
      x += (widths[i] as number) * scale;
      return text;
    });
  });
}

const TURBO = ['#30123b', '#4662d7', '#36aaf9', '#1ae4b6', '#72fe5e', '#c8ef34', '#faba39', '#f66b19', '#ca2a04'];

function heatmap(panel: PanelJson, p: Place, { series }: Frames, span: Span, regions: readonly Region[]): string[] {
  const used = series.filter((s) => s.points.some(([, v]) => v > 0));
  const first = Math.max(0, series.indexOf(used[0] as Series) - 1);
  const rows = series.slice(first, series.indexOf(used.at(-1) as Series) + 2);
  const most = Math.max(...rows.flatMap((s) => s.points.map(([, v]) => v)));
  const { x, out, top, bottom, left } = frame(p, span, { ticks: [], part: (v) => v }, 'short', regions);
  const height = (bottom - top) / rows.length;
  const width = x(span.fromMs + span.intervalMs) - x(span.fromMs);
  const unit = (panel.options?.yAxis as { unit?: string } | undefined)?.unit ?? 'short';
  // The axis of a heat map is of its rows, not of a value.
  const cells = [...out];
  rows.forEach(({ name, points }, i) => {
    const y = bottom - (i + 1) * height;
    if (i % Math.ceil(rows.length / 8) === 0) {
      const bound = Number.isNaN(Number(name)) ? name : withUnit(Number(name), unit);
      cells.push(label(left - 5, y + 4, bound, { 'text-anchor': 'end' }));
    }
    for (const [ms, v] of points) {
      if (v <= 0) continue;
      const color = TURBO[Math.round(Math.sqrt(v / most) * (TURBO.length - 1))] as string;
      cells.push(rect(x(ms), y, width - 0.5, height - 0.5, color));
    }
  });
  return cells;
}

export function drawPanel(panel: PanelJson, p: Place, frames: Frames, span: Span, regions: readonly Region[]): string {
  const head = [
    rect(p.x, p.y, p.w, p.h, COLORS.panel, { stroke: COLORS.border, rx: 2 }),
    label(p.x + 10, p.y + 17, panel.title, { fill: COLORS.text, 'font-size': 12 }),
  ];
  const isEmpty = frames.series.length === 0 && (frames.grid?.rows.length ?? 0) === 0;
  const empty = [label(p.x + p.w / 2, p.y + p.h / 2, 'No data', { 'text-anchor': 'middle' })];
  const body = isEmpty
    ? empty
    : panel.type === 'stat'
      ? stat(panel, p, frames)
      : panel.type === 'bargauge'
        ? bargauge(panel, p, frames)
        : panel.type === 'table'
          ? table(panel, p, frames.grid as Grid)
          : panel.type === 'heatmap'
            ? heatmap(panel, p, frames, span, regions)
            : timeseries(panel, p, frames, span, regions);
  return element('g', {}, [...head, ...body].join(''));
}
