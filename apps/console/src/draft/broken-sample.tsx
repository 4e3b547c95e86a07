import type { PreviewView } from '../api/types.ts';
import { Foreign } from '../ui/parts.tsx';

const MAX_DETAIL = 200;

const errorsIn = ({ sample }: PreviewView) => sample.flatMap(({ error }) => error ?? []);

/** Nobody who was looked at would get anything. */
export const isAllBroken = (preview: PreviewView): boolean =>
  preview.sample.length > 0 && errorsIn(preview).length === preview.sample.length;

/** What is known of messages that would not go out, before somebody decides to send. */
export function BrokenSample({ preview }: { preview: PreviewView }) {
  const errors = errorsIn(preview);
  const looked = preview.sample.length;
  if (errors.length === 0) return null;
  return (
    <p className="text-sm text-bad">
      {isAllBroken(preview) ? (
        <>
          {looked === 1 ? 'The first message cannot be made' : `None of the first ${looked} messages can be made`} (
          <Details details={[...new Set(errors.map(({ detail }) => detail))]} />)
        </>
      ) : (
        `${errors.length} of the first ${looked} messages cannot be made`
      )}
      ; such messages are given up, not sent.
    </p>
  );
}

const Details = ({ details }: { details: readonly string[] }) => (
  <>
    <Foreign text={(details[0] ?? '').slice(0, MAX_DETAIL)} />
    {details.length > 1 && ' and other reasons'}
  </>
);
