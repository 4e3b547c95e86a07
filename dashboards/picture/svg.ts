/** As little of SVG as the panels need, in the colours of Grafana's dark theme. */
export const COLORS = {
  page: '#111217',
  panel: '#181b1f',
  border: '#2c3235',
  text: '#ccccdc',
  dim: '#8e8e99',
  grid: '#26292e',
  good: '#73bf69',
  bad: '#f2495c',
  region: '#ff9830',
};
export const PALETTE = [
  ...['#73bf69', '#f2cc0c', '#8ab8ff', '#ff780a', '#f2495c', '#5794f2', '#b877d9', '#705da0', '#37872d', '#fade2a'],
  ...['#447ebc', '#c15c17', '#890f02', '#0a437c', '#6d1f62', '#584477'],
];

/** Colours that the dashboards name. */
export const NAMED: Readonly<Record<string, string>> = {
  blue: '#5794f2',
  green: '#73bf69',
  yellow: '#fade2a',
  red: '#f2495c',
  'dark-red': '#c4162a',
  purple: '#b877d9',
  'light-blue': '#8ab8ff',
  orange: '#ff9830',
};

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const round = (n: number) => Math.round(n * 10) / 10;
const attributes = (of: Readonly<Record<string, string | number>>) =>
  Object.entries(of)
    .map(([name, value]) => ` ${name}="${typeof value === 'number' ? round(value) : escaped(value)}"`)
    .join('');
export const element = (name: string, of: Readonly<Record<string, string | number>>, inner = ''): string =>
  inner === '' ? `<${name}${attributes(of)}/>` : `<${name}${attributes(of)}>${inner}</${name}>`;
export const rect = (x: number, y: number, width: number, height: number, fill: string, more = {}) =>
  element('rect', { x, y, width: Math.max(0, width), height: Math.max(0, height), fill, ...more });
export const label = (x: number, y: number, text: string, more = {}) =>
  element('text', { x, y, fill: COLORS.dim, 'font-size': 10, ...more }, escaped(text));
export const path = (points: readonly (readonly [number, number])[], stroke: string) =>
  element('path', {
    d: points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join(''),
    fill: 'none',
    stroke,
    'stroke-width': 1.2,
  });

const significant = (value: number) => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
};
const stepped = (value: number, steps: readonly string[], base: number) => {
  let v = value;
  let i = 0;
  while (Math.abs(v) >= base && i < steps.length - 1) {
    v /= base;
    i += 1;
  }
  return `${significant(v)}${steps[i]}`;
};
const ENDINGS: Readonly<Record<string, string>> = {
  ...{ mps: ' msg/s', cps: ' c/s', mpm: ' msg/min', reqps: ' req/s', ops: ' ops/s', recps: ' rec/s' },
};

/** A value with its unit, about as Grafana writes it. */
export function withUnit(value: number, unit: string): string {
  if (unit === 'percentunit') return `${significant(value * 100)}%`;
  if (unit === 'bytes') return stepped(value, [' B', ' KiB', ' MiB', ' GiB'], 1_024);
  const ms = unit === 's' ? value * 1_000 : value;
  if (unit === 's' || unit === 'ms') {
    if (Math.abs(ms) < 1_000) return `${significant(ms)} ms`;
    return Math.abs(ms) < 60_000 ? `${significant(ms / 1_000)} s` : `${significant(ms / 60_000)} min`;
  }
  return stepped(value, ['', 'K', 'M', 'B'], 1_000) + (ENDINGS[unit] ?? '');
}

/** The end of an axis: 1, 2 or 5 times a power of ten, and as many steps to it as fit. */
export function niceAxis(max: number): { readonly end: number; readonly step: number } {
  const highest = max > 1e-9 ? max : 1;
  const raw = highest / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw) ?? 10);
  return { end: Math.ceil(highest / step - 1e-9) * step, step };
}
