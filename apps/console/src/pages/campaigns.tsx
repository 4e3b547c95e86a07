import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { ask } from '../api/client.ts';
import type { CampaignView, Page as PageOf } from '../api/types.ts';
import { CampaignTable } from '../campaigns/campaign-table.tsx';
import { FilterBar } from '../campaigns/filter-bar.tsx';
import { useListAddress } from '../campaigns/list-address.ts';
import { isUnderWay } from '../states.ts';
import { Button, buttonClass } from '../ui/controls.tsx';
import { Page } from '../ui/parts.tsx';
import { Answered, Empty } from '../ui/states.tsx';

const PAGE_SIZE = 25;
const REFRESH_MS = 5_000;
const REFRESH_UNDER_WAY_MS = 3_000;

export function CampaignsPage() {
  const at = useListAddress();
  const { filters, cursor } = at;
  const query = useQuery({
    queryKey: ['campaigns', filters, cursor ?? ''],
    queryFn: ({ signal }) =>
      ask<PageOf<CampaignView>>('/v1/campaigns', { query: { limit: PAGE_SIZE, cursor, ...filters }, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.data.some(({ status }) => isUnderWay(status)) ? REFRESH_UNDER_WAY_MS : REFRESH_MS,
  });

  const isFirstUse = query.data?.data.length === 0 && !at.isFiltered && cursor === undefined;
  return (
    <Page title="Campaigns">
      {!isFirstUse && (
        <FilterBar filters={filters} isFiltered={at.isFiltered} onChange={at.setFilter} onClear={at.clear} />
      )}
      <Answered query={query} rows={8}>
        {({ data, next_cursor }) => (
          <>
            {isFirstUse ? (
              <FirstUse />
            ) : data.length === 0 ? (
              <Empty title={at.isFiltered ? 'No campaign matches' : 'No more campaigns'}>
                {at.isFiltered && <Button onClick={at.clear}>Clear filters</Button>}
              </Empty>
            ) : (
              <CampaignTable campaigns={data} isOld={query.isPlaceholderData} />
            )}
            {(at.previous || next_cursor) && (
              <nav aria-label="Pages" className="flex justify-between gap-2">
                <Button disabled={!at.previous} onClick={at.previous}>
                  Newer
                </Button>
                <Button disabled={!next_cursor} onClick={() => next_cursor && at.next(next_cursor)}>
                  Older
                </Button>
              </nav>
            )}
          </>
        )}
      </Answered>
    </Page>
  );
}

const FirstUse = () => (
  <Empty title="No campaigns yet">
    <p>A campaign is one message to many. It takes two steps: bring your contacts, then write to them.</p>
    <p className="mt-4 flex flex-wrap justify-center gap-2">
      <Link to="/contacts" className={buttonClass()}>
        Import contacts
      </Link>
      <Link to="/campaigns/new" className={buttonClass('primary')}>
        Write a campaign
      </Link>
    </p>
  </Empty>
);
