import { type DragEvent, useId, useState } from 'react';
import { formatBytes } from '../format.ts';
import { Button, Field, Input } from '../ui/controls.tsx';
import { Foreign } from '../ui/parts.tsx';
import { startImport } from './import-run.ts';
import { type Inspected, inspectFile } from './inspect-file.ts';
import { saveBlob } from './save-blob.ts';

const SAMPLE = `email,name,tags,city
ana@example.com,Ana Ferreira,newsletter;vip,Lisbon
bo@example.com,"Håkansson, Bo",newsletter,Malmö
`;
const KNOWN = /^(email|to|name|tags)$/i;
/** The field takes files from here as well: an empty list of contacts leads to it. */
export const FILE_INPUT_ID = 'contacts-file';

export function ImportForm() {
  const [chosen, setChosen] = useState<{ readonly file: File; readonly about: Inspected }>();
  const [unreadable, setUnreadable] = useState(false);
  const [addTag, setAddTag] = useState('');
  const [isOver, setIsOver] = useState(false);
  const hint = useId();

  const choose = async (file: File | undefined) => {
    if (!file) return;
    try {
      setChosen({ file, about: await inspectFile(file) });
      setUnreadable(false);
    } catch {
      setChosen(undefined);
      setUnreadable(true);
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    void choose(event.dataTransfer.files[0]);
  };
  const wrong = unreadable ? 'The file cannot be read: choose it again.' : chosen?.about.wrong;

  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (chosen && !wrong) startImport({ file: chosen.file, type: chosen.about.type, addTag: addTag.trim() });
      }}
    >
      <p id={hint} className="max-w-prose text-sm text-soft">
        CSV or NDJSON in UTF-8. <code>email</code> or <code>to</code> says who, <code>name</code> and <code>tags</code>{' '}
        (in CSV with <code>;</code> between) are known, anything else becomes an attribute for your templates. Who is
        here already is updated.{' '}
        <button
          type="button"
          className="text-accent underline"
          onClick={() => saveBlob(new Blob([SAMPLE], { type: 'text/csv;charset=utf-8' }), 'contacts-sample.csv')}
        >
          Download a sample
        </button>
      </p>
      <label
        htmlFor={FILE_INPUT_ID}
        onDragOver={(event) => {
          event.preventDefault();
          setIsOver(true);
        }}
        onDragLeave={() => setIsOver(false)}
        onDrop={drop}
        className={`relative flex min-h-24 cursor-pointer flex-col items-center justify-center gap-1 rounded-lg border border-dashed px-4 py-4 text-center focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-accent ${isOver ? 'border-accent bg-raised' : 'border-soft bg-ground'}`}
      >
        {/* Of the size of its label: what is hidden elsewhere makes the page scroll when it gets the focus. */}
        <input
          id={FILE_INPUT_ID}
          type="file"
          accept=".csv,.ndjson,.jsonl,text/csv,application/x-ndjson"
          aria-label="File of contacts"
          aria-describedby={hint}
          className="absolute inset-0 cursor-pointer opacity-0"
          onChange={(event) => {
            void choose(event.target.files?.[0]);
            // The same file can be chosen again after it was changed.
            event.target.value = '';
          }}
        />
        {chosen ? (
          <>
            <span className="max-w-full font-medium">
              <Foreign text={chosen.file.name} />
            </span>
            <span className="num text-sm text-soft">
              {formatBytes(chosen.file.size)} · {chosen.about.type === 'text/csv' ? 'CSV' : 'NDJSON'} · choose another
            </span>
          </>
        ) : (
          <>
            <span className="font-medium">Choose a file, or drop it here</span>
            <span className="text-sm text-soft">Of any size: it is sent as it is read</span>
          </>
        )}
      </label>
      {wrong && (
        <p role="alert" className="text-sm text-bad">
          {wrong}
        </p>
      )}
      {chosen && !wrong && chosen.about.columns.length > 0 && <Columns columns={chosen.about.columns} />}
      <div className="flex flex-wrap items-start gap-3">
        <div className="min-w-0 flex-1 basis-64">
          <Field
            label="Tag for every contact of this file"
            hint="If you like: a segment of exactly these, for a campaign."
          >
            {(ids) => (
              <Input
                {...ids}
                maxLength={64}
                placeholder="spring-2026"
                value={addTag}
                onChange={(event) => setAddTag(event.target.value)}
              />
            )}
          </Field>
        </div>
        <Button kind="primary" type="submit" className="sm:mt-6.5" disabled={!chosen || wrong !== undefined}>
          Import contacts
        </Button>
      </div>
    </form>
  );
}

function Columns({ columns }: { columns: readonly string[] }) {
  const others = columns.filter((name) => !KNOWN.test(name));
  const list = (names: readonly string[]) => names.slice(0, 12).join(', ') + (names.length > 12 ? ', …' : '');
  return (
    <p className="text-sm text-soft">
      Columns: <Foreign text={list(columns.filter((name) => KNOWN.test(name)))} />
      {others.length > 0 && (
        <>
          ; as attributes: <Foreign text={list(others).slice(0, 500)} />
        </>
      )}
    </p>
  );
}
