import type { RedriveView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { countText, dealtWith } from './selection.ts';

/** Why a message was left as it stood, as docs/dead-letters.md lists it. */
const CAUSES: Readonly<Record<string, string>> = {
  campaign_over: 'their campaign is cancelled, deleted or could not start',
  campaign_expired: 'the deadline of their campaign has passed',
  test: 'test messages',
  gone: 'the log no longer has them',
  truncated: 'the log did not take them whole',
  undecodable: 'what is in the log is no message, or its schema is not known',
  foreign: 'another message lies at their place in the log',
  too_large: 'they no longer fit a record of their lane',
};

export function JobBar({ job }: { job: RedriveView }) {
  const whole = Math.max(job.matched, job.selected, dealtWith(job));
  const share = job.status === 'done' ? 1 : whole === 0 ? 0 : dealtWith(job) / whole;
  return (
    <div
      role="progressbar"
      aria-label={job.action === 'redrive' ? 'Sending again' : 'Purging'}
      aria-valuemin={0}
      aria-valuemax={whole}
      aria-valuenow={job.status === 'done' ? whole : dealtWith(job)}
      className="h-2 w-full overflow-hidden rounded-full bg-raised"
    >
      <div
        className={`h-full rounded-full transition-[width] duration-300 ${job.status === 'done' ? 'bg-good' : 'bg-accent'}`}
        style={{ width: `${share * 100}%` }}
      />
    </div>
  );
}

/** What came of a job so far, in one sentence. */
function movedText(job: RedriveView): string {
  const moved = job.action === 'redrive' ? job.redriven : job.purged;
  const what = job.action === 'redrive' ? 'on their way again' : 'taken out of the list';
  return `${formatCount(moved)} of ${countText(job)} ${what}${job.status === 'cancelled' ? ', then stopped' : ''}`;
}

/** The same, once it is done: also that being on the way is not having arrived, and where that is seen. */
export function doneText(job: RedriveView): string {
  if (job.status !== 'done') return movedText(job);
  const moved = job.action === 'redrive' ? job.redriven : job.purged;
  const isAll = moved === job.matched && !job.matched_at_least;
  const count = isAll ? formatCount(moved) : `${formatCount(moved)} of ${countText(job)}`;
  if (job.action === 'purge') return `Done: ${count} taken out of the list.`;
  if (moved === 0) return `Done: ${count} on their way again.`;
  const [are, them] = moved === 1 ? ['is on its', 'it'] : ['are on their', 'them'];
  const where = job.filter.campaign_id ? "the campaign's page" : 'the pages of their campaigns';
  return `Done: ${count} ${are} way again; what becomes of ${them} stands on ${where}.`;
}

export const JobText = ({ job }: { job: RedriveView }) => <span className="num">{movedText(job)}</span>;

export function JobLeft({ job }: { job: RedriveView }) {
  const left = Object.entries(job.left_by_cause).filter(([, count]) => count > 0);
  if (left.length === 0) return null;
  return (
    <div className="text-sm">
      <p className="font-medium text-warn">Left as they stand:</p>
      <ul className="ms-4 list-disc">
        {left.map(([cause, count]) => (
          <li key={cause} className="num">
            {formatCount(count)}: {CAUSES[cause] ?? cause}
          </li>
        ))}
      </ul>
    </div>
  );
}
