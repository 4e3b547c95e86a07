import { type ReactNode, useEffect, useId, useRef } from 'react';

interface DialogProps {
  readonly title: string;
  readonly open: boolean;
  onClose(): void;
  /** Something runs that cannot be taken back: Escape does not hide it. */
  readonly busy?: boolean;
  readonly children: ReactNode;
  /** Buttons; the last one is what the dialog asks for. */
  readonly actions: ReactNode;
}

/** The browser's own: keeps the focus inside, closes on Escape, gives the focus back. */
export function Dialog({ title, open, onClose, busy = false, children, actions }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    if (open && !dialog.open) dialog.showModal();
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => busy && event.preventDefault()}
      // Pressed twice, Escape closes whatever was asked of it.
      onClose={() => (busy ? ref.current?.showModal() : onClose())}
      className="m-auto w-[calc(100%-1.5rem)] max-w-lg rounded-lg border border-line bg-panel p-5 text-ink"
    >
      {open && (
        <>
          <h2 id={id} className="text-lg font-semibold">
            {title}
          </h2>
          <div className="mt-3 flex flex-col gap-3">{children}</div>
          <div className="mt-5 flex flex-wrap justify-end gap-2">{actions}</div>
        </>
      )}
    </dialog>
  );
}
