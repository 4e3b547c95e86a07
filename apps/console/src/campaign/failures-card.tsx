import type { UseQueryResult } from '@tanstack/react-query';
import { Link } from 'react-router';
import type { CampaignView, FailuresView, RedriveView, StatsView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { RedriveButton } from '../redrive/redrive-button.tsx';
import { Freshness } from '../ui/freshness.tsx';
import { Card, Time } from '../ui/parts.tsx';
import { Reason } from '../ui/reason.tsx';
import { Answered, Empty } from '../ui/states.tsx';
import { NumTd, NumTh, Table, Td, Th } from '../ui/table.tsx';
import { resendOf } from './resend.ts';

interface FailuresCardProps {
  readonly campaign: CampaignView;
  readonly status: string;
  readonly underWay: boolean;
  readonly stats: StatsView | undefined;
  readonly query: UseQueryResult<FailuresView>;
  onStarted(redrive: RedriveView): void;
}

export function FailuresCard({ campaign, status, underWay, stats, query, onStarted }: FailuresCardProps) {
  const id = campaign.campaign_id;
  const resend = resendOf(campaign, status, stats, Date.now());
  const canResend = resend.whyNot === undefined;
  return (
    <Card
      title="Failures by reason"
      aside={
        <span className="flex flex-wrap items-center gap-3">
          <Freshness asOf={query.data?.as_of} lagMs={query.data?.lag_ms} />
          {resend.isPossible && (
            <RedriveButton
              selection={{ campaign_id: id }}
              label={`Send again to all ${formatCount(resend.count)}`}
              onStarted={onStarted}
            />
          )}
        </span>
      }
    >
      <Answered query={query}>
        {({ data }) =>
          data.length === 0 ? (
            <Empty title={underWay ? 'No message has failed so far' : 'No message stands failed'} />
          ) : (
            <Table label="Failures by reason">
              <thead>
                <tr>
                  <Th>Reason</Th>
                  <NumTh>Messages</NumTh>
                  <Th>First</Th>
                  <Th>Last</Th>
                  <Th>Samples</Th>
                  <Th>
                    <span className="sr-only">Send again</span>
                  </Th>
                </tr>
              </thead>
              <tbody>
                {data.map((row) => (
                  <tr key={row.reason}>
                    <Td className="min-w-56">
                      <Reason code={row.reason} long />
                    </Td>
                    <NumTd>
                      <Link
                        to={`/campaigns/${encodeURIComponent(id)}/messages?reason=${encodeURIComponent(row.reason)}`}
                        aria-label={`${formatCount(row.count)} messages with this reason`}
                        className="font-semibold text-accent underline-offset-3 hover:underline"
                      >
                        {formatCount(row.count)}
                      </Link>
                    </NumTd>
                    <Td>
                      <Time iso={row.first} ago />
                    </Td>
                    <Td>
                      <Time iso={row.last} ago />
                    </Td>
                    <Td>
                      <Samples ids={row.sample_ids} />
                    </Td>
                    <Td className="text-end">
                      {/* An expired one is past its deadline: no redrive takes it. */}
                      {canResend && row.reason !== 'expired' && (
                        <RedriveButton
                          selection={{ campaign_id: id, reason: row.reason }}
                          label={`Send again to ${formatCount(row.count)}`}
                          onStarted={onStarted}
                        />
                      )}
                    </Td>
                  </tr>
                ))}
              </tbody>
            </Table>
          )
        }
      </Answered>
      {resend.count > 0 && resend.whyNot && <p className="mt-2 text-sm text-soft">{resend.whyNot}</p>}
    </Card>
  );
}

/** The end of an id is what differs within a campaign. */
const Samples = ({ ids }: { ids: readonly string[] }) => (
  <ul className="flex gap-2">
    {ids.slice(0, 3).map((id) => (
      <li key={id}>
        <Link
          to={`/messages/${encodeURIComponent(id)}`}
          title={id}
          className="font-mono text-xs text-accent underline-offset-3 hover:underline"
        >
          <span className="sr-only">Message </span>…{id.slice(-6)}
        </Link>
      </li>
    ))}
  </ul>
);
