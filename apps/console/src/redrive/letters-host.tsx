import { useSyncExternalStore } from 'react';
import { closeAsked, nowAsked, onAsked } from './asked.ts';
import { LettersDialog } from './letters-dialog.tsx';

/** Once in the page, above all that may change while a redrive goes on. */
export function LettersHost() {
  const asked = useSyncExternalStore(onAsked, nowAsked);
  return (
    asked && (
      <LettersDialog
        key={asked.times}
        action={asked.action}
        selection={asked.selection}
        open={asked.isOpen}
        onClose={closeAsked}
        onStarted={asked.onStarted}
      />
    )
  );
}
