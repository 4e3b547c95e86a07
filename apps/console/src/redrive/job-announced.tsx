import type { RedriveView } from '../api/types.ts';
import { doneText } from './job-progress.tsx';
import { countText } from './selection.ts';

/** For those who hear it: that it has begun and what came of it, not each count between. Mounted before it begins. */
export const JobAnnounced = ({ job }: { job: RedriveView | undefined }) => (
  <p role="status" className="sr-only">
    {job &&
      (job.status === 'running'
        ? `${job.action === 'redrive' ? 'Sending again has' : 'Purging has'} begun: ${countText(job)}`
        : doneText(job))}
  </p>
);
