import type { CampaignView } from '../api/types.ts';
import { formatRate } from '../format.ts';
import { ForeignLine, Time } from '../ui/parts.tsx';

const CHANNEL_NAMES: Readonly<Record<string, string>> = { simulated: 'Simulated', smtp: 'E-mail', webhook: 'Webhook' };

const Fact = ({ label, children }: { label: string; children: React.ReactNode }) => (
  <div className="flex min-w-0 gap-1.5">
    <dt className="whitespace-nowrap">{label}</dt>
    <dd className="min-w-0 text-ink">{children}</dd>
  </div>
);

/** What it was made with, and when it went. */
export const CampaignAbout = ({ campaign }: { campaign: CampaignView }) => (
  <dl className="flex flex-wrap gap-x-5 gap-y-1 text-sm text-soft">
    <Fact label="Channel">{CHANNEL_NAMES[campaign.channel] ?? campaign.channel}</Fact>
    {campaign.channel === 'simulated' && <Fact label="Practice:">delivered to nobody</Fact>}
    {campaign.provider !== '' && (
      <Fact label="Provider">
        <ForeignLine text={campaign.provider} className="max-w-48" />
      </Fact>
    )}
    <Fact label="Audience">
      {campaign.expected === 0 && campaign.sent_at !== null ? (
        'direct messages'
      ) : campaign.segment_rule === '' ? (
        'everyone'
      ) : (
        <ForeignLine text={campaign.segment_rule} className="max-w-72" />
      )}
    </Fact>
    {campaign.rate_per_second !== null && (
      <Fact label="At most">
        <span className="num">{formatRate(campaign.rate_per_second)}/s</span>
      </Fact>
    )}
    <Fact label="Created">
      <Time iso={campaign.created_at} />
    </Fact>
    <Fact label="Sent">
      <Time iso={campaign.sent_at} />
    </Fact>
    <Fact label="Ended">
      <Time iso={campaign.ended_at} />
    </Fact>
    {campaign.expires_at !== null && (
      <Fact label="Deadline">
        <Time iso={campaign.expires_at} />
      </Fact>
    )}
  </dl>
);
