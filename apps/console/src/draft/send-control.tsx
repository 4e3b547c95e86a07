import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import { ApiProblem, ask } from '../api/client.ts';
import { newIdempotencyKey } from '../api/idempotency-key.ts';
import type { AcceptedView, CampaignView, PreviewView } from '../api/types.ts';
import { CHANNEL_LABELS } from '../campaigns/channels.ts';
import { formatCount, formatRate } from '../format.ts';
import { Button } from '../ui/controls.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Foreign, Time } from '../ui/parts.tsx';
import { Failure } from '../ui/states.tsx';
import type { Draft } from './draft.ts';
import { askPreview } from './use-draft-preview.ts';

interface Question {
  readonly campaign: CampaignView;
  readonly preview: PreviewView;
}

const recipients = (count: number) => `${formatCount(count)} ${count === 1 ? 'recipient' : 'recipients'}`;

interface SendControlProps {
  readonly draft: Draft;
  readonly disabled: boolean;
  readonly isSaved: boolean;
}

/** Asks once, with the count as it is now; a repeat of the same send is the same send. */
export function SendControl({ draft, disabled, isSaved }: SendControlProps) {
  const [question, setQuestion] = useState<Question>();
  const key = useRef(newIdempotencyKey());
  const cache = useQueryClient();
  const navigate = useNavigate();

  const count = useMutation({
    mutationFn: async () => {
      const campaign = await draft.flush();
      if (!campaign) throw new Error('Not sent: the draft is not saved.');
      const preview = await askPreview(campaign.campaign_id);
      cache.setQueryData(['preview', campaign.campaign_id, campaign.version], preview);
      return { campaign, preview };
    },
    onSuccess: (found) => found.preview.total > 0 && setQuestion(found),
  });
  const start = useMutation({
    mutationFn: ({ campaign_id }: CampaignView) =>
      ask<AcceptedView>(`/v1/campaigns/${encodeURIComponent(campaign_id)}/send`, {
        method: 'POST',
        headers: { 'Idempotency-Key': key.current },
      }),
    onSuccess: (_, { campaign_id }) => {
      draft.stop();
      void cache.invalidateQueries({ queryKey: ['campaigns'] });
      void navigate(`/campaigns/${campaign_id}`);
    },
    onError: (error, { campaign_id }) => {
      // Somebody else has sent it.
      if (error instanceof ApiProblem && error.code === 'illegal_transition')
        void navigate(`/campaigns/${campaign_id}`);
      // A refusal is an answer: the next press is another send. Without one it may have been sent.
      if (error instanceof ApiProblem && error.status < 500) key.current = newIdempotencyKey();
    },
  });
  const close = () => {
    setQuestion(undefined);
    start.reset();
  };

  return (
    <>
      {count.error && (count.error instanceof ApiProblem || !isSaved) && (
        <p role="alert" className="text-sm text-bad">
          {count.error.message}
        </p>
      )}
      <Button kind="primary" disabled={disabled} busy={count.isPending} onClick={() => count.mutate()}>
        Send…
      </Button>
      <Dialog
        title={question ? `Send to ${recipients(question.preview.total)}?` : ''}
        open={question !== undefined}
        onClose={close}
        actions={
          question && (
            <>
              <Button onClick={close} disabled={start.isPending}>
                Not yet
              </Button>
              <Button kind="primary" busy={start.isPending} onClick={() => start.mutate(question.campaign)}>
                Send to {recipients(question.preview.total)}
              </Button>
            </>
          )
        }
      >
        {question && <Summary {...question} />}
        {start.error && <Failure error={start.error} />}
      </Dialog>
    </>
  );
}

function Summary({ campaign, preview }: Question) {
  const broken = preview.sample.filter(({ error }) => error).length;
  const facts = [
    ['Campaign', <Foreign key="name" text={campaign.name} />],
    ['Audience', <Foreign key="audience" text={preview.explanation ?? (campaign.segment_rule || 'everyone')} />],
    [
      'Channel',
      <>
        {CHANNEL_LABELS[campaign.channel]}
        {campaign.provider && (
          <>
            {' '}
            via <bdi>{campaign.provider}</bdi>
          </>
        )}
      </>,
    ],
    ...(campaign.channel === 'smtp' ? [['Subject', <Foreign key="subject" text={campaign.subject || '–'} />]] : []),
    [
      'Rate',
      campaign.rate_per_second === null ? 'as fast as possible' : `at most ${formatRate(campaign.rate_per_second)}/s`,
    ],
    ...(campaign.expires_at === null ? [] : [['Deadline', <Time key="deadline" iso={campaign.expires_at} />]]),
  ] as const;
  return (
    <>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
        {facts.map(([name, value]) => (
          <div key={String(name)} className="contents">
            <dt className="text-soft">{name}</dt>
            <dd className="line-clamp-3 min-w-0">{value}</dd>
          </div>
        ))}
      </dl>
      {broken > 0 && (
        <p className="text-sm text-bad">
          {broken} of the first {preview.sample.length} messages cannot be made; such messages are given up, not sent.
        </p>
      )}
      <p className="text-sm text-soft">From here on it cannot be changed. It can be paused and cancelled.</p>
    </>
  );
}
