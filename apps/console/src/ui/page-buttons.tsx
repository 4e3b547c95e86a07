import { Button } from './controls.tsx';

interface PageButtonsProps {
  readonly label: string;
  /** Of the two buttons, where the list is not newest first. */
  readonly names?: readonly [previous: string, next: string];
  readonly previous: (() => void) | undefined;
  readonly next: (() => void) | undefined;
}

/** Nothing where all of it fits one page. */
export const PageButtons = ({ label, names = ['Newer', 'Older'], previous, next }: PageButtonsProps) =>
  (previous || next) && (
    <nav aria-label={label} className="mt-3 flex justify-between gap-2">
      <Button disabled={!previous} onClick={previous}>
        {names[0]}
      </Button>
      <Button disabled={!next} onClick={next}>
        {names[1]}
      </Button>
    </nav>
  );
