import type { CampaignView } from '../api/types.ts';
import { useWide } from '../live/use-wide.ts';
import { NumTh, Table, Th } from '../ui/table.tsx';
import { CampaignRow } from './campaign-row.tsx';

interface CampaignTableProps {
  readonly campaigns: readonly CampaignView[];
  /** Of the page or filter before, until the new one is there. */
  readonly isOld: boolean;
}

export function CampaignTable({ campaigns, isOld }: CampaignTableProps) {
  const isWide = useWide();
  return (
    <div aria-busy={isOld || undefined} className={isOld ? 'opacity-60' : ''}>
      <Table label="Campaigns">
        {isWide ? (
          // Widths are given, so that no figure moves its neighbours.
          <thead>
            <tr>
              <Th>Campaign</Th>
              <Th className="w-48">Status</Th>
              <Th className="w-48">Progress</Th>
              <NumTh className="w-24">Rate now</NumTh>
              <NumTh className="w-24">p95</NumTh>
              <NumTh className="w-20">Failures</NumTh>
              <NumTh className="w-36">Age</NumTh>
            </tr>
          </thead>
        ) : (
          <thead className="sr-only">
            <tr>
              <Th>Campaign</Th>
            </tr>
          </thead>
        )}
        <tbody>
          {campaigns.map((campaign) => (
            <CampaignRow key={campaign.campaign_id} campaign={campaign} isWide={isWide} />
          ))}
        </tbody>
      </Table>
    </div>
  );
}
