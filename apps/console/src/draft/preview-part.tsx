import { useState } from 'react';
import type { PreviewView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { MessageBody } from '../ui/message-body.tsx';
import { Card, Foreign, ForeignLine } from '../ui/parts.tsx';
import { KnownVariables } from './known-variables.tsx';

type Sample = PreviewView['sample'][number];

interface PreviewPartProps {
  readonly preview: PreviewView | undefined;
  readonly contentType: string;
  /** Why there is none yet. */
  readonly absent: string;
  /** The form says something else than what is shown. */
  readonly isOld: boolean;
}

export function PreviewPart({ preview, contentType, absent, isOld }: PreviewPartProps) {
  const [chosen, setChosen] = useState(0);
  const sample = preview?.sample ?? [];
  const shown = sample[Math.min(chosen, sample.length - 1)];
  const broken = sample.filter(({ error }) => error).length;
  return (
    <Card
      title="Preview"
      aside={
        preview && sample.length > 0
          ? `first ${formatCount(sample.length)} of ${formatCount(preview.total)} real recipients`
          : undefined
      }
    >
      {/* Always there, so that it is said when it changes, and not at each pause of typing. */}
      <p role="status" className={broken > 0 ? 'mb-3 text-sm text-bad' : ''}>
        {broken > 0 && (
          <>
            {broken === sample.length
              ? 'None of these messages can'
              : `${broken} of these ${sample.length} messages cannot`}{' '}
            be made as the template stands. A default helps: <code>{"{{ name | default: 'there' }}"}</code>
            {sample.some(({ error }) => error?.reason === 'missing_variable') && <KnownVariables />}
          </>
        )}
      </p>
      {shown ? (
        <div className="flex flex-col gap-3">
          {isOld && <p className="text-sm text-warn">As it was last saved.</p>}
          <Shown sample={shown} contentType={contentType} />
          <ol aria-label="Recipients of the preview" className="flex flex-col">
            {sample.map((each, i) => (
              <li key={each.recipient}>
                <button
                  type="button"
                  aria-pressed={each === shown}
                  onClick={() => setChosen(i)}
                  className="block w-full rounded-md px-2 py-1 text-start text-sm hover:bg-raised aria-pressed:bg-raised"
                >
                  <ForeignLine text={each.recipient} className={each === shown ? 'font-medium' : ''} />
                  {each.error ? (
                    <span className="block truncate text-xs text-bad">{each.error.detail}</span>
                  ) : (
                    <ForeignLine text={lineOf(each, contentType)} className="text-xs text-soft" />
                  )}
                </button>
              </li>
            ))}
          </ol>
        </div>
      ) : (
        <p className="rounded-md border border-dashed border-line px-3 py-8 text-center text-sm text-soft">
          {preview ? 'There is nobody to show it for.' : absent}
        </p>
      )}
    </Card>
  );
}

function Shown({ sample, contentType }: { sample: Sample; contentType: string }) {
  return (
    <div className="flex flex-col gap-2">
      <dl className="grid grid-cols-[auto_1fr] gap-x-3 text-sm">
        <dt className="text-soft">To</dt>
        <dd className="min-w-0">
          <ForeignLine text={sample.recipient} />
        </dd>
        {sample.subject && (
          <>
            <dt className="text-soft">Subject</dt>
            <dd className="min-w-0 font-medium">
              <Foreign text={sample.subject} />
            </dd>
          </>
        )}
      </dl>
      {sample.rendered === null || sample.error ? (
        <p className="rounded-md border border-bad px-3 py-2 text-sm text-bad">
          Cannot be made: <Foreign text={sample.error?.detail ?? 'not known why'} />
        </p>
      ) : (
        <MessageBody contentType={contentType} body={sample.rendered} label={`Message to ${sample.recipient}`} />
      )}
    </div>
  );
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', '#39': "'", nbsp: ' ' };

/**
 * The message in one line, shown as text whatever it is. Not parsed as a document: even one that is never shown has the
 * policy of this page, and each handler in it would be reported.
 */
function lineOf({ rendered }: Sample, contentType: string): string {
  const start = (rendered ?? '').slice(0, 2_000);
  const text =
    contentType === 'text/html'
      ? start
          .replace(/<(script|style|title)\b[^>]*>.*?(<\/\1>|$)/gis, ' ')
          .replace(/<[^>]*(>|$)/g, ' ')
          .replace(/&(lt|gt|amp|quot|#39|nbsp);/g, (_, name: string) => ENTITIES[name] ?? '')
      : start;
  return text.replace(/\s+/g, ' ').trim().slice(0, 200);
}
