import { memo } from 'react';
import { Link } from 'react-router';
import type { MessageView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { ForeignLine, Time } from '../ui/parts.tsx';
import { Reason } from '../ui/reason.tsx';
import { StateLabel } from '../ui/state-label.tsx';

export const ROW_PX = 38;
const CELL = 'border-b border-line px-3 py-0';

interface MessageRowProps {
  /** From 2: the header is the first. */
  readonly rowIndex: number;
  readonly message: MessageView | undefined;
  readonly isSelected: boolean;
  /** false: none of the list can be, and on a narrow screen the column would be room lost. */
  readonly canSelect: boolean;
  onSelect(messageId: string, isSelected: boolean): void;
}

export const canBeSentAgain = ({ status }: MessageView): boolean => status === 'failed' || status === 'dead';

export const MessageRow = memo(function MessageRow({
  rowIndex,
  message,
  isSelected,
  canSelect,
  onSelect,
}: MessageRowProps) {
  return (
    <tr
      aria-rowindex={rowIndex}
      aria-busy={!message || undefined}
      className={`hover:bg-raised ${isSelected ? 'bg-raised' : ''}`}
      style={{ height: ROW_PX }}
    >
      <td className={`${CELL} ${canSelect ? '' : 'max-sm:hidden'}`}>
        {message && canBeSentAgain(message) && (
          <input
            type="checkbox"
            aria-label={`Select ${message.recipient.slice(0, 100)}`}
            checked={isSelected}
            onChange={(event) => onSelect(message.message_id, event.target.checked)}
            className="block size-4 accent-accent"
          />
        )}
      </td>
      <td className={CELL}>
        {message ? (
          <Link to={`/messages/${message.message_id}`} className="block text-accent hover:underline">
            <ForeignLine text={message.recipient} />
          </Link>
        ) : (
          <span className="block h-3 w-3/4 rounded bg-raised" />
        )}
      </td>
      <td className={CELL}>{message && <StateLabel state={message.status} />}</td>
      <td className={`${CELL} num text-end`}>{message && formatCount(message.attempts)}</td>
      <td className={`${CELL} truncate`}>
        {message && (message.reason ? <Reason code={message.reason} /> : <span className="text-soft">–</span>)}
      </td>
      <td className={`${CELL} text-soft`}>{message && <Time iso={message.occurred_at ?? message.queued_at} />}</td>
      <td title={message?.message_id} className={`${CELL} truncate font-mono text-xs text-soft`}>
        {message && `…${message.message_id.slice(-12)}`}
      </td>
    </tr>
  );
});
