import type { PipelineView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Time } from '../ui/parts.tsx';
import { type Trouble, troublesOf, wellOf } from './troubles.ts';

const TONE = {
  good: { border: 'border-s-good', text: 'text-good', mark: '✓' },
  warn: { border: 'border-s-warn', text: 'text-warn', mark: '!' },
  bad: { border: 'border-s-bad', text: 'text-bad', mark: '✕' },
} as const;

const SHOWN = 20;
const SAID = 5;

function said(troubles: readonly Trouble[]): string {
  const all = troubles.slice(0, SAID).map((each) => each.what);
  const more = troubles.length - all.length;
  return `${[...all, ...(more > 0 ? [`And ${formatCount(more)} more`] : [])].join('. ')}.`;
}

/** The one sentence: all is well, or what is not. `stale`: why these figures are not of now. */
export function Verdict({ view, stale }: { view: PipelineView; stale: string | undefined }) {
  const troubles = troublesOf(view);
  if (stale !== undefined) troubles.unshift({ level: 'bad', what: 'These figures are old', detail: stale });
  const level = troubles.some((each) => each.level === 'bad') ? 'bad' : troubles.length > 0 ? 'warn' : 'good';
  const { border, text, mark } = TONE[level];
  return (
    <section
      aria-label="State of the pipeline"
      className={`min-h-20 rounded-lg border border-s-4 border-line bg-panel px-4 py-3 ${border}`}
    >
      <p role="status" className="sr-only">
        {level === 'good' ? 'All is well' : said(troubles)}
      </p>
      <div className="flex gap-3">
        <span aria-hidden className={`w-4 shrink-0 text-center text-lg font-bold ${text}`}>
          {mark}
        </span>
        <div className="min-w-0">
          {troubles.length === 0 ? (
            <p className="num">
              <strong className={text}>All is well:</strong> {wellOf(view)}
            </p>
          ) : (
            <ul aria-label="What is not well" className="flex flex-col gap-1">
              {troubles.slice(0, SHOWN).map(({ level, what, detail }, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: two dispatchers may say the very same
                <li key={`${i} ${what} ${detail}`} className="num wrap-anywhere">
                  <strong className={level === 'bad' ? 'text-bad' : 'text-warn'}>
                    <bdi>{what}</bdi>
                  </strong>
                  : <bdi>{detail}</bdi>.
                </li>
              ))}
              {troubles.length > SHOWN && (
                <li className="num text-soft">and {formatCount(troubles.length - SHOWN)} more</li>
              )}
            </ul>
          )}
          <p className="mt-1 text-sm text-soft">
            as of <Time iso={view.as_of} />
          </p>
        </div>
      </div>
    </section>
  );
}
