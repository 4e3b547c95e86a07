import { useMutation } from '@tanstack/react-query';
import { Button } from '../ui/controls.tsx';
import type { Draft } from './draft.ts';

/** Two have changed one draft: which of them it is to be is for a person to say. */
export function ConflictNotice({ draft }: { draft: Draft }) {
  const theirs = useMutation({ mutationFn: () => draft.takeTheirs() });
  const mine = useMutation({ mutationFn: () => draft.keepMine() });
  const error = theirs.error ?? mine.error;
  return (
    <div role="alert" className="rounded-lg border border-warn bg-panel px-4 py-3">
      <p className="font-medium text-warn">Somebody else has changed this draft meanwhile</p>
      <p className="mt-1">Nothing of theirs is overwritten: what you change is not saved until you choose.</p>
      {error && <p className="mt-1 text-sm text-bad">{error.message}</p>}
      <div className="mt-3 flex flex-wrap gap-2">
        <Button busy={theirs.isPending} disabled={mine.isPending} onClick={() => theirs.mutate()}>
          Load theirs, drop mine
        </Button>
        <Button busy={mine.isPending} disabled={theirs.isPending} onClick={() => mine.mutate()}>
          Keep mine, overwrite theirs
        </Button>
      </div>
    </div>
  );
}
