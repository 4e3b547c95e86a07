import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { Link, useParams } from 'react-router';
import { ask } from '../api/client.ts';
import type { CampaignView, Known, StatsView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { MessageFilters } from '../messages/message-filters.tsx';
import { MessageTable } from '../messages/message-table.tsx';
import { RedriveButton } from '../redrive/redrive-button.tsx';
import { isUnderWay } from '../states.ts';
import { Button } from '../ui/controls.tsx';
import { Freshness } from '../ui/freshness.tsx';
import { ForeignLine, Page, StatusBadge } from '../ui/parts.tsx';
import { Empty, Failure } from '../ui/states.tsx';
import { useFilters } from '../ui/use-filters.ts';

const FILTERS = ['status', 'recipient', 'reason'] as const;
/** As many as one redrive may name. */
const MAX_SELECTED = 1_000;
const LOOK_MS = 2_000;

export function MessagesPage() {
  const { id = '' } = useParams();
  const cache = useQueryClient();
  const { filters, change } = useFilters(FILTERS);

  const path = `/v1/campaigns/${encodeURIComponent(id)}`;
  const campaign = useQuery({
    queryKey: ['campaign', id, 'header'],
    queryFn: ({ signal }) => ask<CampaignView>(path, { signal }),
    refetchInterval: ({ state }) => (state.data && isUnderWay(state.data.status) ? LOOK_MS : false),
  });
  const isRunning = campaign.data !== undefined && isUnderWay(campaign.data.status);
  const stats = useQuery({
    queryKey: ['stats', id],
    queryFn: ({ signal }) => ask<StatsView>(`${path}/stats`, { signal }),
    refetchInterval: isRunning ? LOOK_MS : false,
  });

  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  // What was ticked under another filter is out of sight, and would be sent as well.
  const listed = `${id} ${filters.status} ${filters.reason} ${filters.recipient}`;
  const [selectedIn, setSelectedIn] = useState(listed);
  if (selectedIn !== listed) {
    setSelectedIn(listed);
    setSelected(new Set());
  }
  const select = useCallback(
    (messageId: string, isSelected: boolean) =>
      setSelected((before) => {
        if (isSelected && before.size >= MAX_SELECTED) return before;
        const after = new Set(before);
        isSelected ? after.add(messageId) : after.delete(messageId);
        return after;
      }),
    [],
  );
  const [known, setKnown] = useState<Known>();
  const [refreshed, setRefreshed] = useState(0);
  const kind = filters.status === 'failed' || filters.status === 'dead' ? filters.status : undefined;
  // What leaves a filter moves all rows after it: only a list without one is renewed by itself.
  const isFiltered = Object.values(filters).some((value) => value !== '');
  // As long as nobody knows better there may be some.
  const canSelect =
    filters.status === ''
      ? stats.data === undefined || selected.size > 0 || stats.data.failed + stats.data.dead > 0
      : kind !== undefined;
  const isLive = isRunning && filters.status === '' && filters.reason === '';

  if (campaign.error && !campaign.data) {
    return (
      <Page title="Messages">
        <Failure error={campaign.error} retry={() => void campaign.refetch()} />
      </Page>
    );
  }
  return (
    <Page
      title="Messages"
      about={
        <span className="flex min-h-6 min-w-0 items-center gap-2">
          {campaign.data && (
            <>
              <Link to={`/campaigns/${id}`} className="min-w-0 text-accent hover:underline">
                <ForeignLine text={campaign.data.name} />
              </Link>
              <StatusBadge status={campaign.data.status} />
            </>
          )}
        </span>
      }
      actions={
        <>
          {selected.size > 0 && (
            <>
              <Button kind="quiet" onClick={() => setSelected(new Set())}>
                Select none
              </Button>
              <RedriveButton
                kind="primary"
                label={`Send ${formatCount(selected.size)} selected again`}
                selection={{ campaign_id: id, message_ids: [...selected] }}
                onStarted={() => setSelected(new Set())}
              />
            </>
          )}
          {kind && selected.size === 0 && (
            <RedriveButton
              label="Send all of these again"
              selection={{
                campaign_id: id,
                kind,
                ...(filters.reason && { reason: filters.reason }),
                ...(filters.recipient && { recipient: filters.recipient }),
              }}
            />
          )}
        </>
      }
    >
      <MessageFilters filters={filters} stats={stats.data} onChange={change} />
      <div className="-mb-2 flex min-h-9 flex-wrap items-center justify-between gap-x-4">
        <span className="num text-sm text-soft">
          {stats.data && `${formatCount(stats.data.total)} messages in this campaign`}
          {selected.size >= MAX_SELECTED && ` · no more than ${formatCount(MAX_SELECTED)} can be selected at once`}
        </span>
        <span className="flex flex-wrap items-center gap-x-2">
          <Freshness asOf={known?.as_of} lagMs={known?.lag_ms} />
          <Button
            kind="quiet"
            className="max-sm:-ms-3"
            onClick={() => {
              cache.removeQueries({ queryKey: ['messages', id] });
              setRefreshed((times) => times + 1);
            }}
          >
            Refresh
          </Button>
        </span>
      </div>
      <MessageTable
        key={`${listed} ${refreshed}`}
        campaignId={id}
        filters={filters}
        total={isFiltered ? undefined : stats.data?.total}
        isLive={isLive}
        canSelect={canSelect}
        selected={selected}
        onSelect={select}
        onKnown={setKnown}
        whenEmpty={
          <Empty title={isFiltered ? 'No message fits' : 'No messages yet'}>
            {isFiltered
              ? 'Recipients are looked for by their whole address. Change or clear the filters.'
              : 'They are here as soon as the campaign is sent.'}
          </Empty>
        }
      />
    </Page>
  );
}
