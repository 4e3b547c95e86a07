import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { send } from '../api/client.ts';
import { Button } from '../ui/controls.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Foreign } from '../ui/parts.tsx';
import { Failure } from '../ui/states.tsx';
import type { Draft } from './draft.ts';

export function DeleteControl({ draft }: { draft: Draft }) {
  const [isOpen, setOpen] = useState(false);
  const cache = useQueryClient();
  const navigate = useNavigate();
  const { campaign } = draft.get();
  const remove = useMutation({
    mutationFn: async () => {
      // What is still on its way would have changed the version.
      await draft.flush();
      const { campaign: kept, etag } = draft.get();
      if (!kept) return;
      await send(`/v1/campaigns/${encodeURIComponent(kept.campaign_id)}`, {
        method: 'DELETE',
        headers: etag === null ? {} : { 'If-Match': etag },
      });
    },
    onSuccess: () => {
      draft.stop();
      void cache.invalidateQueries({ queryKey: ['campaigns'] });
      void navigate('/campaigns');
    },
  });
  const close = () => {
    setOpen(false);
    remove.reset();
  };
  if (!campaign) return null;
  return (
    <>
      <Button kind="danger" onClick={() => setOpen(true)}>
        Delete draft
      </Button>
      <Dialog
        title="Delete this draft?"
        open={isOpen}
        onClose={close}
        busy={remove.isPending}
        actions={
          <>
            <Button onClick={close} disabled={remove.isPending}>
              Keep it
            </Button>
            <Button kind="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
              Delete draft
            </Button>
          </>
        }
      >
        <p>
          <Foreign text={campaign.name} className="font-medium" /> is gone for good then. Nobody has got anything of it.
        </p>
        {remove.error && <Failure error={remove.error} />}
      </Dialog>
    </>
  );
}
