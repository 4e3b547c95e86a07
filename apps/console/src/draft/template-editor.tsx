import { type FocusEvent, useRef } from 'react';
import { Button, Field, Textarea } from '../ui/controls.tsx';
import type { TemplateError } from './field-errors.ts';
import { InsertChips } from './insert-chips.tsx';
import { insertText } from './insert-text.ts';

const PLACEHOLDER = 'Hi {{name}},\n\nyour order is on its way.';
const EXAMPLE = "Hi {{ name | default: 'there' }},\n\nthank you for being with us.\n";
/** Beyond these it is a text area without numbers: each line of it would be an element. */
const MAX_NUMBERED = { lines: 2_000, characters: 60_000 };

interface TemplateEditorProps {
  readonly value: string;
  readonly error: string | undefined;
  readonly at: TemplateError | undefined;
  onChange(value: string): void;
}

export function TemplateEditor({ value, error, at, onChange }: TemplateEditorProps) {
  const box = useRef<HTMLDivElement>(null);
  const entered = useRef<HTMLTextAreaElement>(null);
  const lines = value.split('\n');
  const isNumbered = lines.length <= MAX_NUMBERED.lines && value.length <= MAX_NUMBERED.characters;

  const show = ({ line, column }: TemplateError) => {
    const offset = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
    const area = box.current?.querySelector('textarea');
    area?.focus();
    area?.setSelectionRange(offset, offset + 1);
  };
  const insert = (code: string) => {
    const area = box.current?.querySelector('textarea');
    if (!area) return;
    // Until somebody has been in it, its cursor stands where nobody has put it.
    if (entered.current !== area) area.setSelectionRange(area.value.length, area.value.length);
    insertText(area, code, onChange);
  };
  const enter = (event: FocusEvent<HTMLTextAreaElement>) => {
    entered.current = event.currentTarget;
  };
  return (
    <Field
      label="Template"
      hint={
        <>
          <code>{'{{name}}'}</code> becomes each recipient's name; other columns of your import work alike.
        </>
      }
      error={
        at ? (
          <>
            Line {at.line}, character {at.column}: <bdi>{at.detail}</bdi>{' '}
            {isNumbered && (
              <button type="button" className="underline" onClick={() => show(at)}>
                Show
              </button>
            )}
          </>
        ) : (
          error
        )
      }
    >
      {(ids) => (
        <div ref={box} className="flex flex-col gap-1">
          {isNumbered ? (
            <div className="max-h-[28rem] overflow-y-auto rounded-md border border-line bg-panel font-mono text-sm leading-6 focus-within:outline-2 focus-within:outline-accent has-aria-invalid:border-bad">
              <div className="relative min-h-40">
                <Numbers lines={lines} at={at} />
                <textarea
                  {...ids}
                  dir="auto"
                  value={value}
                  placeholder={PLACEHOLDER}
                  onFocus={enter}
                  onChange={(event) => onChange(event.target.value)}
                  className="absolute inset-y-0 start-10 end-0 resize-none overflow-hidden bg-transparent px-3 py-1.5 whitespace-pre-wrap text-ink outline-none wrap-anywhere placeholder:text-soft"
                />
              </div>
            </div>
          ) : (
            <Textarea
              {...ids}
              rows={16}
              value={value}
              onFocus={enter}
              onChange={(event) => onChange(event.target.value)}
            />
          )}
          <InsertChips onInsert={insert} />
          {value === '' && (
            <div>
              <Button kind="quiet" className="-ms-3" onClick={() => onChange(EXAMPLE)}>
                Start from an example
              </Button>
            </div>
          )}
        </div>
      )}
    </Field>
  );
}

/** Behind the text, and as high as it: the same lines in the same width, so that numbers stand beside wrapped lines. */
const Numbers = ({ lines, at }: { lines: readonly string[]; at: TemplateError | undefined }) => (
  <div aria-hidden className="py-1.5 select-none">
    {lines.map((line, i) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
      <div key={i} className={`flex ${at?.line === i + 1 ? 'bg-bad/15' : ''}`}>
        <span
          className={`num w-10 shrink-0 border-e border-line pe-2 text-end text-xs leading-6 ${
            at?.line === i + 1 ? 'font-semibold text-bad' : 'text-soft'
          }`}
        >
          {i + 1}
        </span>
        <span dir="auto" className="min-w-0 flex-1 px-3 whitespace-pre-wrap text-transparent wrap-anywhere">
          {at?.line === i + 1 ? (
            <>
              {line.slice(0, at.column - 1)}
              <span className="underline decoration-bad decoration-wavy">{line.slice(at.column - 1)}</span>
            </>
          ) : (
            line
          )}
          {line === '' && '\u200b'}
        </span>
      </div>
    ))}
  </div>
);
