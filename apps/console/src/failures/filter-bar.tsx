import { useCallback } from 'react';
import { Button, Field, Select } from '../ui/controls.tsx';
import { ReasonSelect } from '../ui/reason-select.tsx';
import { SettledInput } from '../ui/settled-input.tsx';
import type { LetterFilters } from './filters.ts';

interface FilterBarProps {
  readonly filters: LetterFilters;
  readonly isFiltered: boolean;
  readonly campaigns: readonly { readonly id: string; readonly name: string }[];
  onChange(part: Partial<LetterFilters>): void;
}

export function FilterBar({ filters, isFiltered, campaigns, onChange }: FilterBarProps) {
  const chosen = filters.campaign_id;
  const listed =
    campaigns.some(({ id }) => id === chosen) || !chosen ? campaigns : [{ id: chosen, name: chosen }, ...campaigns];
  const settled = useCallback((recipient: string) => onChange({ recipient }), [onChange]);
  return (
    <search
      aria-label="Dead letters"
      className="grid grid-cols-2 items-end gap-3 lg:grid-cols-[minmax(0,1.3fr)_9rem_13rem_minmax(0,1fr)_auto]"
    >
      <Field label="Campaign">
        {(ids) => (
          <Select {...ids} value={chosen} onChange={(event) => onChange({ campaign_id: event.target.value })}>
            <option value="">All campaigns</option>
            {listed.map(({ id, name }) => (
              <option key={id} value={id}>
                {`\u2068${name.slice(0, 80)}\u2069`}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Field label="State">
        {(ids) => (
          <Select {...ids} value={filters.kind} onChange={(event) => onChange({ kind: event.target.value })}>
            <option value="">Any</option>
            <option value="failed">Failed</option>
            <option value="dead">Gave up</option>
          </Select>
        )}
      </Field>
      <ReasonSelect value={filters.reason} onChange={(reason) => onChange({ reason })} />
      <SettledInput
        label="Recipient"
        placeholder="whole address"
        maxLength={2_048}
        value={filters.recipient}
        onSettled={settled}
      />
      <Button disabled={!isFiltered} onClick={() => onChange({ campaign_id: '', kind: '', reason: '', recipient: '' })}>
        Clear filters
      </Button>
    </search>
  );
}
