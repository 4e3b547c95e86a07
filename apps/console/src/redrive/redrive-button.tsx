import type { RedriveView } from '../api/types.ts';
import { Button } from '../ui/controls.tsx';
import { askAbout } from './asked.ts';
import type { Action, Selection } from './selection.ts';

interface LettersButtonProps {
  readonly selection: Selection;
  readonly label: string;
  readonly kind?: 'primary' | 'plain' | 'danger';
  readonly disabled?: boolean;
  readonly onStarted?: (job: RedriveView) => void;
}

/** Opens the count at once; the second click, in the dialog, sends. */
export const RedriveButton = (props: LettersButtonProps) => <LettersButton action="redrive" {...props} />;

/** The same, for taking them out of the list for good. */
export const PurgeButton = (props: LettersButtonProps) => <LettersButton action="purge" {...props} />;

const LettersButton = ({
  action,
  selection,
  label,
  kind = 'plain',
  disabled = false,
  onStarted,
}: LettersButtonProps & { readonly action: Action }) => (
  <Button
    kind={kind}
    disabled={disabled}
    aria-haspopup="dialog"
    onClick={() => askAbout({ action, selection, onStarted })}
  >
    {label}
  </Button>
);
