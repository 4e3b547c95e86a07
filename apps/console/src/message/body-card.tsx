import { useQuery } from '@tanstack/react-query';
import type { MessageBodyView } from '@volley/contract/http';
import { ApiProblem, ask } from '../api/client.ts';
import { MessageBody } from '../ui/message-body.tsx';
import { Card, Foreign } from '../ui/parts.tsx';
import { Reason } from '../ui/reason.tsx';
import { Failure, Loading } from '../ui/states.tsx';

/** The message as its recipient gets it. Rendered again from parts that cannot change, so it is asked for once. */
export function BodyCard({ messageId }: { messageId: string }) {
  const body = useQuery({
    queryKey: ['message-body', messageId],
    queryFn: ({ signal }) => ask<MessageBodyView>(`/v1/messages/${encodeURIComponent(messageId)}/body`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <Card title="What it says" aside="rendered again, as the recipient gets it">
      {body.data ? (
        <Rendered body={body.data} />
      ) : !body.error ? (
        <Loading rows={4} />
      ) : body.error instanceof ApiProblem && body.error.status < 500 ? (
        <NotThere problem={body.error} retry={() => void body.refetch()} />
      ) : (
        <Failure error={body.error} retry={() => void body.refetch()} />
      )}
    </Card>
  );
}

/** Nothing is broken: what would be shown is no longer, or not yet, there. */
function NotThere({ problem, retry }: { problem: ApiProblem; retry: () => void }) {
  if (problem.code === 'busy') return <Failure error={problem} retry={retry} />;
  return <p className="text-soft">It cannot be shown: {problem.problem.detail}.</p>;
}

function Rendered({ body }: { body: MessageBodyView }) {
  if (body.error || body.body === null) {
    return (
      <div className="rounded-md border border-bad px-3 py-2">
        <p className="font-medium text-bad">It cannot be rendered for this recipient</p>
        {body.error && (
          <>
            <Reason code={body.error.reason} long />
            <p className="mt-1 text-sm">
              <Foreign text={body.error.detail} />
            </p>
          </>
        )}
      </div>
    );
  }
  const heads = [
    ['From', body.from],
    ['To', body.recipient],
    ['Reply to', body.reply_to],
    ['Subject', body.subject],
  ].filter((head): head is [string, string] => Boolean(head[1]));
  return (
    <>
      <dl className="mb-3 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
        {heads.map(([name, text]) => (
          <div key={name} className="contents">
            <dt className="text-soft">{name}</dt>
            <dd className={`max-h-24 overflow-y-auto ${name === 'Subject' ? 'font-medium' : ''}`}>
              <Foreign text={text} />
            </dd>
          </div>
        ))}
      </dl>
      <MessageBody contentType={body.content_type} body={body.body} label="Text of the message" />
    </>
  );
}
