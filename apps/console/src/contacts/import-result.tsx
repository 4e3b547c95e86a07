import { Link } from 'react-router';
import { setApiKey } from '../api/key.ts';
import { formatBytes, formatCount } from '../format.ts';
import { Button, buttonClass } from '../ui/controls.tsx';
import { Figure, Figures, Foreign } from '../ui/parts.tsx';
import { forgetImport, type ImportRun, startImport } from './import-run.ts';
import { wordsOf } from './outcome-words.ts';
import { RejectedLines } from './rejected-lines.tsx';

type Ended = Extract<ImportRun, { step: 'ended' }>;

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
      {rejected > 0 && <RejectedLines run={run} rejected={rejected} errors={errors} />}
      <div className="flex flex-wrap gap-2">
        {imported + updated > 0 && (
          <Link to={addTag ? `/campaigns/new?${ruleOf(addTag)}` : '/campaigns/new'} className={buttonClass('primary')}>
            {addTag ? writeTo(imported, updated) : 'Write a campaign'}
          </Link>
        )}
        {addTag && (
          <Link to={`/contacts?${ruleOf(addTag)}`} className={buttonClass()}>
            Show these contacts
          </Link>
        )}
        <Button onClick={forgetImport}>Import another file</Button>
      </div>
    </div>
  );
}

const ruleOf = (tag: string): string => `segment_rule=${encodeURIComponent(tag)}`;

/** A file may name a contact twice, and then updates it: only what is new was counted once each. */
const writeTo = (imported: number, updated: number): string =>
  updated > 0
    ? 'Write to these contacts'
    : imported === 1
      ? 'Write to this contact'
      : `Write to these ${formatCount(imported)}`;
