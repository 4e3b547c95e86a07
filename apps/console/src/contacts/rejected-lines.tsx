import { useEffect, useState } from 'react';
import type { ImportReport } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Button } from '../ui/controls.tsx';
import { Foreign, ForeignLine } from '../ui/parts.tsx';
import { NumTd, NumTh, Table, Td, Th } from '../ui/table.tsx';
import type { ImportRun } from './import-run.ts';
import { rejectedFile, rejectedTexts } from './rejected-file.ts';
import { saveBlob } from './save-blob.ts';

type Ended = Extract<ImportRun, { step: 'ended' }>;
/** The others are in the file that can be downloaded. */
const SHOWN = 20;
const MAX_CHARS = 500;
/** Larger files are read again only for the download. */
const MAX_READ_BYTES = 67_108_864;

interface RejectedLinesProps {
  readonly run: Ended;
  readonly rejected: number;
  readonly errors: ImportReport['errors'];
}

/** What was rejected and why; all of it that the API names can be taken along as a file. */
export function RejectedLines({ run, rejected, errors }: RejectedLinesProps) {
  const { file, type } = run;
  const [reading, setReading] = useState(false);
  const [unreadable, setUnreadable] = useState(false);
  const texts = useTexts(run, errors);
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
            <Th>Why</Th>
            <Th>Text of the line</Th>
          </tr>
        </thead>
        <tbody>
          {errors.slice(0, SHOWN).map(({ line, code, detail }) => (
            <tr key={`${line} ${code} ${detail}`}>
              <NumTd className="w-20">{formatCount(line)}</NumTd>
              <Td className="min-w-40">
                <Foreign text={detail} />
              </Td>
              <Td className="max-w-96 min-w-40 text-soft">
                <ForeignLine text={texts.get(line)?.slice(0, MAX_CHARS) ?? '–'} />
              </Td>
            </tr>
          ))}
        </tbody>
      </Table>
      <div className="flex flex-wrap items-center gap-3">
        <Button busy={reading} onClick={() => void download()}>
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

/** Of the lines that are shown; those that cannot be read again have none. */
function useTexts({ file, type }: Ended, errors: ImportReport['errors']): ReadonlyMap<number, string> {
  const [texts, setTexts] = useState<ReadonlyMap<number, string>>(new Map());
  useEffect(() => {
    if (file.size > MAX_READ_BYTES) return;
    let isGone = false;
    rejectedTexts(file, type, errors.slice(0, SHOWN)).then(
      (read) => {
        if (!isGone) setTexts(read);
      },
      // The download says so.
      () => undefined,
    );
    return () => {
      isGone = true;
    };
  }, [file, type, errors]);
  return texts;
}
