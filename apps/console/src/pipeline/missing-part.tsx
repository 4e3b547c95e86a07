import type { PipelineView } from '../api/types.ts';

/** In the place of a part that nobody could tell: which, and why. */
export function MissingPart({ view, part }: { view: PipelineView; part: string }) {
  const why = view.unavailable.find((each) => each.part === part)?.detail;
  return (
    <p className="rounded-md border border-dashed border-bad px-3 py-4 text-center wrap-anywhere">
      <span className="font-medium text-bad">Not known now</span>
      {why && <span className="text-soft">: {why}</span>}
    </p>
  );
}
