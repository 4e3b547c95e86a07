import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { Known } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Button, Spinner } from '../ui/controls.tsx';
import { Failure, Loading } from '../ui/states.tsx';
import { MessageRow, ROW_PX } from './message-row.tsx';
import { EMPTY_PAGES, type MessageFilters, useMessageList } from './use-message-list.ts';

/** Browsers lay out no box of any height: the scrolled one holds so many rows and moves on through the list. */
const BOX_ROWS = 100_000;
const MOVE_ROWS = 50_000;
/** The next page is asked for before its begin is in sight. */
const AHEAD_ROWS = 40;
/** Fixed, so that rows of other widths move nothing when they come into sight. */
const HEADS = [
  { name: 'Recipient', width: 'w-auto text-start' },
  { name: 'State', width: 'w-32 text-start' },
  { name: 'Attempts', width: 'w-24 text-end' },
  { name: 'Reason', width: 'w-48 text-start' },
  { name: 'Last event', width: 'w-52 text-start' },
  { name: 'Message', width: 'w-36 text-start' },
];

const HEAD = 'sticky top-0 z-10 border-b border-line bg-panel px-3 py-2 font-medium text-soft';

/** In place of the rows that are out of sight. */
const Space = ({ px }: { px: number }) =>
  px > 0 && (
    <tbody aria-hidden>
      <tr style={{ height: px }} />
    </tbody>
  );

interface MessageTableProps {
  readonly campaignId: string;
  readonly filters: MessageFilters;
  /** Of the whole list, where that is known before its end is read. */
  readonly total: number | undefined;
  readonly isLive: boolean;
  /** Whether any of them may be sent again. */
  readonly canSelect: boolean;
  readonly selected: ReadonlySet<string>;
  onSelect(messageId: string, isSelected: boolean): void;
  onKnown(known: Known | undefined): void;
  readonly whenEmpty: ReactNode;
}

/** Rows that are in sight, in a table that says which of how many they are. Mounted anew for other filters. */
export function MessageTable(props: MessageTableProps) {
  const { campaignId, filters, total, isLive, canSelect, selected, onSelect, onKnown, whenEmpty } = props;
  const box = useRef<HTMLElement>(null);
  const [base, setBase] = useState(0);
  const [patience, setPatience] = useState(EMPTY_PAGES);
  const [sight, setSight] = useState({ from: 0, to: 0, toEnd: true });
  const list = useMessageList({
    campaignId,
    filters,
    isLive,
    from: sight.from,
    to: sight.to,
    toEnd: sight.toEnd,
    patience,
  });
  const shown = Math.max(0, list.known - base);
  // The last one stands for what is still to come.
  const rows = useVirtualizer({
    count: shown + (list.hasMore ? 1 : 0),
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const items = rows.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  const toEnd = list.hasMore && last >= shown - AHEAD_ROWS;
  useEffect(() => {
    const next = { from: base + first, to: base + last, toEnd };
    setSight((now) => (now.from === next.from && now.to === next.to && now.toEnd === next.toEnd ? now : next));
  }, [base, first, last, toEnd]);

  // The box moves on, and what is in sight stays where it is.
  const moved = useRef(0);
  useLayoutEffect(() => {
    if (shown > BOX_ROWS && first > MOVE_ROWS + 1_000) {
      moved.current = -MOVE_ROWS;
      setBase((now) => now + MOVE_ROWS);
    } else if (base > 0 && first < 200) {
      moved.current = Math.min(base, MOVE_ROWS);
      setBase((now) => Math.max(0, now - MOVE_ROWS));
    }
  }, [shown, first, base]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each move
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop += moved.current * ROW_PX;
    moved.current = 0;
  }, [base]);

  const { asOf } = list;
  useEffect(() => {
    if (asOf) onKnown(asOf);
  }, [asOf, onKnown]);

  const seen = items.filter(({ index }) => index < shown);
  const isEmpty = list.known === 0;
  const isTired = list.hasMore && list.emptyRun >= patience;
  if (isEmpty && list.pagesRead === 0) {
    return list.error ? <Failure error={list.error} retry={list.retry} /> : <Loading rows={10} />;
  }
  if (isEmpty && !list.hasMore) return whenEmpty;
  return (
    <section
      ref={box}
      aria-label="Messages"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="relative max-h-[max(24rem,calc(100vh-19.5rem))] overflow-auto rounded-lg border border-line bg-panel [overflow-anchor:none]"
    >
      <table
        aria-rowcount={list.hasMore ? (total ?? -2) + 1 : list.known + 1}
        className="w-full min-w-[62rem] table-fixed border-separate border-spacing-0 text-sm"
      >
        <caption className="sr-only">Messages</caption>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col" className={`${HEAD} w-10 ${canSelect ? '' : 'max-sm:hidden'}`}>
              <span className="sr-only">Select</span>
            </th>
            {HEADS.map(({ name, width }) => (
              <th key={name} scope="col" className={`${HEAD} ${width}`}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <Space px={seen[0]?.start ?? 0} />
        <tbody>
          {seen.map(({ index }) => {
            const message = list.row(base + index);
            return (
              <MessageRow
                key={base + index}
                rowIndex={base + index + 2}
                message={message}
                isSelected={message !== undefined && selected.has(message.message_id)}
                canSelect={canSelect}
                onSelect={onSelect}
              />
            );
          })}
        </tbody>
        <Space px={shown * ROW_PX - (seen.at(-1)?.end ?? shown * ROW_PX)} />
      </table>
      {(list.hasMore || list.error) && (
        <div className="sticky start-0 flex min-h-[38px] w-fit items-center gap-3 px-3 py-2 text-sm text-soft">
          {list.error ? (
            <Failure error={list.error} retry={list.retry} />
          ) : isTired ? (
            <>
              <span>{formatCount(list.emptyRun)} pages without a message that fits.</span>
              <Button onClick={() => setPatience((now) => now + EMPTY_PAGES)}>Look further</Button>
            </>
          ) : (
            <span role="status" className="flex items-center gap-2">
              <Spinner />
              {list.emptyRun > 0 ? `Looking further: ${formatCount(list.emptyRun)} pages without one` : 'Loading more'}
            </span>
          )}
        </div>
      )}
    </section>
  );
}
