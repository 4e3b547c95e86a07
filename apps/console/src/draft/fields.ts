import type { CampaignCreate, CampaignView } from '../api/types.ts';

/** A draft as it stands in the form: text as it was typed, also where it is not a number yet. */
export interface DraftFields {
  readonly name: string;
  readonly channel: CampaignView['channel'];
  readonly provider: string;
  readonly subject: string;
  readonly from: string;
  readonly reply_to: string;
  readonly content_type: CampaignView['content_type'];
  readonly template: string;
  readonly segment_rule: string;
  readonly rate_per_second: string;
  readonly max_attempts: string;
  /** Local time, as `<input type="datetime-local">` has it. */
  readonly expires_at: string;
}
export type FieldName = keyof DraftFields;
export type DraftBody = Pick<CampaignCreate, FieldName>;
export type FieldErrors = Partial<Record<FieldName, string>>;

export const NO_FIELDS: DraftFields = {
  name: '',
  channel: 'simulated',
  provider: '',
  subject: '',
  from: '',
  reply_to: '',
  content_type: 'text/plain',
  template: '',
  segment_rule: '',
  rate_per_second: '',
  max_attempts: '',
  expires_at: '',
};

/** `2026-11-22T14:05`, in the zone of the reader. */
function localOf(iso: string | null): string {
  if (iso === null) return '';
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
export const isoOfLocal = (local: string): string | null => {
  const at = Date.parse(local);
  return local === '' || Number.isNaN(at) ? null : new Date(at).toISOString();
};

const textOf = (value: number | null) => (value === null ? '' : String(value));

export const fieldsOf = (campaign: CampaignView): DraftFields => ({
  name: campaign.name,
  channel: campaign.channel,
  provider: campaign.provider,
  subject: campaign.subject,
  from: campaign.from,
  reply_to: campaign.reply_to,
  content_type: campaign.content_type,
  template: campaign.template,
  segment_rule: campaign.segment_rule,
  rate_per_second: textOf(campaign.rate_per_second),
  max_attempts: textOf(campaign.max_attempts),
  expires_at: localOf(campaign.expires_at),
});

const numberOf = (text: string): number | null => (text.trim() === '' ? null : Number(text));

/** As the API takes it. What is no number is told beside it and goes as nothing. */
export function bodyOf(fields: DraftFields): DraftBody {
  const number = (text: string) => (Number.isFinite(Number(text)) ? numberOf(text) : null);
  return {
    ...fields,
    rate_per_second: number(fields.rate_per_second),
    max_attempts: number(fields.max_attempts),
    expires_at: isoOfLocal(fields.expires_at),
  };
}

/** What can be told before the API is asked. */
export function errorsOf(fields: DraftFields): FieldErrors {
  const errors: FieldErrors = {};
  const rate = numberOf(fields.rate_per_second);
  if (rate !== null && !(rate > 0 && rate <= 1_000_000)) errors.rate_per_second = 'A number above 0, up to 1,000,000.';
  const attempts = numberOf(fields.max_attempts);
  if (attempts !== null && !(Number.isInteger(attempts) && attempts >= 1 && attempts <= 100))
    errors.max_attempts = 'A whole number from 1 to 100.';
  return errors;
}

/** What differs from what is saved. */
export function changesOf(now: DraftBody, saved: DraftBody): Partial<DraftBody> {
  const names = Object.keys(now) as FieldName[];
  return Object.fromEntries(names.filter((name) => now[name] !== saved[name]).map((name) => [name, now[name]]));
}

/** A draft can be kept once it has these. */
export const canBeKept = ({ name, template }: DraftFields): boolean => name.trim() !== '' && template.trim() !== '';
