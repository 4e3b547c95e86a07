import { ApiProblem, Unreachable } from '../api/client.ts';

export type Saving =
  /** Nothing to keep yet: it wants a name and a message. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'changed' }
  | { readonly kind: 'saving' }
  | { readonly kind: 'saved' }
  /** Refused until something is changed. */
  | { readonly kind: 'refused'; readonly error: Error }
  /** Could not be asked, or wants a key first; it is tried again. */
  | { readonly kind: 'away'; readonly error: Error }
  /** Somebody else has saved it meanwhile. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'not_draft' }
  | { readonly kind: 'gone' };

const PASSING = new Set(['busy', 'conflict', 'unauthorized']);

/** What an error means for the draft. */
export function savingAfter(error: unknown): Saving {
  if (!(error instanceof ApiProblem))
    return { kind: 'away', error: error instanceof Error ? error : new Unreachable(String(error)) };
  if (error.status >= 500 || PASSING.has(error.code)) return { kind: 'away', error };
  if (error.code === 'version_mismatch') return { kind: 'conflict' };
  if (error.code === 'illegal_transition') return { kind: 'not_draft' };
  if (error.code === 'not_found') return { kind: 'gone' };
  return { kind: 'refused', error };
}

/** As long as the answer asks for, where it asks for longer. */
export const waitAfter = (error: Error, ms: number): number =>
  Math.max(ms, error instanceof ApiProblem ? (error.retryAfter ?? 0) * 1_000 : 0);

/** Nothing is saved any more before a person has chosen. */
export const isHalted = ({ kind }: Saving): boolean => kind === 'conflict' || kind === 'not_draft' || kind === 'gone';
