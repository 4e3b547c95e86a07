import type { CampaignView } from '../api/types.ts';
import { NumTh, Table, Th } from '../ui/table.tsx';
import { CampaignRow } from './campaign-row.tsx';

/** Widths are given, so that no figure moves its neighbours. */
export const CampaignTable = ({ campaigns, isOld }: { campaigns: readonly CampaignView[]; isOld: boolean }) => (
  <div aria-busy={isOld || undefined} className={isOld ? 'opacity-60' : ''}>
    <Table label="Campaigns">
      <thead className="max-md:sr-only">
        <tr>
          <Th>Campaign</Th>
          <Th className="max-md:hidden md:w-48">Status</Th>
          <Th className="max-md:hidden md:w-48">Progress</Th>
          <NumTh className="max-md:hidden md:w-24">Rate now</NumTh>
          <NumTh className="max-lg:hidden lg:w-24">p95</NumTh>
          <NumTh className="max-md:hidden md:w-20">Failures</NumTh>
          <NumTh className="max-md:hidden md:w-36">Age</NumTh>
        </tr>
      </thead>
      <tbody>
        {campaigns.map((campaign) => (
          <CampaignRow key={campaign.campaign_id} campaign={campaign} />
        ))}
      </tbody>
    </Table>
  </div>
);
