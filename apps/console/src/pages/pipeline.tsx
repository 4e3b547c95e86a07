import { useQuery } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { PipelineView } from '../api/types.ts';
import { Auditor } from '../pipeline/auditor.tsx';
import { Breakers } from '../pipeline/breakers.tsx';
import { Dispatchers } from '../pipeline/dispatchers.tsx';
import { MissingPart } from '../pipeline/missing-part.tsx';
import { Queues } from '../pipeline/queues.tsx';
import { Readers } from '../pipeline/readers.tsx';
import { Verdict } from '../pipeline/verdict.tsx';
import { Card, Page } from '../ui/parts.tsx';
import { Answered } from '../ui/states.tsx';

const EVERY_MS = 2_000;

/** How far everything on the way to the recipients is behind, who works on it, what holds it up; and whether it adds up. */
export function PipelinePage() {
  const query = useQuery({
    queryKey: ['pipeline'],
    queryFn: ({ signal }) => ask<PipelineView>('/v1/pipeline', { signal }),
    refetchInterval: EVERY_MS,
  });
  return (
    <Page title="Pipeline">
      <Answered query={query} rows={12} saysAge>
        {(view) => (
          <>
            <Verdict view={view} stale={query.error?.message} />
            <Card title="What waits">
              {view.queues === null ? <MissingPart view={view} part="queues" /> : <Queues queues={view.queues} />}
            </Card>
            <Readers view={view} />
            <Card title="Dispatchers">
              {view.dispatchers === null ? (
                <MissingPart view={view} part="dispatchers" />
              ) : (
                <Dispatchers dispatchers={view.dispatchers} />
              )}
            </Card>
            <Card title="Breakers">
              {view.breakers === null ? (
                <MissingPart view={view} part="breakers" />
              ) : (
                <Breakers breakers={view.breakers} />
              )}
            </Card>
          </>
        )}
      </Answered>
      <Auditor />
    </Page>
  );
}
