import { type ReactNode, useLayoutEffect, useRef, useState, useSyncExternalStore } from 'react';
import { apiKey, apiKeyIsRefused, onApiKey, setApiKey } from '../api/key.ts';
import { Button, Field, Input } from './controls.tsx';

const BOX = 'rounded-lg border border-line bg-panel p-5 text-ink';

/** In place of the pages, before there is a key at all. */
export const KeyPage = () => (
  <div className={`mx-auto mt-10 max-w-md ${BOX}`}>
    <title>API key · Volley</title>
    <KeyForm Heading="h1" />
  </div>
);

/** Above a page whose key is accepted no more. What stands in the page, also in its dialogs, stays as it is. */
export function KeyLayer({ open }: { open: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (open && !dialog?.open) dialog?.showModal();
    if (!open && dialog?.open) dialog.close();
  }, [open]);
  return (
    <dialog
      ref={ref}
      aria-label="Another key is needed"
      // There is no way past it; closed and opened again it would not know where the focus was.
      onKeyDown={(event) => event.key === 'Escape' && event.preventDefault()}
      onCancel={(event) => event.preventDefault()}
      onClose={(event) => apiKey() === null && event.currentTarget.showModal()}
      className={`m-auto w-[calc(100%-1.5rem)] max-w-md ${BOX}`}
    >
      {open && (
        <KeyForm Heading="h2">
          <p className="text-sm text-soft">The page goes on where it was: nothing that was typed is lost.</p>
        </KeyForm>
      )}
    </dialog>
  );
}

function KeyForm({ Heading, children }: { Heading: 'h1' | 'h2'; children?: ReactNode }) {
  const [key, setKey] = useState('');
  const isRefused = useSyncExternalStore(onApiKey, apiKeyIsRefused);
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim() !== '') setApiKey(key.trim());
      }}
    >
      <Heading className="text-lg font-semibold">Which API key?</Heading>
      {children}
      <Field
        label="API key"
        hint="It stays in this tab. `npm start` prints one, and the address of this page with it."
        error={isRefused && <span role="alert">This key is not accepted</span>}
      >
        {(ids) => (
          <Input
            {...ids}
            type="password"
            autoComplete="off"
            spellCheck={false}
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
        )}
      </Field>
      <Button kind="primary" type="submit" disabled={key.trim() === ''}>
        Go on
      </Button>
    </form>
  );
}
