import { labelOfState, STATE_FILL, STATES, type StateName } from '../states.ts';

/** Where a message stands: its colour beside its name, never the colour alone. */
export function StateLabel({ state }: { state: string }) {
  const known = STATES.find(({ name }) => name === state);
  return (
    <span title={known?.meaning} className="inline-flex items-baseline gap-2 whitespace-nowrap">
      <span
        aria-hidden
        className={`size-2.5 shrink-0 self-center rounded-sm ${known ? STATE_FILL[known.name as StateName] : 'bg-line'}`}
      />
      {labelOfState(state)}
    </span>
  );
}
