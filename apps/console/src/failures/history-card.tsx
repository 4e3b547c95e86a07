import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { ask } from '../api/client.ts';
import type { Page, RedriveView } from '../api/types.ts';
import { JobBar, JobLeft, JobText } from '../redrive/job-progress.tsx';
import { jobPath, tellChanged } from '../redrive/selection.ts';
import { Button } from '../ui/controls.tsx';
import { PageButtons } from '../ui/page-buttons.tsx';
import { Badge, Card, Foreign, Time } from '../ui/parts.tsx';
import { Answered, Empty } from '../ui/states.tsx';
import { Table, Td, Th } from '../ui/table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { filterText } from './filter-text.ts';

const PAGE_ROWS = 5;
const LOOK_MS = 15_000;
const LOOK_RUNNING_MS = 1_500;
const LOOK_WAITING_MS = 4_000;

/** Who has sent again or purged what, why, and what came of it. */
export function HistoryCard({ nameOf }: { nameOf(campaignId: string): string }) {
  const cache = useQueryClient();
  const { cursor, previous, next } = usePages();
  const jobs = useQuery({
    queryKey: ['redrives', 'list', cursor ?? ''],
    queryFn: ({ signal }) =>
      ask<Page<RedriveView>>('/v1/dlq/redrives', { query: { limit: PAGE_ROWS, cursor }, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.data.some(({ status }) => status === 'running') ? LOOK_RUNNING_MS : LOOK_MS,
  });
  const isRunning = jobs.data?.data.some(({ status }) => status === 'running') ?? false;
  // What waits becomes less while it goes on.
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(() => void cache.invalidateQueries({ queryKey: ['dlq'] }), LOOK_WAITING_MS);
    return () => {
      clearInterval(timer);
      tellChanged(cache, undefined);
    };
  }, [isRunning, cache]);
  return (
    <Card title="Sent again and purged" aside="newest first">
      <Answered query={jobs}>
        {({ data, next_cursor }) => (
          <>
            {data.length === 0 ? (
              <Empty title="Nothing was sent again or purged so far" />
            ) : (
              <Table label="Sent again and purged">
                <thead>
                  <tr>
                    <Th>When</Th>
                    <Th>What</Th>
                    <Th>Which and why</Th>
                    <Th>Result</Th>
                  </tr>
                </thead>
                <tbody>
                  {data.map((job) => (
                    <Row key={job.redrive_id} job={job} nameOf={nameOf} />
                  ))}
                </tbody>
              </Table>
            )}
            <PageButtons
              label="Pages of what was sent again and purged"
              previous={previous}
              next={next_cursor ? () => next(next_cursor) : undefined}
            />
          </>
        )}
      </Answered>
    </Card>
  );
}

const STATUSES = {
  running: { label: 'running', tone: 'info' },
  done: { label: 'done', tone: 'good' },
  cancelled: { label: 'stopped', tone: 'warn' },
} as const;

function Row({ job, nameOf }: { job: RedriveView; nameOf(campaignId: string): string }) {
  const { label, tone } = STATUSES[job.status];
  return (
    <tr>
      <Td className="w-52">
        <Time iso={job.created_at} />
        <span className="block text-soft">
          by <bdi>{job.requested_by}</bdi>
        </span>
      </Td>
      <Td className="whitespace-nowrap">{job.action === 'redrive' ? 'Sent again' : 'Purged'}</Td>
      <Td className="min-w-52">
        <Foreign text={filterText(job, nameOf)} />
        {job.reason_text && (
          <span className="block max-h-24 overflow-y-auto text-soft">
            <Foreign text={job.reason_text} />
          </span>
        )}
      </Td>
      <Td className="w-[36%] min-w-60">
        <span className="flex flex-wrap items-center gap-2">
          <Badge tone={tone}>{label}</Badge>
          <JobText job={job} />
          {job.status === 'running' && <StopButton job={job} />}
        </span>
        {job.status === 'running' && (
          <div className="mt-2">
            <JobBar job={job} />
          </div>
        )}
        <JobLeft job={job} />
      </Td>
    </tr>
  );
}

function StopButton({ job }: { job: RedriveView }) {
  const cache = useQueryClient();
  const stop = useMutation({
    mutationFn: () => ask<RedriveView>(`${jobPath(job.redrive_id)}/cancel`, { method: 'POST' }),
    onSettled: () => cache.invalidateQueries({ queryKey: ['redrives'] }),
  });
  return (
    <Button
      kind="danger"
      busy={stop.isPending || stop.isSuccess}
      onClick={() => stop.mutate()}
      className="min-h-7 px-2 py-0.5"
    >
      {/* What it has in hand goes out first, as slowly as it was asked to. */}
      {stop.isSuccess ? 'Stopping' : 'Stop'}
    </Button>
  );
}
