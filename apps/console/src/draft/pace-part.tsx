import { formatCount, formatDuration, formatRate, formatUtc } from '../format.ts';
import { useNow } from '../live/use-now.ts';
import { Field, Input } from '../ui/controls.tsx';
import { Card } from '../ui/parts.tsx';
import { isoOfLocal } from './fields.ts';
import type { FormPart } from './form-part.ts';
import type { ProviderView } from './use-providers.ts';

interface PacePartProps extends FormPart {
  readonly total: number | undefined;
  readonly provider: ProviderView | undefined;
}

export function PacePart({ fields, errors, change, total, provider }: PacePartProps) {
  const own = Number(fields.rate_per_second);
  const limits = [own, provider?.rate_per_second ?? 0].filter((rate) => rate > 0);
  const rate = limits.length > 0 ? Math.min(...limits) : undefined;
  return (
    <Card title="Delivery">
      <div className="flex flex-col gap-4">
        <div className="max-w-60">
          <Field
            label="Messages per second, at most"
            error={errors.rate_per_second}
            hint={<Pace rate={rate} total={total} />}
          >
            {(ids) => (
              <Input
                {...ids}
                inputMode="decimal"
                autoComplete="off"
                value={fields.rate_per_second}
                placeholder="As fast as possible"
                onChange={(event) => change({ rate_per_second: event.target.value })}
              />
            )}
          </Field>
        </div>
        <details open={fields.expires_at !== '' || fields.max_attempts !== '' || undefined}>
          <summary className="text-sm font-medium text-accent">More</summary>
          <div className="mt-3 grid gap-4 sm:grid-cols-2">
            <Deadline fields={fields} errors={errors} change={change} />
            <Field
              label="Attempts, at most"
              error={errors.max_attempts}
              hint="How often a message is tried before Volley gives it up."
            >
              {(ids) => (
                <Input
                  {...ids}
                  inputMode="numeric"
                  autoComplete="off"
                  value={fields.max_attempts}
                  placeholder="Default"
                  onChange={(event) => change({ max_attempts: event.target.value })}
                />
              )}
            </Field>
          </div>
        </details>
      </div>
    </Card>
  );
}

/** Computed from the count and the limit: it can only take longer. */
function Pace({ rate, total }: { rate: number | undefined; total: number | undefined }) {
  if (rate === undefined) return 'Empty: as fast as the provider takes them.';
  if (!total) return `At most ${formatRate(rate)} a second.`;
  return `${formatCount(total)} at ${formatRate(rate)}/s take at least ${formatDuration(Math.ceil(total / rate) * 1_000)}.`;
}

function Deadline({ fields, errors, change }: FormPart) {
  const iso = isoOfLocal(fields.expires_at);
  const isPast = useNow() > (iso === null ? Number.POSITIVE_INFINITY : Date.parse(iso));
  return (
    <Field
      label="Deadline"
      error={errors.expires_at ?? (isPast ? 'This has passed: every message would end as expired.' : undefined)}
      hint={iso === null ? 'What is not sent by then expires.' : formatUtc(iso)}
    >
      {(ids) => (
        <Input
          {...ids}
          type="datetime-local"
          value={fields.expires_at}
          onChange={(event) => change({ expires_at: event.target.value })}
        />
      )}
    </Field>
  );
}
