import { useEffect, useState } from 'react';
import type { StatsView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { STATES } from '../states.ts';
import { Button, Field, Input, Select } from '../ui/controls.tsx';
import { labelOfReason, REASON_CODES } from '../ui/reason.tsx';
import type { MessageFilters as Filters } from './use-message-list.ts';

const SETTLE_MS = 400;

interface MessageFiltersProps {
  readonly filters: Filters;
  readonly stats: StatsView | undefined;
  onChange(change: Partial<Filters>): void;
}

export function MessageFilters({ filters, stats, onChange }: MessageFiltersProps) {
  const isFiltered = Object.values(filters).some((value) => value !== '');
  return (
    <search aria-label="Messages" className="grid items-end gap-3 sm:grid-cols-[12rem_minmax(0,1fr)_14rem_auto]">
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
      <RecipientFilter key={filters.recipient} recipient={filters.recipient} onChange={onChange} />
      <Field label="Reason">
        {(ids) => (
          <Select {...ids} value={filters.reason} onChange={(event) => onChange({ reason: event.target.value })}>
            <option value="">Any</option>
            {[...new Set([...REASON_CODES, ...(filters.reason ? [filters.reason] : [])])].map((code) => (
              <option key={code} value={code}>
                {labelOfReason(code)}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Button disabled={!isFiltered} onClick={() => onChange({ status: '', recipient: '', reason: '' })}>
        Clear filters
      </Button>
    </search>
  );
}

/** Asked for when the typing pauses. */
function RecipientFilter({ recipient, onChange }: { recipient: string; onChange: MessageFiltersProps['onChange'] }) {
  const [text, setText] = useState(recipient);
  useEffect(() => {
    if (text.trim() === recipient) return;
    const timer = setTimeout(() => onChange({ recipient: text.trim() }), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text, recipient, onChange]);
  return (
    <Field label="Recipient">
      {(ids) => (
        <Input
          {...ids}
          type="search"
          spellCheck={false}
          autoComplete="off"
          maxLength={2_000}
          placeholder="whole address"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      )}
    </Field>
  );
}
