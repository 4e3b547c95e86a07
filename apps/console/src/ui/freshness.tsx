import { formatDuration } from '../format.ts';
import type { Liveness } from '../live/use-live-stats.ts';
import { useNow } from '../live/use-now.ts';
import { Badge, Time } from './parts.tsx';

interface FreshnessProps {
  readonly asOf: string | null | undefined;
  readonly lagMs: number | null | undefined;
}

/** How old figures are; always beside them. */
export function Freshness({ asOf, lagMs }: FreshnessProps) {
  return (
    <span className="num text-sm whitespace-nowrap text-soft">
      {asOf ? (
        <>
          as of <Time iso={asOf} /> · lag <span className="inline-block min-w-16">{formatDuration(lagMs ?? null)}</span>
        </>
      ) : (
        'age not known'
      )}
    </span>
  );
}

export function LiveBadge({ liveness, heardAtMs }: { liveness: Liveness; heardAtMs: number | undefined }) {
  return (
    <span role="status">
      {liveness === 'live' && (
        <Badge tone="good">
          <span aria-hidden className="size-2 rounded-full bg-good" /> live
        </Badge>
      )}
      {liveness === 'ended' && <Badge>final</Badge>}
      {liveness === 'connecting' && <Badge>connecting</Badge>}
      {liveness === 'broken' && (
        <Badge tone="bad">
          not live
          {/* It counts: not to be read out each second. */}
          {heardAtMs !== undefined && (
            <span aria-hidden className="num">
              <Since heardAtMs={heardAtMs} />
            </span>
          )}
        </Badge>
      )}
    </span>
  );
}
const Since = ({ heardAtMs }: { heardAtMs: number }) =>
  ` for ${formatDuration(Math.max(0, Math.floor((useNow() - heardAtMs) / 1_000) * 1_000))}`;
