import type { Line } from './plot.tsx';

interface PlotLegendProps {
  readonly lines: readonly Line[];
  /** Index of what is pointed at. */
  readonly at: number | null;
  readonly x: string | undefined;
}

/** What is what, with the values that are pointed at. It keeps its height, whatever stands in it. */
export function PlotLegend({ lines, at, x }: PlotLegendProps) {
  return (
    <ul aria-hidden className="mb-2 flex flex-wrap gap-x-4 gap-y-0.5 text-xs text-soft">
      {lines.map((line) => {
        const value = at === null ? undefined : line.values[at];
        return (
          <li key={line.label} className="flex items-center gap-1.5 whitespace-nowrap">
            <span className="size-2.5 rounded-xs" style={{ background: `var(--${line.colour})` }} />
            {line.label}
            <span className="num min-w-12 font-medium text-ink">
              {at === null ? (line.atRest ?? '') : value == null ? '–' : line.show(value)}
            </span>
          </li>
        );
      })}
      <li className="num ms-auto whitespace-nowrap">{x ?? '\u00a0'}</li>
    </ul>
  );
}
