import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
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
import { BrokenSample, isAllBroken } from './broken-sample.tsx';
import type { Draft } from './draft.ts';
import { SIMULATED_NOTE } from './simulated-note.ts';
import { askPreview } from './use-draft-preview.ts';

interface Question {
  readonly campaign: CampaignView;
  /** Of the version that is asked about: no other is sent. */
  readonly etag: string | null;
  readonly preview: PreviewView;
  /** Somebody else has changed it since the page last saved it. */
  readonly isChanged: boolean;
}

const recipients = (count: number) => `${formatCount(count)} ${count === 1 ? 'recipient' : 'recipients'}`;

interface SendControlProps {
  readonly draft: Draft;
  readonly disabled: boolean;
  readonly isSaved: boolean;
  /** From the count to the answer. */
  onAsking(isAsking: boolean): void;
}

/** Asks once, with the version and the count as they are now; a repeat of the same send is the same send. */
export function SendControl({ draft, disabled, isSaved, onAsking }: SendControlProps) {
  const [question, setQuestion] = useState<Question>();
  const key = useRef(newIdempotencyKey());
  const cache = useQueryClient();
  const navigate = useNavigate();

  const count = useMutation({
    mutationFn: async (wasChanged: boolean): Promise<Question | null> => {
      if (!(await draft.flush())) return null;
      const isChanged = (await draft.refresh()) || wasChanged;
      const { campaign, etag, saving } = draft.get();
      if (!campaign || saving.kind !== 'saved') return null;
      const preview = await askPreview(campaign.campaign_id);
      cache.setQueryData(['preview', campaign.campaign_id, campaign.version], preview);
      // Typed meanwhile, however that came about.
      if (draft.get().campaign?.version !== campaign.version || draft.get().saving.kind !== 'saved') return null;
      return { campaign, etag, preview, isChanged };
    },
    onSuccess: (found) => setQuestion(found && found.preview.total > 0 ? found : undefined),
  });
  const start = useMutation({
    mutationFn: ({ campaign, etag }: Question) =>
      ask<AcceptedView>(`/v1/campaigns/${encodeURIComponent(campaign.campaign_id)}/send`, {
        method: 'POST',
        headers: { 'Idempotency-Key': key.current, ...(etag === null ? {} : { 'If-Match': etag }) },
      }),
    onSuccess: (_, { campaign }) => {
      draft.stop();
      void cache.invalidateQueries({ queryKey: ['campaigns'] });
      // Going back must not lead to a draft that is none any more.
      void navigate(`/campaigns/${campaign.campaign_id}`, { replace: true });
    },
    onError: (error, { campaign }) => {
      if (!(error instanceof ApiProblem)) return;
      // A refusal is an answer: the next press is another send. Without one it may have been sent.
      if (error.status < 500) key.current = newIdempotencyKey();
      // Somebody else has sent it.
      if (error.code === 'illegal_transition') void navigate(`/campaigns/${campaign.campaign_id}`, { replace: true });
      if (error.code === 'version_mismatch') count.mutate(true);
    },
  });
  const close = () => {
    setQuestion(undefined);
    start.reset();
    count.reset();
  };
  const isOpen = question !== undefined;
  const isAsking = isOpen || count.isPending;
  useEffect(() => onAsking(isAsking), [isAsking, onAsking]);

  const isUnsaved = count.data === null && !isSaved;
  const isRecounted = start.error instanceof ApiProblem && start.error.code === 'version_mismatch';
  return (
    <>
      {!isOpen && (count.error || isUnsaved) && (
        <p role="alert" className="text-sm text-bad">
          {count.error ? `Not counted: ${count.error.message}` : 'Not sent: the draft is not saved.'}
        </p>
      )}
      <Button kind="primary" disabled={disabled} busy={count.isPending} onClick={() => count.mutate(false)}>
        Send…
      </Button>
      <Dialog
        title={question ? `Send to ${recipients(question.preview.total)}?` : ''}
        open={isOpen}
        onClose={close}
        busy={start.isPending}
        actions={
          question && (
            <>
              <Button onClick={close} disabled={start.isPending}>
                Not yet
              </Button>
              <Button
                kind={isAllBroken(question.preview) ? 'danger' : 'primary'}
                busy={start.isPending || count.isPending}
                onClick={() => {
                  count.reset();
                  start.mutate(question);
                }}
              >
                {isAllBroken(question.preview) ? 'Send anyway to' : 'Send to'} {recipients(question.preview.total)}
              </Button>
            </>
          )
        }
      >
        <p role="status" className={question?.isChanged || isRecounted ? 'text-sm font-medium text-warn' : ''}>
          {isRecounted && count.isPending && 'Not sent: somebody else has changed it meanwhile. It is counted again…'}
          {question?.isChanged &&
            !count.isPending &&
            'Somebody else has changed this draft meanwhile. Nothing is sent yet: this is how it is now.'}
        </p>
        {question && <Summary {...question} />}
        {start.error && !isRecounted && <Failure error={start.error} />}
        {isOpen && count.error && <Failure error={count.error} />}
        {question && <BrokenSample preview={question.preview} />}
      </Dialog>
    </>
  );
}

function Summary({ campaign, preview }: Pick<Question, 'campaign' | 'preview'>) {
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
      {campaign.channel === 'simulated' && <p className="text-sm">{SIMULATED_NOTE}</p>}
      <p className="text-sm text-soft">From here on it cannot be changed. It can be paused and cancelled.</p>
    </>
  );
}
