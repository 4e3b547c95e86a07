import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { ApiProblem, ask } from '../api/client.ts';
import type { CampaignView, MessageDetailView } from '../api/types.ts';
import { BodyCard } from '../message/body-card.tsx';
import { LetterCard } from '../message/letter-card.tsx';
import { MessageFigures } from '../message/message-figures.tsx';
import { Timeline } from '../message/timeline.tsx';
import { RedriveButton } from '../redrive/redrive-button.tsx';
import { Freshness } from '../ui/freshness.tsx';
import { Card, Foreign, ForeignLine, Page } from '../ui/parts.tsx';
import { Answered, Empty } from '../ui/states.tsx';

const LOOK_MS = 2_000;
/** A redrive that was asked for here has moved the message by then, or waits for its campaign. */
const EXPECTED_FOR_MS = 60_000;
const canChange = (status: string): boolean => status === 'queued' || status === 'retrying';

export function MessagePage() {
  const { id = '' } = useParams();
  return <MessageView key={id} id={id} />;
}

function MessageView({ id }: { id: string }) {
  const [asked, setAsked] = useState<{ atMs: number; happened: number }>();
  const query = useQuery({
    queryKey: ['message', id],
    queryFn: ({ signal }) => ask<MessageDetailView>(`/v1/messages/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: ({ state: { data } }) => {
      if (!data) return false;
      const isExpected = asked && data.timeline.length === asked.happened && Date.now() - asked.atMs < EXPECTED_FOR_MS;
      return isExpected || canChange(data.status) ? LOOK_MS : false;
    },
  });
  const message = query.data;
  const hasFailed = message?.status === 'failed' || message?.status === 'dead';

  if (query.error instanceof ApiProblem && query.error.status === 404 && !message) {
    return (
      <Page title="Message">
        <Empty title="There is no such message">
          <p>A direct message is known from its first event on; a test message is in no list.</p>
        </Empty>
      </Page>
    );
  }
  return (
    <Page
      title={message ? <Recipient text={message.recipient} /> : 'Message'}
      name="Message"
      about={message && <CampaignLink id={message.campaign_id} />}
      actions={
        hasFailed && (
          <RedriveButton
            kind="primary"
            label="Send it again"
            selection={{ message_ids: [id] }}
            onStarted={() => setAsked({ atMs: Date.now(), happened: message.timeline.length })}
          />
        )
      }
    >
      <Answered query={query} rows={6}>
        {(known) => (
          <>
            <div className="-mb-3 flex flex-wrap items-center justify-between gap-x-4">
              <span className="min-w-0 font-mono text-xs text-soft wrap-anywhere">{known.message_id}</span>
              <Freshness asOf={known.as_of} lagMs={known.lag_ms} />
            </div>
            <MessageFigures message={known} />
            <div className="grid items-start gap-5 lg:grid-cols-2">
              <Card title="What happened">
                <Timeline message={known} />
              </Card>
              <div className="flex min-w-0 flex-col gap-5">
                <BodyCard messageId={id} />
                {hasFailed && <LetterCard messageId={id} />}
              </div>
            </div>
          </>
        )}
      </Answered>
    </Page>
  );
}

/** An address may be 2,000 characters: the title shows the begin of it, the card of the text all. */
const Recipient = ({ text }: { text: string }) => (
  <Foreign text={text.length > 200 ? `${text.slice(0, 200)}…` : text} />
);

function CampaignLink({ id }: { id: string }) {
  const campaign = useQuery({
    queryKey: ['campaign', id, 'header'],
    queryFn: ({ signal }) => ask<CampaignView>(`/v1/campaigns/${encodeURIComponent(id)}`, { signal }),
  });
  return (
    <span className="flex min-w-0 gap-x-2">
      <span className="shrink-0">of campaign</span>
      <Link to={`/campaigns/${id}`} className="min-w-0 text-accent hover:underline">
        <ForeignLine text={campaign.data?.name ?? id} />
      </Link>
    </span>
  );
}
