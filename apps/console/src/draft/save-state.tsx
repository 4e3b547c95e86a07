import { useState } from 'react';
import { ApiProblem } from '../api/client.ts';
import type { DraftState } from './draft.ts';

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

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
      return { text: `Not saved: ${sentence(saving.error.message)} It is tried again.`, isBad: true };
    case 'conflict':
      return { text: 'Not saved: somebody else has changed this draft', isBad: true };
    case 'not_draft':
      return { text: 'Not saved: it is no draft any more', isBad: true };
    case 'gone':
      return { text: 'Not saved: somebody has deleted this draft', isBad: true };
  }
}

/** What is worth saying aloud: that it is not saved, once, and that it is saved again; not each pause of typing. */
function useAnnouncement(text: string, isBad: boolean, { kind }: DraftState['saving']): string {
  const [told, setTold] = useState('');
  const isUnderWay = kind === 'changed' || kind === 'saving';
  // Those have a notice of their own, which is read out.
  const isTold = kind === 'conflict' || kind === 'gone';
  let next = told;
  if (isTold) next = '';
  else if (isBad) next = text;
  else if (!isUnderWay && told !== '') next = text;
  if (next !== told) setTold(next);
  return next;
}

export function SaveState({ state }: { state: DraftState }) {
  const { text, isBad } = saveText(state);
  const told = useAnnouncement(text, isBad, state.saving);
  return (
    <>
      <span className={`min-w-14 text-sm wrap-anywhere ${isBad ? 'text-bad' : 'text-soft'}`}>{text}</span>
      <span role="status" className="sr-only">
        {told}
      </span>
    </>
  );
}
