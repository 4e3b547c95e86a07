import { useQuery } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { ask, type Query } from '../api/client.ts';
import type { AuditView, CampaignView, Page as PageOf } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Badge, Card, Time, type Tone } from '../ui/parts.tsx';
import { Answered } from '../ui/states.tsx';
import { AuditPartitions } from './audit-partitions.tsx';
import { type Audited, AuditedCampaign, keyOfAudit } from './audited-campaign.tsx';

const EVERY_MS = 30_000;
const NEWEST = 5;
/** Larger ones are compared when somebody asks for it: 1,000,000 messages take a minute of two threads. */
const BY_ITSELF = 100_000;
const ENDED = ['completed', 'completed_with_failures', 'cancelled'];

const VERDICTS: Readonly<Record<AuditView['verdict'], { readonly label: string; readonly tone: Tone }>> = {
  equal: { label: 'difference 0', tone: 'good' },
  different: { label: 'differs', tone: 'bad' },
  lagging: { label: 'not all comparable yet', tone: 'warn' },
  not_kept: { label: 'too old to compare', tone: 'neutral' },
};

const newest: Query = { limit: 20 };

/** What was accepted, counted, stored and summed up, compared: the last audits, and the newest campaigns now. */
export function Auditor() {
  const audit = useQuery({
    queryKey: ['audit'],
    queryFn: ({ signal }) => ask<AuditView>('/v1/audit', { signal }),
    refetchInterval: EVERY_MS,
  });
  const campaigns = useQuery({
    queryKey: ['audit-campaigns'],
    queryFn: ({ signal }) => ask<PageOf<CampaignView>>('/v1/campaigns', { query: newest, signal }),
    refetchInterval: EVERY_MS,
  });
  return (
    <Card
      title="Auditor"
      aside={
        audit.data && (
          <>
            as of <Time iso={audit.data.as_of} />
          </>
        )
      }
    >
      <Answered query={audit} rows={3}>
        {(found) => (
          <div className="flex flex-col gap-4">
            <Summary audit={found} />
            <Answered query={campaigns} rows={5}>
              {({ data }) => <Campaigns audit={found} newest={data} />}
            </Answered>
            <AuditPartitions partitions={found.partitions} unavailable={found.unavailable} />
          </div>
        )}
      </Answered>
    </Card>
  );
}

function Summary({ audit }: { audit: AuditView }) {
  const { label, tone } = VERDICTS[audit.verdict];
  const { audited, different, lagging } = audit.campaigns;
  const run = audit.last_run;
  return (
    <div className="num">
      <p className="flex flex-wrap items-center gap-2">
        <Badge tone={tone}>{label}</Badge>
        <span>
          {formatCount(audited)} {audited === 1 ? 'campaign' : 'campaigns'} audited,{' '}
          <span className={different > 0 ? 'font-semibold text-bad' : ''}>
            {formatCount(different)} with a difference
          </span>
          {lagging > 0 && `, ${formatCount(lagging)} not comparable yet`}
        </span>
      </p>
      <p className="mt-1 text-sm text-soft">
        {run === null ? (
          'No nightly run yet.'
        ) : (
          <>
            Last nightly run: begun <Time iso={run.started_at} />, {run.finished_at === null ? 'under way' : 'ended'},{' '}
            {formatCount(run.checked)} checked
            {run.failed > 0 && <span className="text-bad">, {formatCount(run.failed)} could not be audited</span>}
            {run.left > 0 && `, ${formatCount(run.left)} left for the next run`}.
          </>
        )}
      </p>
    </div>
  );
}

function Campaigns({ audit, newest }: { audit: AuditView; newest: readonly CampaignView[] }) {
  const [compared, setCompared] = useState<ReadonlySet<string>>(new Set());
  const onCompared = useCallback((key: string) => setCompared((before) => new Set(before).add(key)), []);
  const byId = new Map(newest.map((each) => [each.campaign_id, each]));
  const different = new Map(audit.different.map((each) => [each.campaign_id, each]));
  const ids = [
    ...different.keys(),
    ...newest
      .filter((each) => each.sent_at !== null && !different.has(each.campaign_id))
      .map((each) => each.campaign_id),
  ];
  const shown: Audited[] = ids.slice(0, different.size + NEWEST).map((campaignId) => ({
    campaignId,
    campaign: byId.get(campaignId),
    different: different.get(campaignId),
  }));
  if (shown.length === 0) return <p className="text-soft">No campaign has been sent yet: nothing to compare.</p>;
  // One after another: an API makes two audits at a time, and somebody else may want the second.
  const next = shown.find(
    (each) =>
      each.campaign !== undefined &&
      ENDED.includes(each.campaign.status) &&
      each.campaign.expected <= BY_ITSELF &&
      !compared.has(keyOfAudit(each)),
  );
  return (
    <div>
      <h3 className="text-sm text-soft">
        Newest campaigns that were sent, and all that differ. Ended ones of at most {formatCount(BY_ITSELF)} messages
        are compared when this page opens.
      </h3>
      <ul aria-label="Audits of campaigns">
        {shown.map((each) => (
          <AuditedCampaign key={each.campaignId} audited={each} turn={each === next} onCompared={onCompared} />
        ))}
      </ul>
    </div>
  );
}
