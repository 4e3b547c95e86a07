import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { ask } from '../api/client.ts';
import type { DeadLetterView, Page } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { RedriveButton } from '../redrive/redrive-button.tsx';
import { Button } from '../ui/controls.tsx';
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
/** As many as one redrive may name. */
const MAX_SELECTED = 1_000;

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
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const select = (ids: readonly string[], isSelected: boolean) =>
    setSelected((before) => {
      const after = new Set(before);
      for (const id of ids) {
        if (!isSelected) after.delete(id);
        else if (after.size < MAX_SELECTED) after.add(id);
      }
      return after;
    });
  return (
    <Card
      title="Dead letters"
      aside={
        // As high with the buttons as without.
        <span className="flex min-h-9 flex-wrap items-center justify-end gap-2">
          {selected.size === 0 ? (
            'newest first'
          ) : (
            <>
              {selected.size >= MAX_SELECTED && <span>no more than {formatCount(MAX_SELECTED)} at once</span>}
              <Button kind="quiet" onClick={() => setSelected(new Set())}>
                Select none
              </Button>
              <RedriveButton
                kind="primary"
                label={`Send ${formatCount(selected.size)} selected again`}
                selection={{ message_ids: [...selected] }}
                onStarted={() => setSelected(new Set())}
              />
            </>
          )}
        </span>
      }
    >
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
                      <Th className="w-10">
                        <SelectPage ids={data.map((each) => each.message_id)} selected={selected} onSelect={select} />
                      </Th>
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
                        isSelected={selected.has(letter.message_id)}
                        onSelect={select}
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

interface SelectProps {
  onSelect(messageIds: readonly string[], isSelected: boolean): void;
}

function SelectPage({
  ids,
  selected,
  onSelect,
}: SelectProps & { readonly ids: readonly string[]; readonly selected: ReadonlySet<string> }) {
  const chosen = ids.filter((id) => selected.has(id)).length;
  return (
    <input
      type="checkbox"
      aria-label="Select all on this page"
      ref={(box) => {
        if (box) box.indeterminate = chosen > 0 && chosen < ids.length;
      }}
      checked={chosen === ids.length}
      onChange={(event) => onSelect(ids, event.target.checked)}
      className="block size-4 accent-accent"
    />
  );
}

interface RowProps extends SelectProps {
  readonly letter: DeadLetterView;
  readonly isSelected: boolean;
  /** undefined: all are of the same one. */
  readonly campaign: string | undefined;
}

function Row({ letter, isSelected, campaign, onSelect }: RowProps) {
  return (
    <tr className={isSelected ? 'bg-raised' : ''}>
      <Td>
        <input
          type="checkbox"
          aria-label={`Select ${letter.recipient.slice(0, 100)}`}
          checked={isSelected}
          onChange={(event) => onSelect([letter.message_id], event.target.checked)}
          className="mt-0.5 block size-4 accent-accent"
        />
      </Td>
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
