import { Field, Select } from './controls.tsx';
import { labelOfReason, REASON_CODES } from './reason.tsx';

/** Any of the reasons there are, and the one that the address names, whatever it is. */
export function ReasonSelect({ value, onChange }: { value: string; onChange(reason: string): void }) {
  return (
    <Field label="Reason">
      {(ids) => (
        <Select {...ids} value={value} onChange={(event) => onChange(event.target.value)}>
          <option value="">Any</option>
          {[...new Set([...REASON_CODES, ...(value ? [value] : [])])].map((code) => (
            <option key={code} value={code}>
              {labelOfReason(code)}
            </option>
          ))}
        </Select>
      )}
    </Field>
  );
}
