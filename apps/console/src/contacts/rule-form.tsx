import { useState } from 'react';
import type { ApiProblem } from '../api/client.ts';
import { Button, Field, Input } from '../ui/controls.tsx';

interface RuleFormProps {
  readonly rule: string;
  readonly problem: ApiProblem | undefined;
  onRule(rule: string): void;
}

export function RuleForm({ rule, problem, onRule }: RuleFormProps) {
  const [text, setText] = useState(rule);
  const [ofRule, setOfRule] = useState(rule);
  if (ofRule !== rule) {
    setOfRule(rule);
    setText(rule);
  }
  const wrong = problem?.problem.errors
    ?.map(({ detail, column }) => (column === undefined ? detail : `${detail} (at character ${column})`))
    .join('; ');
  return (
    <form
      aria-label="Contacts by segment"
      className="flex flex-wrap items-start gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        onRule(text.trim());
      }}
    >
      <div className="min-w-0 flex-1 basis-64">
        <Field
          label="Segment rule"
          hint="Tags with commas between: whoever has all of them. Empty: everyone."
          error={problem && (wrong || problem.message)}
        >
          {(ids) => (
            <Input
              {...ids}
              maxLength={2_000}
              spellCheck={false}
              placeholder="newsletter, vip"
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          )}
        </Field>
      </div>
      <span className="flex gap-2 sm:mt-6.5">
        <Button type="submit">Show contacts</Button>
        {rule !== '' && <Button onClick={() => onRule('')}>Show everyone</Button>}
      </span>
    </form>
  );
}
