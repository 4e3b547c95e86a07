import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { ask } from '../api/client.ts';
import type { DeadLetterView, Page } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { PageButtons } from '../ui/page-buttons.tsx';
import { Badge, Card, ForeignLine, Time } from '../ui/parts.tsx';
import { Reason } from '../ui/reason.tsx';
import { StateLabel } from '../ui/state-label.tsx';
import { Answered, Empty } from '../ui/states.tsx';
import { NumTd, NumTh, Table, Td, Th } from '../ui/table.tsx';
import { usePages } from '../ui/use-pages.ts';
import type { LetterFilters } from './filters.ts';

const PAGE_ROWS = 20;
const LOOK_MS = 10_000;

interface LettersCardProps {
  readonly filters: LetterFilters;
  nameOf(campaignId: string): string;
}

/** The letters themselves, newest first. Mounted anew for other filters. */
export function LettersCard({ filters, nameOf }: LettersCardProps) {
  const { cursor, previous, next } = usePages();
  const letters = useQuery({
    queryKey: ['dlq', 'list', filters, cursor ?? ''],
    queryFn: ({ signal }) =>
      ask<Page<DeadLetterView>>('/v1/dlq', { query: { ...filters, limit: PAGE_ROWS, cursor }, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: cursor ? false : LOOK_MS,
  });
  return (
    <Card title="Dead letters" aside="newest first">
      <Answered query={letters} rows={6}>
        {({ data, next_cursor }) => (
          <>
            {data.length === 0 ? (
              <Empty title="None here" />
            ) : (
              <div className={letters.isPlaceholderData ? 'opacity-60' : ''}>
                <Table label="Dead letters">
                  <thead>
                    <tr>
                      <Th>Recipient</Th>
                      <Th>State</Th>
                      <Th>Reason and answer</Th>
                      <NumTh>Attempts</NumTh>
                      {!filters.campaign_id && <Th>Campaign</Th>}
                      <Th>When</Th>
                    </tr>
                  </thead>
                  <tbody>
                    {data.map((letter) => (
                      <Row
                        key={letter.message_id}
                        letter={letter}
                        campaign={filters.campaign_id ? undefined : nameOf(letter.campaign_id)}
                      />
                    ))}
                  </tbody>
                </Table>
              </div>
            )}
            <PageButtons
              label="Pages of dead letters"
              previous={previous}
              next={next_cursor ? () => next(next_cursor) : undefined}
            />
          </>
        )}
      </Answered>
    </Card>
  );
}

function Row({ letter, campaign }: { letter: DeadLetterView; campaign: string | undefined }) {
  return (
    <tr>
      <Td className="w-[28%] min-w-44 max-w-0">
        <Link to={`/messages/${letter.message_id}`} className="block text-accent hover:underline">
          <ForeignLine text={letter.recipient} />
        </Link>
        {letter.run > 0 && <Badge>sent again {formatCount(letter.run)}×</Badge>}
      </Td>
      <Td>
        <StateLabel state={letter.kind} />
      </Td>
      <Td className="w-[32%] min-w-52 max-w-0">
        <Reason code={letter.reason} />
        <ForeignLine text={letter.detail} className="text-soft" />
      </Td>
      <NumTd>{formatCount(letter.attempts)}</NumTd>
      {campaign !== undefined && (
        <Td className="w-[22%] min-w-36 max-w-0">
          <Link to={`/campaigns/${letter.campaign_id}`} className="block text-accent hover:underline">
            <ForeignLine text={campaign} />
          </Link>
        </Td>
      )}
      <Td className="text-soft">
        <Time iso={letter.occurred_at} />
      </Td>
    </tr>
  );
}
