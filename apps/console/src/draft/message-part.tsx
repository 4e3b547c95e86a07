import { Field, Input, Select } from '../ui/controls.tsx';
import { Card } from '../ui/parts.tsx';
import type { TemplateError } from './field-errors.ts';
import type { DraftFields } from './fields.ts';
import type { FormPart } from './form-part.ts';
import { TemplateEditor } from './template-editor.tsx';
import type { ProviderView } from './use-providers.ts';

interface MessagePartProps extends FormPart {
  readonly at: TemplateError | undefined;
  readonly provider: ProviderView | undefined;
}

export function MessagePart({ fields, errors, change, at, provider }: MessagePartProps) {
  return (
    <Card title="Message">
      <div className="flex flex-col gap-4">
        {fields.channel === 'smtp' && <MailHead fields={fields} errors={errors} change={change} provider={provider} />}
        <TemplateEditor
          value={fields.template}
          error={errors.template}
          at={at}
          onChange={(template) => change({ template })}
        />
        <div className="max-w-60">
          <Field
            label="Format"
            error={errors.content_type}
            hint={fields.content_type === 'text/html' ? 'Values of recipients are escaped.' : undefined}
          >
            {(ids) => (
              <Select
                {...ids}
                value={fields.content_type}
                onChange={(event) => change({ content_type: event.target.value as DraftFields['content_type'] })}
              >
                <option value="text/plain">Plain text</option>
                <option value="text/html">HTML</option>
              </Select>
            )}
          </Field>
        </div>
      </div>
    </Card>
  );
}

function MailHead({ fields, errors, change, provider }: FormPart & { provider: ProviderView | undefined }) {
  return (
    <>
      <Field label="Subject" error={errors.subject} hint="Takes {{name}} as well.">
        {(ids) => (
          <Input
            {...ids}
            maxLength={998}
            value={fields.subject}
            onChange={(event) => change({ subject: event.target.value })}
          />
        )}
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="From" error={errors.from}>
          {(ids) => (
            <Input
              {...ids}
              maxLength={320}
              value={fields.from}
              placeholder={provider?.from ?? 'Shop <hello@shop.example>'}
              onChange={(event) => change({ from: event.target.value })}
            />
          )}
        </Field>
        <Field label="Reply to" error={errors.reply_to}>
          {(ids) => (
            <Input
              {...ids}
              maxLength={320}
              value={fields.reply_to}
              placeholder="As from"
              onChange={(event) => change({ reply_to: event.target.value })}
            />
          )}
        </Field>
      </div>
    </>
  );
}
