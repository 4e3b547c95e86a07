import { ApiProblem } from '../api/client.ts';
import type { DraftState } from './draft.ts';

/** Whether the draft is kept, in words; why not, where it is not. */
function saveText({ saving, fields }: DraftState): { text: string; isBad: boolean } {
  switch (saving.kind) {
    case 'incomplete': {
      const missing = [fields.name.trim() === '' && 'a name', fields.template.trim() === '' && 'a message'];
      return { text: `Needs ${missing.filter(Boolean).join(' and ') || 'a moment'} to be saved`, isBad: false };
    }
    case 'changed':
    case 'saving':
      return { text: 'Saving…', isBad: false };
    case 'saved':
      return { text: 'Saved', isBad: false };
    case 'refused': {
      const { error } = saving;
      const first = error instanceof ApiProblem ? error.problem.errors?.[0]?.detail : undefined;
      return { text: `Not saved: ${first ?? error.message}`, isBad: true };
    }
    case 'away':
      return { text: `Not saved: ${saving.error.message} It is tried again.`, isBad: true };
    case 'conflict':
      return { text: 'Not saved: somebody else has changed this draft', isBad: true };
    case 'not_draft':
      return { text: 'Not saved: it is no draft any more', isBad: true };
    case 'gone':
      return { text: 'Not saved: somebody has deleted this draft', isBad: true };
  }
}

export function SaveState({ state }: { state: DraftState }) {
  const { text, isBad } = saveText(state);
  return (
    <span role="status" className={`min-w-14 text-sm wrap-anywhere ${isBad ? 'text-bad' : 'text-soft'}`}>
      {text}
    </span>
  );
}
