import type { DraftFields, FieldErrors } from './fields.ts';

/** What each part of the form gets. */
export interface FormPart {
  readonly fields: DraftFields;
  readonly errors: FieldErrors;
  change(part: Partial<DraftFields>): void;
}
