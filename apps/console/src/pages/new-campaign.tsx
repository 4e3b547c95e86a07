import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Navigate, useLocation, useNavigationType, useParams, useSearchParams } from 'react-router';
import type { CampaignView } from '../api/types.ts';
import { openDraft } from '../draft/draft.ts';
import { loadDraft } from '../draft/draft-api.ts';
import { Editor } from '../draft/editor.tsx';
import { Page } from '../ui/parts.tsx';
import { Answered } from '../ui/states.tsx';

/** A new draft, or one that is there. The first becomes the second when it is saved: under the same session. */
export function NewCampaignPage() {
  const { id } = useParams();
  const { key, state } = useLocation();
  const session = typeof state?.session === 'string' ? state.session : key;
  return <DraftPage key={session} id={id} session={session} />;
}

function DraftPage({ id, session }: { id: string | undefined; session: string }) {
  const [begunWith] = useState(id);
  return begunWith === undefined ? <NewDraft session={session} /> : <KeptDraft id={begunWith} session={session} />;
}

function NewDraft({ session }: { session: string }) {
  const [search] = useSearchParams();
  const navigationType = useNavigationType();
  const [draft] = useState(() => {
    const rule = search.get('segment_rule')?.trim();
    return openDraft(undefined, { link: rule ? { rule, isFresh: navigationType !== 'POP' } : undefined });
  });
  return <Editor draft={draft} session={session} isNew />;
}

function KeptDraft({ id, session }: { id: string; session: string }) {
  const query = useQuery({
    queryKey: ['draft', id],
    queryFn: ({ signal }) => loadDraft(id, signal),
    // Once, and never from before: what is typed must not be replaced, and starts from what is saved now.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  if (!query.data)
    return (
      <Page title="Edit campaign">
        <Answered query={query} rows={8}>
          {() => null}
        </Answered>
      </Page>
    );
  return (query.data.value.status as string) === 'draft' ? (
    <Opened kept={query.data} session={session} />
  ) : (
    <Navigate to={`/campaigns/${id}`} replace />
  );
}

function Opened({ kept, session }: { kept: { value: CampaignView; etag: string | null }; session: string }) {
  const [draft] = useState(() => openDraft(kept));
  return <Editor draft={draft} session={session} />;
}
