import { useMutation, useQueryClient } from '@tanstack/react-query';
import { ApiProblem, send } from '../api/client.ts';
import type { ContactView } from '../api/types.ts';
import { Button } from '../ui/controls.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Foreign } from '../ui/parts.tsx';
import { Failure } from '../ui/states.tsx';

export function DeleteContact({ contact, onClose }: { contact: ContactView | undefined; onClose: () => void }) {
  const cache = useQueryClient();
  const removal = useMutation({
    mutationFn: async (id: string) => {
      try {
        await send(`/v1/contacts/${encodeURIComponent(id)}`, { method: 'DELETE' });
      } catch (error) {
        // Somebody else was faster: it is gone, as it was wanted.
        if (!(error instanceof ApiProblem && error.code === 'not_found')) throw error;
      }
    },
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['contacts'] });
      onClose();
    },
  });
  const close = () => {
    removal.reset();
    onClose();
  };
  return (
    <Dialog
      title="Delete this contact?"
      open={contact !== undefined}
      onClose={close}
      actions={
        <>
          <Button onClick={close}>Keep it</Button>
          <Button kind="danger" busy={removal.isPending} onClick={() => contact && removal.mutate(contact.contact_id)}>
            Delete contact
          </Button>
        </>
      }
    >
      {contact && (
        <p>
          <Foreign text={contact.recipient.slice(0, 500)} className="font-medium" />
          {contact.name && (
            <>
              {' '}
              (<Foreign text={contact.name.slice(0, 200)} />)
            </>
          )}
        </p>
      )}
      <p>It is in no audience any more. Messages that are under way keep what they have.</p>
      {removal.error && <Failure error={removal.error} />}
    </Dialog>
  );
}
