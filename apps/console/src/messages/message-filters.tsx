import { useCallback } from 'react';
import type { StatsView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { STATES } from '../states.ts';
import { Button, Field, Select } from '../ui/controls.tsx';
import { ReasonSelect } from '../ui/reason-select.tsx';
import { SettledInput } from '../ui/settled-input.tsx';
import type { MessageFilters as Filters } from './use-message-list.ts';

interface MessageFiltersProps {
  readonly filters: Filters;
  readonly stats: StatsView | undefined;
  onChange(change: Partial<Filters>): void;
}

export function MessageFilters({ filters, stats, onChange }: MessageFiltersProps) {
  const isFiltered = Object.values(filters).some((value) => value !== '');
  const settled = useCallback((recipient: string) => onChange({ recipient }), [onChange]);
  return (
    <search
      aria-label="Messages"
      className="grid grid-cols-2 items-end gap-3 sm:grid-cols-[12rem_minmax(0,1fr)_14rem_auto]"
    >
      <Field label="State">
        {(ids) => (
          <Select {...ids} value={filters.status} onChange={(event) => onChange({ status: event.target.value })}>
            <option value="">All</option>
            {STATES.map(({ name, label }) => (
              <option key={name} value={name}>
                {stats ? `${label} (${formatCount(stats[name])})` : label}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <SettledInput
        label="Recipient"
        placeholder="whole address"
        maxLength={2_000}
        value={filters.recipient}
        onSettled={settled}
      />
      <ReasonSelect value={filters.reason} onChange={(reason) => onChange({ reason })} />
      <Button
        className="max-sm:order-last"
        disabled={!isFiltered}
        onClick={() => onChange({ status: '', recipient: '', reason: '' })}
      >
        Clear filters
      </Button>
    </search>
  );
}
