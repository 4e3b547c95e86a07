import { formatBytes, formatDuration, formatShare } from '../format.ts';
import { useNow } from '../live/use-now.ts';
import { Button } from '../ui/controls.tsx';
import { Foreign } from '../ui/parts.tsx';
import { cancelImport, type ImportRun } from './import-run.ts';

type UnderWay = Extract<ImportRun, { step: 'sending' | 'working' }>;

export function ImportProgress({ run }: { run: UnderWay }) {
  const { file } = run;
  const sent = run.step === 'sending' ? run.sentBytes : file.size;
  const percent = file.size === 0 ? 100 : Math.floor((sent / file.size) * 100);
  return (
    <div className="flex min-h-36 flex-col gap-3">
      <p role="status" className="font-medium">
        {run.step === 'sending' ? 'Sending' : 'Working: the API reads and stores'} <Foreign text={file.name} />
      </p>
      <div
        role="progressbar"
        aria-label={`Import of ${file.name.slice(0, 100)}`}
        aria-valuemin={0}
        aria-valuemax={100}
        {...(run.step === 'sending'
          ? { 'aria-valuenow': percent, 'aria-valuetext': `${formatBytes(sent)} of ${formatBytes(file.size)} sent` }
          : { 'aria-valuetext': 'the API works on it' })}
        className="h-3 overflow-hidden rounded-full bg-raised"
      >
        <div
          className={`h-full rounded-full bg-accent ${run.step === 'working' ? 'animate-pulse' : ''}`}
          style={{ width: `${run.step === 'working' ? 100 : percent}%` }}
        />
      </div>
      <p className="num min-h-6 text-sm text-soft">
        {run.step === 'sending' ? (
          <>
            {formatBytes(sent)} of {formatBytes(file.size)} ({formatShare(sent, file.size)}) ·{' '}
            {run.bytesPerS === undefined ? 'rate not known yet' : `${formatBytes(run.bytesPerS)}/s`} ·{' '}
            {run.bytesPerS ? `${formatDuration(leftMs(file.size - sent, run.bytesPerS))} left` : '–'}
          </>
        ) : (
          <>
            All {formatBytes(file.size)} are sent. Working for <Elapsed sinceMs={run.sinceMs} />; how long it takes is
            not known.
          </>
        )}
      </p>
      <div className="flex flex-wrap items-center gap-3">
        <Button onClick={cancelImport}>{run.step === 'sending' ? 'Cancel the import' : 'Stop waiting'}</Button>
        <span className="text-sm text-soft">You may look at other pages meanwhile; keep this tab open.</span>
      </div>
    </div>
  );
}

const leftMs = (bytes: number, bytesPerS: number): number => Math.ceil(bytes / bytesPerS) * 1_000;
const Elapsed = ({ sinceMs }: { sinceMs: number }) =>
  formatDuration(Math.max(0, Math.floor((useNow() - sinceMs) / 1_000)) * 1_000);
