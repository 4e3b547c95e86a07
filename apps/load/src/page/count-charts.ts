import { BOTTOM, frame, gridOf, H, LEFT, legendOf, RIGHT, TOP, timesOf, W } from './frame.ts';
import { el, escaped } from './markup.ts';
import { linear, timeline } from './scale.ts';

export interface Stack {
  readonly fromS: number;
  readonly toS: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** Counts by kind on top of each other, an interval each. */
export function stackChart(
  title: string,
  note: string,
  stacks: readonly Stack[],
  span: { readonly fromS: number; readonly toS: number },
  tones: Readonly<Record<string, string>>,
): string {
  const most = Math.max(1, ...stacks.map((s) => Object.values(s.counts).reduce((a, b) => a + b, 0)));
  const x = timeline(span.fromS, span.toS, LEFT, W - RIGHT);
  const y = linear(most, H - BOTTOM, TOP);
  const bars = stacks
    .map((s) => {
      let below = 0;
      return Object.entries(s.counts)
        .map(([kind, count]) => {
          const [bottom, top] = [y.at(below), y.at(below + count)];
          below += count;
          const from = x.at(s.fromS);
          const place = {
            x: from + 0.5,
            y: top,
            width: Math.max(1, x.at(s.toS) - from - 1),
            height: Math.max(0.5, bottom - top),
          };
          return el('rect', { class: `bar s-${tones[kind] ?? 'f'}`, ...place });
        })
        .join('');
    })
    .join('');
  const svg = el(
    'svg',
    { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': title },
    gridOf(y, (v) => v.toLocaleString('en-US')),
    timesOf(x),
    bars,
  );
  const legend = Object.keys(tones).map((name) => ({ name, tone: tones[name] as string }));
  return frame(title, note, legendOf(legend, 1), el('div', { class: 'plot' }, svg));
}

/** Bars from the left, longest first. */
export function barList(
  title: string,
  note: string,
  rows: readonly { name: string; value: number; text: string; tone: string }[],
): string {
  const most = Math.max(1e-9, ...rows.map((r) => r.value));
  const items = rows.map((r) =>
    el(
      'li',
      {},
      el('span', { class: 'bar-name' }, escaped(r.name)),
      el(
        'span',
        { class: 'track' },
        el('span', { class: `fill s-${r.tone}`, style: `width:${((r.value / most) * 100).toFixed(1)}%` }),
      ),
      el('span', { class: 'bar-text' }, escaped(r.text)),
    ),
  );
  return frame(title, note, '', el('ul', { class: 'bars' }, ...items));
}
