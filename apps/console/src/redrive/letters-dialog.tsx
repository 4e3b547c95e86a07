import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useRef, useState } from 'react';
import type { RedriveView } from '../api/types.ts';
import { Button, Field, Input } from '../ui/controls.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Failure, Loading } from '../ui/states.tsx';
import { CountByReason } from './count-by-reason.tsx';
import { JobAnnounced } from './job-announced.tsx';
import { doneText, JobBar, JobLeft } from './job-progress.tsx';
import { type Action, countSelected, countText, jobKey, type Selection, start, tellChanged } from './selection.ts';
import { useJob } from './use-job.ts';

const WORDS = {
  redrive: {
    title: 'Send again',
    about:
      'They keep their ids and go out with the template of their campaign. What has caused it should be mended first.',
    none: 'Nothing to send again',
    go: 'Send again to',
    kind: 'primary',
  },
  purge: {
    title: 'Purge dead letters',
    about:
      'They go from this list and can no longer be sent again. Their state in the statistics stays. This cannot be undone.',
    none: 'Nothing to purge',
    go: 'Purge',
    kind: 'danger',
  },
} as const;

/** Ten seconds of them. */
const FIRST_COUNTS = 5;
const SOON_COUNTED = 10_000;

interface LettersDialogProps {
  readonly action: Action;
  readonly selection: Selection;
  readonly open: boolean;
  onClose(): void;
  readonly onStarted?: ((job: RedriveView) => void) | undefined;
}

/** Counts, asks once, starts, and shows how it goes. Mounted anew (by its key) each time it is asked for. */
export function LettersDialog({ action, selection, open, onClose, onStarted }: LettersDialogProps) {
  const cache = useQueryClient();
  const words = WORDS[action];
  const id = useId();
  const [why, setWhy] = useState('');
  const [rate, setRate] = useState('');
  const [jobId, setJobId] = useState<string>();
  const ratePerSecond = rate.trim() === '' ? undefined : Number(rate);
  const isRateBad = ratePerSecond !== undefined && !(ratePerSecond > 0 && ratePerSecond <= 1_000_000);

  const count = useQuery({
    queryKey: ['letters-count', id],
    queryFn: ({ signal }) => countSelected(action, selection, signal),
    enabled: open && jobId === undefined,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    // What failed in the last seconds is not in the list yet: it comes while one reads. A long list is counted letter by
    // letter, and a few more make no difference to it.
    refetchInterval: ({ state: { data, dataUpdateCount } }) =>
      dataUpdateCount < FIRST_COUNTS && (data?.matched ?? 0) <= SOON_COUNTED ? 2_000 : false,
    refetchOnWindowFocus: false,
  });
  // A second click before the first is answered must not start a second one.
  const isStarting = useRef(false);
  const starting = useMutation({
    mutationFn: () => start(action, selection, { ratePerSecond, why: why.trim() }),
    onSuccess: (job) => {
      cache.setQueryData(jobKey(job.redrive_id), job);
      setJobId(job.redrive_id);
      tellChanged(cache, selection.campaign_id);
      onStarted?.(job);
    },
    onSettled: () => {
      isStarting.current = false;
    },
  });
  const go = () => {
    if (isStarting.current || jobId !== undefined) return;
    isStarting.current = true;
    starting.mutate();
  };
  const { job, error: jobError, stop } = useJob(jobId, selection.campaign_id);
  const found = count.data;

  const asks = found && found.matched > 0 && !job;
  const actions = (
    <>
      <Button onClick={onClose}>{asks ? 'Not now' : 'Close'}</Button>
      {job?.status === 'running' && (
        <Button kind="danger" busy={stop.isPending || stop.isSuccess} onClick={() => stop.mutate()}>
          {stop.isSuccess ? 'Stopping' : 'Stop'}
        </Button>
      )}
      {asks && (
        <Button kind={words.kind} busy={starting.isPending} disabled={isRateBad} onClick={go}>
          {words.go} {countText(found)}
        </Button>
      )}
    </>
  );

  return (
    <Dialog title={words.title} open={open} onClose={onClose} actions={actions}>
      <JobAnnounced job={job} />
      {job ? (
        <div className="flex flex-col gap-3">
          <p className="num font-medium">{doneText(job)}</p>
          <JobBar job={job} />
          <JobLeft job={job} />
          <p className="text-sm text-soft">
            {job.status === 'running'
              ? 'It goes on when this is closed; how far it is stands under Failures.'
              : job.action === 'redrive' && job.redriven > 0
                ? 'Their campaign runs again until each of them has ended.'
                : ' '}
          </p>
          {(stop.error ?? jobError) && <Failure error={(stop.error ?? jobError) as Error} />}
        </div>
      ) : count.error && !found ? (
        <Failure error={count.error} retry={() => void count.refetch()} />
      ) : !found ? (
        <Loading rows={3} />
      ) : found.matched === 0 ? (
        <div role="status">
          <p className="font-medium">{words.none}</p>
          <p className="mt-1 text-soft">
            No message of this selection waits as a dead letter: they were sent again or purged before, or have ended
            otherwise since. What failed in the last few seconds may not be in the list yet.
          </p>
        </div>
      ) : (
        <>
          <p className="text-sm text-soft">{words.about}</p>
          <CountByReason count={found} />
          <div className={action === 'redrive' ? 'grid gap-3 sm:grid-cols-[1fr_11rem]' : ''}>
            <Field label="Why" hint="Optional, kept with the job.">
              {(ids) => <Input {...ids} maxLength={500} value={why} onChange={(event) => setWhy(event.target.value)} />}
            </Field>
            {action === 'redrive' && (
              <Field
                label="At most per second"
                hint="Empty: as its campaign."
                error={isRateBad && 'A number above 0, up to 1,000,000.'}
              >
                {(ids) => (
                  <Input
                    {...ids}
                    inputMode="decimal"
                    autoComplete="off"
                    value={rate}
                    onChange={(event) => setRate(event.target.value)}
                  />
                )}
              </Field>
            )}
          </div>
          {starting.error && <Failure error={starting.error} />}
        </>
      )}
    </Dialog>
  );
}
