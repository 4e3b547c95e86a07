import type {
  ButtonHTMLAttributes,
  InputHTMLAttributes,
  ReactNode,
  SelectHTMLAttributes,
  TextareaHTMLAttributes,
} from 'react';
import { useId } from 'react';

const KINDS = {
  primary: 'bg-accent text-accent-ink border-transparent hover:opacity-90',
  plain: 'bg-panel text-ink border-line hover:bg-raised',
  danger: 'bg-panel text-bad border-bad hover:bg-raised',
  quiet: 'bg-transparent text-accent border-transparent hover:bg-raised',
} as const;

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly kind?: keyof typeof KINDS;
  /** Under way: it cannot be pressed again, and keeps its place and the focus (which `disabled` would throw away). */
  readonly busy?: boolean;
}

export const buttonClass = (kind: keyof typeof KINDS = 'plain'): string =>
  `inline-flex min-h-9 items-center justify-center gap-2 rounded-md border px-3 py-1.5 text-sm font-medium whitespace-nowrap disabled:opacity-50 aria-disabled:cursor-not-allowed aria-disabled:opacity-50 ${KINDS[kind]}`;

export function Button({
  kind = 'plain',
  busy = false,
  className = '',
  children,
  disabled,
  onClick,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled && !busy}
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      // Also what a form would do on Enter comes by here.
      onClick={busy ? (event) => event.preventDefault() : onClick}
      className={`${buttonClass(kind)} ${className}`}
    >
      {busy && <Spinner />}
      {children}
    </button>
  );
}

export function Spinner() {
  return (
    <span
      aria-hidden
      className="inline-block size-3.5 animate-spin rounded-full border-2 border-current border-r-transparent"
    />
  );
}

interface FieldProps {
  readonly label: string;
  readonly hint?: ReactNode;
  readonly error?: ReactNode;
  /** Gets the ids that tie label, hint and error to the control. */
  readonly children: (ids: {
    id: string;
    'aria-describedby': string | undefined;
    'aria-invalid': true | undefined;
  }) => ReactNode;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const about = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ');
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children({ id, 'aria-describedby': about || undefined, 'aria-invalid': error ? true : undefined })}
      {hint && (
        <p id={`${id}-hint`} className="text-sm text-soft">
          {hint}
        </p>
      )}
      {/* Always there, as only what changes in it is read out; without text it takes no room. */}
      <p id={`${id}-error`} aria-live="polite" className={error ? 'text-sm text-bad' : '-mt-1'}>
        {error || null}
      </p>
    </div>
  );
}

const CONTROL =
  'w-full min-h-9 rounded-md border border-line bg-panel px-3 py-1.5 text-ink placeholder:text-soft aria-invalid:border-bad';

export const Input = ({ className = '', ...rest }: InputHTMLAttributes<HTMLInputElement>) => (
  <input dir="auto" {...rest} className={`${CONTROL} ${className}`} />
);
export const Textarea = ({ className = '', ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement>) => (
  <textarea dir="auto" {...rest} className={`${CONTROL} font-mono text-sm ${className}`} />
);
export const Select = ({ className = '', ...rest }: SelectHTMLAttributes<HTMLSelectElement>) => (
  <select {...rest} className={`${CONTROL} ${className}`} />
);
