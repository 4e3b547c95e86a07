import { useSomeContacts } from './use-some-contacts.ts';
import { insertionsOf } from './variables.ts';

/** What a template can take from the contacts that are there. */
export function InsertChips({ onInsert }: { onInsert(code: string): void }) {
  const insertions = insertionsOf(useSomeContacts());
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields
    <div role="group" aria-label="Insert" className="flex min-w-0 flex-wrap items-center gap-1.5">
      <span aria-hidden className="text-sm text-soft">
        Insert:
      </span>
      {insertions.map(({ label, code }) => (
        <button
          key={code}
          type="button"
          title={code}
          onClick={() => onInsert(code)}
          className="max-w-48 truncate rounded-full border border-line px-2.5 py-0.5 text-sm hover:bg-raised"
        >
          <bdi>{label}</bdi>
        </button>
      ))}
    </div>
  );
}
