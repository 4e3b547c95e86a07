import { el, escaped } from './markup.ts';
import { type Scale, secondsText } from './scale.ts';

/** Measures of every chart, in its own units: the page scales it to its place. */
export const W = 640;
/** Of a chart across both columns. */
export const WIDE = 1_312;
export const H = 240;
export const LEFT = 56;
export const RIGHT = 12;
export const TOP = 12;
export const BOTTOM = 26;

export type Points = readonly (readonly [x: number, y: number | null])[];

export const frame = (title: string, note: string | undefined, legend: string, body: string, wide = false): string =>
  el(
    'figure',
    { class: wide ? 'card wide' : 'card' },
    el(
      'figcaption',
      {},
      el('h3', {}, escaped(title)),
      note === undefined ? '' : el('p', { class: 'note' }, escaped(note)),
      legend,
    ),
    body,
  );

/** One line alone is named by its title; `least` says otherwise. */
export const legendOf = (
  series: readonly { readonly name: string; readonly tone: string; readonly dashed?: boolean }[],
  least = 2,
): string =>
  series.length < least
    ? ''
    : el(
        'ul',
        { class: 'legend' },
        ...series.map((s) =>
          el('li', {}, el('span', { class: `key s-${s.tone}${s.dashed ? ' dashed' : ''}` }), escaped(s.name)),
        ),
      );

/** Gaps stay gaps: what was not measured is not drawn. */
export function pathOf(points: Points, x: Scale, y: Scale): string {
  let path = '';
  let pen = 'M';
  for (const [at, value] of points) {
    if (value === null) pen = 'M';
    else {
      path += `${pen}${x.at(at).toFixed(1)} ${y.at(value).toFixed(1)}`;
      pen = 'L';
    }
  }
  return path;
}

export const areaOf = (points: Points, x: Scale, y: Scale, floor: number): string => {
  const there = points.filter((p): p is readonly [number, number] => p[1] !== null);
  const [first, last] = [there[0], there.at(-1)];
  if (first === undefined || last === undefined) return '';
  return `${pathOf(there, x, y)}L${x.at(last[0]).toFixed(1)} ${floor}L${x.at(first[0]).toFixed(1)} ${floor}Z`;
};

export const gridOf = (y: Scale, text: (value: number) => string, width = W): string =>
  y.ticks
    .map((tick) => {
      const at = y.at(tick);
      return (
        el('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: at, y2: at }) +
        el('text', { class: 'tick', x: LEFT - 8, y: at + 4, 'text-anchor': 'end' }, escaped(text(tick)))
      );
    })
    .join('');

export const timesOf = (x: Scale): string =>
  x.ticks
    .map((tick) => el('text', { class: 'tick', x: x.at(tick), y: H - 8, 'text-anchor': 'middle' }, secondsText(tick)))
    .join('');
