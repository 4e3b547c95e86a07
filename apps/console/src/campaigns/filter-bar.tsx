import { useEffect, useRef, useState } from 'react';
import { STATUSES } from '../states.ts';
import { Button, Field, Input, Select } from '../ui/controls.tsx';
import { CHANNEL_LABELS } from './channels.ts';
import type { CampaignFilters, FilterName } from './list-address.ts';

const TYPING_MS = 300;

interface FilterBarProps {
  readonly filters: CampaignFilters;
  readonly isFiltered: boolean;
  onChange(name: FilterName, value: string): void;
  onClear(): void;
}

export function FilterBar({ filters, isFiltered, onChange, onClear }: FilterBarProps) {
  return (
    <search className="flex flex-wrap items-end gap-3">
      <div className="min-w-48 flex-1 max-sm:basis-full">
        <NameFilter value={filters.name} onChange={(value) => onChange('name', value)} />
      </div>
      <div className="w-44 max-sm:flex-1">
        <Field label="Status">
          {(ids) => (
            <Select {...ids} value={filters.status} onChange={(event) => onChange('status', event.target.value)}>
              <option value="">Any status</option>
              {Object.entries(STATUSES).map(([name, { label }]) => (
                <option key={name} value={name}>
                  {label}
                </option>
              ))}
            </Select>
          )}
        </Field>
      </div>
      <div className="w-40 max-sm:flex-1">
        <Field label="Channel">
          {(ids) => (
            <Select {...ids} value={filters.channel} onChange={(event) => onChange('channel', event.target.value)}>
              <option value="">Any channel</option>
              {Object.entries(CHANNEL_LABELS).map(([name, label]) => (
                <option key={name} value={name}>
                  {label}
                </option>
              ))}
            </Select>
          )}
        </Field>
      </div>
      <Button kind="quiet" onClick={onClear} disabled={!isFiltered} className={isFiltered ? '' : 'max-sm:hidden'}>
        Clear filters
      </Button>
    </search>
  );
}

/** Goes into the address when the typing rests; takes over what the address says when that changes by itself. */
function NameFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  const told = useRef(value);
  const change = useRef(onChange);
  change.current = onChange;
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    if (text === told.current) return;
    const timer = setTimeout(() => {
      told.current = text;
      change.current(text);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <Field label="Name contains">
      {(ids) => (
        <Input
          {...ids}
          type="search"
          maxLength={200}
          value={text}
          placeholder="Any name"
          onChange={(event) => setText(event.target.value)}
        />
      )}
    </Field>
  );
}
