import { CHANNEL_LABELS, CHANNELS, type Channel } from '../campaigns/channels.ts';
import { formatRate } from '../format.ts';
import { Field, Input, Select } from '../ui/controls.tsx';
import { Card } from '../ui/parts.tsx';
import type { FormPart } from './form-part.ts';
import { SIMULATED_NOTE } from './simulated-note.ts';
import type { ProviderView } from './use-providers.ts';

/** An option takes text only: no element that could keep a name's direction to itself. */
const isolated = (name: string) => `\u2068${name.slice(0, 80)}\u2069`;

interface CampaignPartProps extends FormPart {
  /** Undefined while they are not known: then there is no choice of one. */
  readonly providers: readonly ProviderView[] | undefined;
  readonly isNew: boolean;
}

export function CampaignPart({ fields, errors, change, providers, isNew }: CampaignPartProps) {
  const ofChannel = providers?.filter(({ channel }) => channel === fields.channel) ?? [];
  return (
    <Card title="Campaign">
      <div className="flex flex-col gap-4">
        <Field label="Name" error={errors.name} hint="For you and your colleagues; recipients do not see it.">
          {(ids) => (
            <Input
              {...ids}
              autoFocus={isNew}
              autoComplete="off"
              maxLength={200}
              value={fields.name}
              placeholder="Autumn sale"
              onChange={(event) => change({ name: event.target.value })}
            />
          )}
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label="Channel"
            error={errors.channel}
            hint={fields.channel === 'simulated' ? SIMULATED_NOTE : undefined}
          >
            {(ids) => (
              <Select
                {...ids}
                value={fields.channel}
                // A provider belongs to one channel.
                onChange={(event) => change({ channel: event.target.value as Channel, provider: '' })}
              >
                {CHANNELS.map((channel) => (
                  <Choice key={channel} channel={channel} providers={providers} isChosen={channel === fields.channel} />
                ))}
              </Select>
            )}
          </Field>
          {ofChannel.length > 0 && (
            <Field label="Provider" error={errors.provider}>
              {(ids) => (
                <Select
                  {...ids}
                  value={fields.provider || (ofChannel.find((each) => each.is_default)?.name ?? '')}
                  onChange={(event) => change({ provider: event.target.value })}
                >
                  {ofChannel.map((each) => (
                    <option key={each.name} value={each.name}>
                      {isolated(each.name)}
                      {each.rate_per_second !== null && ` · at most ${formatRate(each.rate_per_second)}/s`}
                      {each.is_default && ' (default)'}
                    </option>
                  ))}
                  {fields.provider && !ofChannel.some(({ name }) => name === fields.provider) && (
                    <option value={fields.provider}>{isolated(fields.provider)} (not configured)</option>
                  )}
                </Select>
              )}
            </Field>
          )}
        </div>
      </div>
    </Card>
  );
}

interface ChoiceProps {
  readonly channel: Channel;
  readonly providers: readonly ProviderView[] | undefined;
  readonly isChosen: boolean;
}

/** A channel that nothing could deliver can be seen, and not be chosen. */
function Choice({ channel, providers, isChosen }: ChoiceProps) {
  const isMissing = providers !== undefined && !providers.some((each) => each.channel === channel);
  return (
    <option value={channel} disabled={isMissing && !isChosen}>
      {CHANNEL_LABELS[channel]}
      {isMissing && ' – no provider configured'}
    </option>
  );
}
