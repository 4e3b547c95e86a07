import type { DeadLetterCountView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Reason } from '../ui/reason.tsx';

/** What a selection finds. */
export const CountByReason = ({ count }: { count: DeadLetterCountView }) => (
  <ul className="max-h-48 overflow-y-auto rounded-md border border-line">
    {count.reasons.map(({ reason, count: matched }) => (
      <li key={reason} className="flex justify-between gap-4 border-line px-3 py-1.5 not-last:border-b">
        <Reason code={reason} long />
        <span className="num font-semibold">{formatCount(matched)}</span>
      </li>
    ))}
  </ul>
);
