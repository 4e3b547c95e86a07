import type { UseQueryResult } from '@tanstack/react-query';
import { type ReactNode, useSyncExternalStore } from 'react';
import { ApiProblem, Unreachable } from '../api/client.ts';
import { apiIsAway, onReach } from '../api/reach.ts';
import { Button } from './controls.tsx';
import { Time } from './parts.tsx';

/** Nothing there: why, and what to do about it. */
export const Empty = ({ title, children }: { title: string; children?: ReactNode }) => (
  <div className="rounded-lg border border-dashed border-line px-4 py-10 text-center">
    <p className="font-medium">{title}</p>
    {children && <div className="mx-auto mt-2 max-w-prose text-soft">{children}</div>}
  </div>
);

/** As large as what will stand there. */
export const Loading = ({ rows = 3 }: { rows?: number }) => (
  <div role="status" className="flex flex-col gap-2">
    <span className="sr-only">Loading</span>
    {Array.from({ length: rows }, (_, i) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
      <div key={i} className="h-9 animate-pulse rounded-md bg-raised" />
    ))}
  </div>
);

export function Failure({ error, retry }: { error: Error; retry?: (() => void) | undefined }) {
  const problem = error instanceof ApiProblem ? error : undefined;
  return (
    <div role="alert" className="rounded-lg border border-bad bg-panel px-4 py-3">
      <p className="font-medium text-bad">{problem ? problem.problem.title : error.message}</p>
      {problem && <p className="mt-1 wrap-anywhere">{problem.problem.detail}</p>}
      {problem?.problem.errors?.map((each) => (
        <p key={`${each.pointer} ${each.detail}`} className="text-sm text-soft wrap-anywhere">
          {each.pointer}: {each.detail}
        </p>
      ))}
      {problem?.retryAfter !== undefined && <p className="num mt-1">Try again in {problem.retryAfter} s.</p>}
      {problem?.problem.request_id && (
        <p className="mt-1 text-xs text-soft">
          {problem.code} · request {problem.problem.request_id}
        </p>
      )}
      {retry && (
        <Button className="mt-2" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

interface NotRenewedProps {
  readonly query: Pick<UseQueryResult<unknown>, 'data' | 'error' | 'dataUpdatedAt'>;
  readonly className?: string;
}

/** Above figures that were answered before and not since: they are not those of now. */
export function NotRenewed({ query, className = '' }: NotRenewedProps) {
  const { data, error, dataUpdatedAt } = query;
  const away = useSyncExternalStore(onReach, apiIsAway);
  // That nothing is answered at all stands above each page.
  if (data === undefined || !error || (away && error instanceof Unreachable)) return null;
  return (
    <p role="status" className={`line-clamp-2 text-xs text-warn wrap-anywhere ${className}`}>
      Not renewed since <Time iso={dataUpdatedAt > 0 ? new Date(dataUpdatedAt).toISOString() : null} />: {error.message}
    </p>
  );
}

interface AnsweredProps<T> {
  readonly query: UseQueryResult<T>;
  readonly rows?: number;
  /** What is drawn says itself that it was not renewed. */
  readonly saysAge?: boolean;
  readonly children: (value: T) => ReactNode;
}

/** An answer, or what is in its place. One that was there stays while the API is away: it says how old it is. */
export function Answered<T>({ query, rows = 3, saysAge = false, children }: AnsweredProps<T>) {
  if (query.data !== undefined)
    return (
      <>
        {!saysAge && <NotRenewed query={query} className="mb-1" />}
        {children(query.data)}
      </>
    );
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />;
  return <Loading rows={rows} />;
}
