import { useEffect, useRef, useState } from 'react';
import { Field, Input } from './controls.tsx';

const SETTLE_MS = 400;

interface SettledInputProps {
  readonly label: string;
  readonly placeholder?: string;
  readonly maxLength: number;
  readonly value: string;
  onSettled(value: string): void;
}

/** Says what was typed when the typing pauses, keeps the focus meanwhile, and follows when it is changed elsewhere. */
export function SettledInput({ label, placeholder, maxLength, value, onSettled }: SettledInputProps) {
  const [text, setText] = useState(value);
  const told = useRef(value);
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    const next = text.trim();
    if (next === told.current) return;
    const timer = setTimeout(() => {
      told.current = next;
      onSettled(next);
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text, onSettled]);
  return (
    <Field label={label}>
      {(ids) => (
        <Input
          {...ids}
          type="search"
          spellCheck={false}
          autoComplete="off"
          maxLength={maxLength}
          placeholder={placeholder}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      )}
    </Field>
  );
}
