import { tickText } from '../units.ts';
import { BOTTOM, frame, gridOf, H, LEFT, legendOf, pathOf, RIGHT, TOP, W } from './frame.ts';
import { el, escaped } from './markup.ts';
import { logarithmic, type Scale } from './scale.ts';

export interface Distribution {
  readonly name: string;
  readonly tone: string;
  /** Upper bounds in ms, and how many are in each. */
  readonly boundsMs: readonly number[];
  readonly counts: readonly number[];
  readonly marks: readonly { readonly name: string; readonly ms: number }[];
}

const ROW = 92;

/** One row each over the same logarithmic axis, so that they can be compared. */
export function distributionChart(
  title: string,
  note: string,
  rows: readonly Distribution[],
  text: (ms: number) => string,
): string {
  const used = rows.flatMap((r) => r.boundsMs.filter((_, i) => (r.counts[i] ?? 0) > 0));
  if (used.length === 0) return '';
  const height = rows.length * ROW + BOTTOM;
  const x = logarithmic(Math.min(...used) * 0.9, Math.max(...used), LEFT, W - RIGHT);
  const body = rows
    .map((row, i) => {
      const floor = (i + 1) * ROW - 4;
      const most = Math.max(1, ...row.counts);
      const bars = row.boundsMs
        .map((bound, k) => {
          const count = row.counts[k] ?? 0;
          if (count === 0) return '';
          const [from, to] = [x.at(row.boundsMs[k - 1] ?? bound / 1.2), x.at(bound)];
          const tall = Math.max(1, (count / most) * (ROW - 34));
          const says = el('title', {}, escaped(`up to ${text(bound)}: ${count.toLocaleString('en-US')}`));
          const place = { x: from + 0.5, y: floor - tall, width: Math.max(1, to - from - 1), height: tall };
          return el('g', {}, says, el('rect', { class: `bar s-${row.tone}`, ...place, rx: 1 }));
        })
        .join('');
      const marks = row.marks
        .map(({ ms }) => el('line', { class: 'mark', x1: x.at(ms), x2: x.at(ms), y1: floor - (ROW - 30), y2: floor }))
        .join('');
      const said = row.marks.map(({ name, ms }) => `${name} ${text(ms)}`).join(' · ');
      const head =
        el('text', { class: 'row-name', x: LEFT, y: floor - ROW + 22 }, escaped(row.name)) +
        el('text', { class: 'tick', x: W - RIGHT, y: floor - ROW + 22, 'text-anchor': 'end' }, escaped(said));
      const axis = el('line', { class: 'grid', x1: LEFT, x2: W - RIGHT, y1: floor, y2: floor });
      return axis + bars + marks + head;
    })
    .join('');
  const ticks = x.ticks
    .map((t) => el('text', { class: 'tick', x: x.at(t), y: height - 8, 'text-anchor': 'middle' }, escaped(tickText(t))))
    .join('');
  const svg = el('svg', { viewBox: `0 0 ${W} ${height}`, role: 'img', 'aria-label': title }, body, ticks);
  return frame(title, note, '', el('div', { class: 'plot' }, svg));
}

export interface Percentiles {
  readonly name: string;
  readonly tone: string;
  quantileMs(share: number): number;
}

const SHARES = [0, 0.5, 0.9, 0.99, 0.999, 0.9999];

/** The whole distribution at once: each step to the right leaves a tenth of the messages. */
export function percentileChart(title: string, note: string, rows: readonly Percentiles[]): string {
  if (rows.length === 0) return '';
  const nines = SHARES.length - 2;
  const shares = Array.from({ length: 121 }, (_, i) => 1 - 10 ** ((-i * nines) / 120));
  const lines = rows.map((r) => shares.map((share): [number, number] => [-Math.log10(1 - share), r.quantileMs(share)]));
  const all = lines
    .flat()
    .map(([, ms]) => ms)
    .filter((ms) => ms > 0);
  if (all.length === 0) return '';
  const x: Scale = { ticks: [], at: (nine) => LEFT + ((W - RIGHT - LEFT) * nine) / nines };
  const y = logarithmic(Math.min(...all), Math.max(...all), H - BOTTOM, TOP);
  const ticks = SHARES.map((share) => {
    const at = x.at(-Math.log10(1 - share));
    const name = share === 0 ? 'min' : `p${Number((share * 100).toFixed(2))}`;
    const anchor = share === 0 ? 'start' : share === SHARES.at(-1) ? 'end' : 'middle';
    return (
      el('line', { class: 'grid', x1: at, x2: at, y1: TOP, y2: H - BOTTOM }) +
      el('text', { class: 'tick', x: at, y: H - 8, 'text-anchor': anchor }, name)
    );
  }).join('');
  const drawn = rows.map((r, i) => el('path', { class: `line s-${r.tone}`, d: pathOf(lines[i] ?? [], x, y) })).join('');
  const svg = el(
    'svg',
    { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': title },
    gridOf(y, tickText),
    ticks,
    drawn,
  );
  return frame(title, note, legendOf(rows), el('div', { class: 'plot' }, svg));
}
