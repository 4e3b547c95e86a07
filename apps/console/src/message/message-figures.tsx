import type { MessageDetailView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Badge, Figure, Figures, Time } from '../ui/parts.tsx';
import { Reason } from '../ui/reason.tsx';
import { StateLabel } from '../ui/state-label.tsx';

/** Where a message stands, in one line. */
export const MessageFigures = ({ message }: { message: MessageDetailView }) => (
  <section aria-label="Where it stands" className="rounded-lg border border-line bg-panel p-4">
    <Figures>
      <Figure label="State" value={<StateLabel state={message.status} />} />
      <Figure label="Attempts" value={formatCount(message.attempts)} />
      {message.reason && (
        <Figure
          label="Reason"
          value={
            <span className="whitespace-normal">
              <Reason code={message.reason} />
            </span>
          }
        />
      )}
      <Figure
        label="Last event"
        value={
          <span className="text-base font-medium">
            <Time iso={message.occurred_at} />
          </span>
        }
      />
      {message.tags.length > 0 && (
        <Figure
          label="Tags"
          value={
            <span className="flex flex-wrap gap-1 whitespace-normal">
              {message.tags.slice(0, 20).map((tag) => (
                <Badge key={tag}>
                  <bdi className="max-w-40 truncate">{tag}</bdi>
                </Badge>
              ))}
              {message.tags.length > 20 && <span className="text-sm text-soft">+{message.tags.length - 20}</span>}
            </span>
          }
        />
      )}
    </Figures>
  </section>
);
