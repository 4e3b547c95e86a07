import { Link } from 'react-router';
import type { PreviewView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { buttonClass, Field, Input } from '../ui/controls.tsx';
import { Card } from '../ui/parts.tsx';
import type { FormPart } from './form-part.ts';
import { useSomeContacts } from './use-some-contacts.ts';

const MAX_TAGS = 12;

const tagsOf = (rule: string): string[] =>
  rule
    .split(',')
    .map((tag) => tag.trim())
    .filter(Boolean);

interface AudiencePartProps extends FormPart {
  readonly preview: PreviewView | undefined;
}

export function AudiencePart({ fields, errors, change, preview }: AudiencePartProps) {
  const contacts = useSomeContacts();
  const known = [...new Set(contacts?.flatMap(({ tags }) => tags))].slice(0, MAX_TAGS);
  const chosen = tagsOf(fields.segment_rule);
  const hasNobody = preview ? preview.total === 0 : contacts?.length === 0;
  const toggle = (tag: string) =>
    change({
      segment_rule: (chosen.includes(tag) ? chosen.filter((each) => each !== tag) : [...chosen, tag]).join(','),
    });
  return (
    <Card title="Audience" aside={<AudienceCount preview={preview} />}>
      <div className="flex flex-col gap-3">
        <Field
          label="Segment rule"
          error={errors.segment_rule}
          hint="Tags, separated by commas: who has all of them gets it. Empty: everyone."
        >
          {(ids) => (
            <Input
              {...ids}
              autoComplete="off"
              spellCheck={false}
              maxLength={2_000}
              value={fields.segment_rule}
              placeholder="Everyone"
              onChange={(event) => change({ segment_rule: event.target.value })}
            />
          )}
        </Field>
        {known.length > 0 && (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields
          <div role="group" aria-label="Tags of your contacts" className="flex flex-wrap items-center gap-1.5">
            <span className="text-sm text-soft">Tags seen:</span>
            {known.map((tag) => (
              <button
                key={tag}
                type="button"
                aria-pressed={chosen.includes(tag)}
                onClick={() => toggle(tag)}
                className="max-w-48 truncate rounded-full border border-line px-2.5 py-0.5 text-sm hover:bg-raised aria-pressed:border-accent aria-pressed:bg-accent aria-pressed:text-accent-ink"
              >
                <bdi>{tag}</bdi>
              </button>
            ))}
          </div>
        )}
        {hasNobody && (
          <div role="status" className="rounded-md border border-warn px-3 py-2">
            <p className="font-medium text-warn">
              {contacts?.length === 0 ? 'There are no contacts yet.' : 'Nobody fits this rule.'}
            </p>
            <p className="mt-1 text-sm text-soft">
              {contacts?.length === 0
                ? `Bring a list of them first${preview ? ', and come back: the draft stays' : ''}.`
                : 'Change the rule, or import contacts with these tags.'}
            </p>
            <Link to="/contacts" className={`${buttonClass()} mt-2`}>
              Import contacts
            </Link>
          </div>
        )}
      </div>
    </Card>
  );
}

/** Keeps its place while it is not known. */
const AudienceCount = ({ preview }: { preview: PreviewView | undefined }) => (
  <span role="status" className="num">
    {preview ? (
      <>
        <strong className="text-ink">{formatCount(preview.total)}</strong>{' '}
        {preview.total === 1 ? 'recipient' : 'recipients'}
        {preview.explanation && (
          <>
            {': '}
            <bdi className="wrap-anywhere">{preview.explanation}</bdi>
          </>
        )}
      </>
    ) : (
      'Counted once it is saved'
    )}
  </span>
);
