import { Button } from '../ui/controls.tsx';
import type { Draft } from './draft.ts';

/** What was left unsaved stands in the form again; it can be dropped, while that is not deleting a draft. */
export function RestoredNotice({ draft, canDrop }: { draft: Draft; canDrop: boolean }) {
  return (
    <div
      role="status"
      className="flex min-h-14 flex-wrap items-center justify-between gap-x-4 gap-y-2 rounded-lg border border-info bg-panel px-4 py-2"
    >
      <p>Restored what was not saved yet.</p>
      {canDrop && <Button onClick={() => draft.dropRestored()}>Drop it</Button>}
    </div>
  );
}
