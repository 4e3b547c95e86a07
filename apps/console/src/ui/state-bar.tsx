import type { StatsView } from '../api/types.ts';
import { formatCount, formatShare } from '../format.ts';
import { STATE_FILL, STATES } from '../states.ts';

/** The audience as one bar: its parts add up to it, as the states do. */
export function StateBar({ stats, slim = false }: { stats: StatsView; slim?: boolean }) {
  const parts = STATES.filter(({ name }) => stats[name] > 0);
  const text = parts.map(({ name, label }) => `${label} ${formatCount(stats[name])}`).join(', ') || 'no messages yet';
  return (
    <div
      role="img"
      aria-label={`${formatCount(stats.total)} messages: ${text}`}
      className={`flex w-full overflow-hidden rounded-full bg-raised ${slim ? 'h-2' : 'h-4'}`}
    >
      {parts.map(({ name, label }) => (
        <span
          key={name}
          title={`${label}: ${formatCount(stats[name])} (${formatShare(stats[name], stats.total)})`}
          className={`${STATE_FILL[name]} min-w-[2px] transition-[width] duration-700`}
          style={{ width: `${(stats[name] / stats.total) * 100}%` }}
        />
      ))}
    </div>
  );
}

/** The same in figures; each may lead to its messages. */
export function StateLegend({
  stats,
  link,
}: {
  stats: StatsView;
  link?: (name: string, text: string) => React.ReactNode;
}) {
  const shown = STATES.filter(({ name }) => name !== 'suppressed' || stats.suppressed > 0);
  return (
    <ul className="mt-3 grid grid-cols-[repeat(auto-fill,minmax(7rem,1fr))] gap-x-4 gap-y-2">
      {shown.map(({ name, label, meaning }) => (
        <li key={name} title={meaning} className="flex items-baseline gap-2">
          <span aria-hidden className={`size-2.5 shrink-0 rounded-sm ${STATE_FILL[name]}`} />
          <span className="min-w-0">
            <span className="block text-sm text-soft">{link ? link(name, label) : label}</span>
            <span className="num block font-semibold">{formatCount(stats[name])}</span>
          </span>
        </li>
      ))}
    </ul>
  );
}
