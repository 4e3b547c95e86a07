import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Known } from '../api/types.ts';
import { Freshness } from '../ui/freshness.tsx';
import { Card } from '../ui/parts.tsx';
import { Failure } from '../ui/states.tsx';

/** Height of a chart with its legend: what stands in its place is as high. */
export const CHART_PX = 200;
const PLACE_CLASS = 'grid min-h-56 place-items-center text-center text-sm text-soft';

export const ChartPlace = ({ children }: { children: ReactNode }) => (
  <div className={PLACE_CLASS}>
    <p className="max-w-prose px-4">{children}</p>
  </div>
);

interface ChartCardProps<T> {
  readonly title: string;
  readonly query: UseQueryResult<T>;
  readonly isEmpty: (answer: T) => boolean;
  readonly empty: string;
  readonly className?: string;
  /** What to know when reading it. */
  readonly note?: string | undefined;
  readonly children: (answer: T) => ReactNode;
}

/** A chart with its age. The last one stays while the API is away. */
export function ChartCard<T extends Known & object>({
  title,
  query,
  isEmpty,
  empty,
  className = '',
  note,
  children,
}: ChartCardProps<T>) {
  const { data, error } = query;
  return (
    <Card title={title} className={`flex flex-col ${className}`}>
      {data ? (
        isEmpty(data) ? (
          <ChartPlace>{empty}</ChartPlace>
        ) : (
          children(data)
        )
      ) : error ? (
        <div className="min-h-56">
          <Failure error={error} retry={() => void query.refetch()} />
        </div>
      ) : (
        <div role="status" className="min-h-56 animate-pulse rounded-md bg-raised">
          <span className="sr-only">Loading</span>
        </div>
      )}
      <p className="mt-auto flex min-h-6 flex-wrap items-baseline justify-end gap-x-4 pt-1 text-xs text-soft [&>span]:text-xs">
        {note && <em className="me-auto not-italic">{note}</em>}
        <Freshness asOf={data?.as_of} lagMs={data?.lag_ms} />
      </p>
    </Card>
  );
}
