import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { Link, Navigate, useLocation, useNavigate } from 'react-router';
import { formatCount } from '../format.ts';
import { buttonClass } from '../ui/controls.tsx';
import { Page } from '../ui/parts.tsx';
import { AudiencePart } from './audience-part.tsx';
import { CampaignPart } from './campaign-part.tsx';
import { ConflictNotice } from './conflict-notice.tsx';
import { DeleteControl } from './delete-control.tsx';
import type { Draft } from './draft.ts';
import { fieldErrors, templateError } from './field-errors.ts';
import { MessagePart } from './message-part.tsx';
import { PacePart } from './pace-part.tsx';
import { PreviewPart } from './preview-part.tsx';
import { RestoredNotice } from './restored-notice.tsx';
import { SaveState } from './save-state.tsx';
import { SendControl } from './send-control.tsx';
import { TestPart } from './test-part.tsx';
import { useDraftPreview } from './use-draft-preview.ts';
import { useProviders } from './use-providers.ts';

/** `session` names this visit of the page in the history: the draft gets its own address without the page being made anew. */
export function Editor({ draft, session, isNew = false }: { draft: Draft; session: string; isNew?: boolean }) {
  const state = useSyncExternalStore(draft.subscribe, draft.get);
  const { fields, saving, campaign, problem } = state;
  const preview = useDraftPreview(campaign);
  const providers = useProviders();
  /** What is asked about must not change under the question. */
  const [isAsking, setAsking] = useState(false);
  useOwnAddress(campaign?.campaign_id, session);
  useLeaving(draft);

  // Where nothing is simulated, the first channel that something delivers.
  useEffect(() => {
    const first = providers?.[0];
    if (first && !draft.get().campaign && !providers.some(({ channel }) => channel === draft.get().fields.channel))
      draft.change({ channel: first.channel });
  }, [providers, draft]);

  if (saving.kind === 'not_draft' && campaign) return <Navigate to={`/campaigns/${campaign.campaign_id}`} replace />;
  const part = { fields, errors: fieldErrors(fields, problem), change: draft.change };
  const provider = providers?.find(
    ({ name, channel, is_default }) =>
      channel === fields.channel && (fields.provider ? name === fields.provider : is_default),
  );
  const total = preview.data?.total;
  const isGone = saving.kind === 'gone';
  return (
    <Page
      title={isNew ? 'New campaign' : 'Edit campaign'}
      about="It is saved as you write. Nothing is sent before you say so."
      actions={!isGone && <DeleteControl draft={draft} />}
    >
      {saving.kind === 'conflict' && <ConflictNotice draft={draft} />}
      {isGone && (
        <p role="alert" className="flex flex-wrap items-center gap-3 rounded-lg border border-bad px-4 py-3">
          Somebody has deleted this draft.
          <Link to="/campaigns/new" className={buttonClass()}>
            Begin a new one
          </Link>
        </p>
      )}
      {state.isRestored && !isGone && saving.kind !== 'conflict' && (
        <div inert={isAsking}>
          <RestoredNotice draft={draft} canDrop={!isNew || !campaign} />
        </div>
      )}
      <div inert={isAsking} className="grid items-start gap-5 **:scroll-mb-24 lg:grid-cols-[minmax(0,1fr)_25rem]">
        <div className="flex min-w-0 flex-col gap-5">
          <CampaignPart {...part} providers={providers} isNew={isNew} />
          <MessagePart {...part} at={templateError(problem)} provider={provider} />
          <AudiencePart {...part} preview={preview.data} />
          <PacePart {...part} total={total} provider={provider} />
        </div>
        <div className="flex min-w-0 flex-col gap-5 lg:sticky lg:top-4">
          <PreviewPart
            preview={preview.data}
            contentType={campaign?.content_type ?? fields.content_type}
            isOld={saving.kind === 'refused' || saving.kind === 'conflict'}
            absent="Write a name and a message: here you see what the first ten recipients will get."
          />
          <TestPart draft={draft} />
        </div>
      </div>
      <div className="sticky bottom-0 -mx-4 flex flex-wrap items-center justify-end gap-x-4 gap-y-2 border-t border-line bg-panel px-4 py-3">
        <p className="flex min-w-0 flex-1 basis-48 flex-wrap gap-x-4 text-sm">
          <SaveState state={state} />
          {campaign && <Readiness total={total} />}
        </p>
        <SendControl
          draft={draft}
          isSaved={saving.kind === 'saved'}
          onAsking={setAsking}
          disabled={!campaign || isGone || total === 0 || saving.kind === 'conflict' || saving.kind === 'refused'}
        />
      </div>
    </Page>
  );
}

function Readiness({ total }: { total: number | undefined }) {
  if (total === undefined) return <span className="text-soft">Counting the audience…</span>;
  if (total === 0) return <span className="text-warn">Nobody would get it</span>;
  return (
    <span className="num">
      <strong>{formatCount(total)}</strong> {total === 1 ? 'recipient' : 'recipients'}
    </span>
  );
}

/** A draft that has just been made gets its address; the page stays what it is. */
function useOwnAddress(id: string | undefined, session: string): void {
  const navigate = useNavigate();
  const cache = useQueryClient();
  const { pathname } = useLocation();
  useEffect(() => {
    const own = `/campaigns/${id}/edit`;
    if (id === undefined || pathname === own) return;
    void cache.invalidateQueries({ queryKey: ['campaigns'] });
    void navigate(own, { replace: true, state: { session } });
  }, [id, pathname, session, navigate, cache]);
}

/** Whoever leaves loses nothing: it is saved, or kept for the next visit. Where the tab cannot keep it, the browser asks. */
function useLeaving(draft: Draft): void {
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent) => {
      if (draft.isAtRisk()) event.preventDefault();
    };
    draft.attach();
    addEventListener('beforeunload', ask);
    return () => {
      removeEventListener('beforeunload', ask);
      draft.leave();
    };
  }, [draft]);
}
