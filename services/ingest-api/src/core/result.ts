/** Expected failure is a value. `code` is one of the closed list of the API's problems. */
export type FailureCode =
  | 'not_found'
  | 'validation_failed'
  | 'not_supported'
  | 'illegal_transition'
  | 'version_mismatch'
  | 'unknown_provider'
  | 'template_invalid'
  | 'segment_invalid'
  | 'empty_audience'
  | 'idempotency_key_reused'
  | 'conflict'
  | 'log_truncated'
  | 'confirmation_needed'
  | 'busy'
  | 'unavailable';

export interface FailureDetail {
  /** JSON Pointer into the body; empty: the whole of it. */
  readonly pointer: string;
  readonly detail: string;
  /** From 1, where the error has a place in a text. */
  readonly line?: number;
  readonly column?: number;
}

export interface Failure {
  readonly code: FailureCode;
  readonly detail: string;
  readonly errors?: readonly FailureDetail[];
  /** Added to the problem as it is, such as the current status of a campaign. */
  readonly extra?: Readonly<Record<string, string | number>>;
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
export const fail = (failure: Failure): { ok: false; failure: Failure } => ({ ok: false, failure });
