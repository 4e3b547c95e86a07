import { useState } from 'react';
import { Link } from 'react-router';
import { setApiKey } from '../api/key.ts';
import type { ImportReport } from '../api/types.ts';
import { formatBytes, formatCount } from '../format.ts';
import { Button, buttonClass } from '../ui/controls.tsx';
import { Figure, Figures, Foreign } from '../ui/parts.tsx';
import { NumTd, NumTh, Table, Td, Th } from '../ui/table.tsx';
import { forgetImport, type ImportRun, startImport } from './import-run.ts';
import { wordsOf } from './outcome-words.ts';
import { rejectedFile } from './rejected-file.ts';
import { saveBlob } from './save-blob.ts';

type Ended = Extract<ImportRun, { step: 'ended' }>;
/** The others are in the file that can be downloaded. */
const SHOWN = 20;

export function ImportResult({ run }: { run: Ended }) {
  const { outcome, file, type, addTag } = run;
  if (outcome.kind !== 'done') {
    const { title, detail, again } = wordsOf(outcome);
    const isKey = outcome.kind === 'refused' && outcome.problem.code === 'unauthorized';
    return (
      <div className="flex flex-col gap-3">
        <div role="alert">
          <p className="font-medium text-bad">{title}</p>
          <p className="mt-1 max-w-prose wrap-anywhere">{detail}</p>
          <p className="mt-1 text-sm text-soft">
            <Foreign text={file.name} /> · {formatBytes(file.size)}
          </p>
        </div>
        <div className="flex flex-wrap gap-2">
          {again && (
            <Button kind="primary" onClick={() => startImport({ file, type, addTag })}>
              Send the file again
            </Button>
          )}
          {isKey && (
            <Button kind="primary" onClick={() => setApiKey(null)}>
              Give another key
            </Button>
          )}
          <Button onClick={forgetImport}>Choose another file</Button>
        </div>
      </div>
    );
  }
  const { imported, updated, rejected, errors } = outcome.report;
  return (
    <div className="flex flex-col gap-4">
      <p role="status" className="font-medium">
        {rejected === 0 ? 'Imported: ' : 'Imported, but not every line: '}
        <Foreign text={file.name} />
        {addTag && (
          <>
            , every contact tagged <Foreign text={addTag} />
          </>
        )}
      </p>
      <Figures>
        <Figure label="New" value={formatCount(imported)} />
        <Figure label="Updated" value={formatCount(updated)} />
        <Figure
          label="Rejected lines"
          value={formatCount(rejected)}
          {...(rejected > 0 ? { tone: 'bad' as const } : {})}
        />
      </Figures>
      {rejected > 0 && <Rejected run={run} rejected={rejected} errors={errors} />}
      <div className="flex flex-wrap gap-2">
        {addTag && (
          <Link to={`/contacts?segment_rule=${encodeURIComponent(addTag)}`} className={buttonClass()}>
            Show these contacts
          </Link>
        )}
        <Button onClick={forgetImport}>Import another file</Button>
      </div>
    </div>
  );
}

interface RejectedProps {
  readonly run: Ended;
  readonly rejected: number;
  readonly errors: ImportReport['errors'];
}

function Rejected({ run, rejected, errors }: RejectedProps) {
  const { file, type } = run;
  const [reading, setReading] = useState(false);
  const [unreadable, setUnreadable] = useState(false);
  const download = async () => {
    setReading(true);
    try {
      saveBlob(
        await rejectedFile(file, type, errors),
        `${file.name.replace(/\.[^.]*$/, '').slice(0, 100)}-rejected.csv`,
      );
      setUnreadable(false);
    } catch {
      setUnreadable(true);
    }
    setReading(false);
  };
  return (
    <>
      {rejected > errors.length && (
        <p className="max-w-prose">
          The API names the first {formatCount(errors.length)} of {formatCount(rejected)} rejected lines, and no more.
          Mend these and import the file again to see the next ones: lines that went in are only updated.
        </p>
      )}
      <Table label="Rejected lines">
        <thead>
          <tr>
            <NumTh>Line</NumTh>
            <Th>Code</Th>
            <Th>Why</Th>
          </tr>
        </thead>
        <tbody>
          {errors.slice(0, SHOWN).map(({ line, code, detail }) => (
            <tr key={`${line} ${code} ${detail}`}>
              <NumTd className="w-20">{formatCount(line)}</NumTd>
              <Td className="whitespace-nowrap">{code}</Td>
              <Td className="min-w-48">
                <Foreign text={detail} />
              </Td>
            </tr>
          ))}
        </tbody>
      </Table>
      <div className="flex flex-wrap items-center gap-3">
        <Button kind="primary" busy={reading} onClick={() => void download()}>
          Download rejected lines
        </Button>
        <span className="num text-sm text-soft">
          CSV of {formatCount(errors.length)}: line, code, why, and the line itself
          {errors.length > SHOWN && `; the first ${SHOWN} are above`}
        </span>
      </div>
      {unreadable && (
        <p role="alert" className="text-sm text-bad">
          The file cannot be read any more: it was moved, changed or removed since it was sent.
        </p>
      )}
    </>
  );
}
