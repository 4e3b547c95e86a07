import { Link } from 'react-router';
import { formatCount } from '../format.ts';
import { PurgeButton, RedriveButton } from '../redrive/redrive-button.tsx';
import { countText } from '../redrive/selection.ts';
import { Card, ForeignLine, Time } from '../ui/parts.tsx';
import { Reason } from '../ui/reason.tsx';
import { Answered, Empty } from '../ui/states.tsx';
import { NumTd, NumTh, Table, Td, Th } from '../ui/table.tsx';
import { type LetterFilters, selectionOf } from './filters.ts';
import { type ReasonRow, useReasons } from './use-reasons.ts';

/** What waits for a decision, and the two that can be made. */
export function ReasonsCard({ filters, isFiltered }: { filters: LetterFilters; isFiltered: boolean }) {
  const { count, rows } = useReasons(filters);
  const selection = selectionOf(filters);
  const isSome = rows.length > 0;
  return (
    <Card
      title="Waiting, by reason"
      aside={
        <span className="flex min-h-9 flex-wrap items-center gap-2">
          {count.data && isSome && (
            <>
              <span className="num me-2">{countText(count.data)} in all</span>
              <PurgeButton kind="danger" label="Purge…" selection={selection} />
              <RedriveButton
                // Across all campaigns it is not what most come for.
                kind={isFiltered ? 'primary' : 'plain'}
                label={`Send again to all ${countText(count.data)}`}
                selection={selection}
              />
            </>
          )}
        </span>
      }
    >
      <Answered query={count}>
        {() =>
          isSome ? (
            <Table label="Waiting dead letters by reason">
              <thead>
                <tr>
                  <Th>Reason</Th>
                  <NumTh>Messages</NumTh>
                  <Th>First</Th>
                  <Th>Last</Th>
                  <Th>For example</Th>
                  <Th>
                    <span className="sr-only">Send again</span>
                  </Th>
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <Row key={row.reason} row={row} filters={filters} />
                ))}
              </tbody>
            </Table>
          ) : (
            <Empty title={isFiltered ? 'No dead letter fits' : 'Nothing has failed'}>
              {isFiltered
                ? 'Recipients are looked for by their whole address. Change or clear the filters.'
                : 'Messages that are refused for good or given up wait here until somebody sends them again or purges them.'}
            </Empty>
          )
        }
      </Answered>
    </Card>
  );
}

function Row({ row, filters }: { row: ReasonRow; filters: LetterFilters }) {
  const { reason, count, first, last, newest } = row;
  return (
    <tr>
      <Td className="min-w-52">
        <Reason code={reason} long />
      </Td>
      <NumTd className="font-semibold">{formatCount(count)}</NumTd>
      <Td className="min-w-32">
        <Time iso={first} ago />
      </Td>
      <Td className="min-w-32">
        <Time iso={last} ago />
      </Td>
      <Td className="w-[40%] min-w-48 max-w-0">
        {newest && (
          <>
            <Link to={`/messages/${newest.message_id}`} className="block text-accent hover:underline">
              <ForeignLine text={newest.recipient} />
            </Link>
            <ForeignLine text={newest.detail} className="text-soft" />
          </>
        )}
      </Td>
      <Td className="text-end">
        <RedriveButton label={`Send again to ${formatCount(count)}`} selection={selectionOf({ ...filters, reason })} />
      </Td>
    </tr>
  );
}
