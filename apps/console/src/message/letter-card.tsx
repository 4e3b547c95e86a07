import { useQuery } from '@tanstack/react-query';
import { ApiProblem, ask } from '../api/client.ts';
import type { DeadLetterDetailView } from '../api/types.ts';
import { formatBytes, formatCount } from '../format.ts';
import { Badge, Card, Foreign, Time } from '../ui/parts.tsx';
import { Failure, Loading } from '../ui/states.tsx';

const STANDINGS = {
  waiting: { label: 'Waits for somebody to decide', tone: 'warn' },
  redriven: { label: 'Sent again', tone: 'info' },
  purged: { label: 'Purged', tone: 'neutral' },
} as const;

/** The record that was put aside when the message failed. */
export function LetterCard({ messageId }: { messageId: string }) {
  const letter = useQuery({
    queryKey: ['dlq', 'one', messageId],
    queryFn: ({ signal }) => ask<DeadLetterDetailView>(`/v1/dlq/${encodeURIComponent(messageId)}`, { signal }),
  });
  if (letter.error instanceof ApiProblem && letter.error.status === 404) return null;
  return (
    <Card
      title="Dead letter"
      aside={
        letter.data && (
          <Badge tone={STANDINGS[letter.data.standing].tone}>{STANDINGS[letter.data.standing].label}</Badge>
        )
      }
    >
      {letter.data ? (
        <Letter letter={letter.data} />
      ) : letter.error ? (
        <Failure error={letter.error} retry={() => void letter.refetch()} />
      ) : (
        <Loading rows={2} />
      )}
    </Card>
  );
}

function Letter({ letter: { letter, detail, dlq } }: { letter: DeadLetterDetailView }) {
  if (!letter) {
    return (
      <p className="text-soft">
        The log no longer has it, so it cannot be sent again. The last answer was: <Foreign text={detail} />
      </p>
    );
  }
  return (
    <>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
        <dt className="text-soft">First failed</dt>
        <dd>
          <Time iso={letter.first_failed_at} />
        </dd>
        <dt className="text-soft">Last failed</dt>
        <dd>
          <Time iso={letter.last_failed_at} />
        </dd>
        <dt className="text-soft">Answer</dt>
        <dd className="max-h-24 overflow-y-auto">
          <Foreign text={letter.error || '–'} />
        </dd>
        <dt className="text-soft">Size</dt>
        <dd>{formatBytes(letter.value_bytes)}</dd>
      </dl>
      {letter.truncated && (
        <p className="mt-2 text-sm text-warn">The log did not take it whole: it cannot be sent again.</p>
      )}
      {letter.undecodable && (
        <p className="mt-2 text-sm text-warn">
          It cannot be read: <Foreign text={letter.undecodable} />
        </p>
      )}
      <details className="mt-3 text-sm">
        <summary className="text-accent">{formatCount(letter.headers.length)} headers and where it lies</summary>
        <dl className="mt-2 max-h-80 overflow-y-auto rounded-md bg-raised p-3">
          {[
            { name: 'first arrived at', value: letter.origin },
            ...(dlq ? [{ name: 'dead letter', value: `partition ${dlq.partition}, offset ${dlq.offset}` }] : []),
            ...letter.headers,
          ].map(({ name, value }, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: headers may repeat, and none is ever moved
            <div key={i} className="py-0.5 sm:grid sm:grid-cols-[12rem_minmax(0,1fr)] sm:gap-3">
              <dt className="text-soft wrap-anywhere">{name}</dt>
              <dd className="font-mono text-xs leading-5">
                <Foreign text={value} />
              </dd>
            </div>
          ))}
        </dl>
      </details>
    </>
  );
}
