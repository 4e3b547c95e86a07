import type { CampaignAuditView } from '../api/types.ts';
import { formatCount, formatDuration } from '../format.ts';
import { STATES } from '../states.ts';
import { Time } from '../ui/parts.tsx';
import { AuditFigures } from './figures.tsx';

/** Accepted = sent + failed + …, difference 0: a campaign's audit as one line, its figures folded. */
export function AuditLine({ audit, name }: { audit: CampaignAuditView; name: string }) {
  const parts = STATES.filter(({ name: state }) => audit.states[state] > 0 || state === 'sent');
  const differing = audit.figures.filter((each) => each.difference !== null && each.difference > 0);
  const same = audit.figures.filter((each) => !differing.includes(each));
  return (
    <div className="min-w-0">
      <p className="num wrap-anywhere">
        accepted {formatCount(audit.accepted)} ={' '}
        {parts.map(({ name: state, label }, i) => (
          <span key={state} className="whitespace-nowrap">
            {i > 0 && '+ '}
            {label.toLowerCase()} {formatCount(audit.states[state])}{' '}
          </span>
        ))}
        <Difference audit={audit} />
      </p>
      <p className="num text-sm text-soft">
        compared <Time iso={audit.as_of} />
        {audit.stored !== null && ` · ${formatCount(audit.stored.raw_rows)} stored events`}
        {audit.stored !== null &&
          audit.stored.marked_repeats > 0 &&
          ` · ${formatCount(audit.stored.marked_repeats)} marked repeats, which count nowhere`}
        {audit.waited_ms > 0 && ` · waited ${formatDuration(audit.waited_ms)} for events`}
      </p>
      {differing.length > 0 && (
        <div className="mt-2">
          <AuditFigures label={`What differs in ${name.slice(0, 80)}`} figures={differing} />
        </div>
      )}
      {same.length > 0 && (
        <details className="mt-1">
          <summary className="text-sm text-accent">
            {differing.length > 0 ? `The other ${same.length} comparisons` : `The ${same.length} comparisons`}
          </summary>
          <div className="mt-2">
            <AuditFigures label={`Audit of ${name.slice(0, 80)}`} figures={same} />
          </div>
        </details>
      )}
    </div>
  );
}

function Difference({ audit }: { audit: CampaignAuditView }) {
  if (audit.verdict === 'equal') return <strong className="whitespace-nowrap text-good">difference 0</strong>;
  if (audit.verdict === 'not_kept')
    return <strong className="text-warn">too old to be compared: its events may be deleted</strong>;
  if (audit.verdict === 'lagging')
    return <strong className="text-warn">nothing differs so far, some events are still on their way</strong>;
  // The largest, as one message that is gone differs in several comparisons.
  const most = Math.max(0, ...audit.figures.map((each) => each.difference ?? 0));
  return <strong className="text-bad">difference {formatCount(most)}</strong>;
}
