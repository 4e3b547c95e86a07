import { REASONS } from '@volley/contract/reasons';

const MEANINGS: Readonly<Record<string, string>> = REASONS;

export const REASON_CODES: readonly string[] = Object.keys(REASONS);
export const meaningOf = (code: string): string | undefined => MEANINGS[code];

/** `recipient_refused` as people say it; a code that is not known stays as it is. */
export function labelOfReason(code: string): string {
  if (!(code in MEANINGS)) return code.slice(0, 64);
  const words = code.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** With what it means, in a second line or on hover. */
export const Reason = ({ code, long = false }: { code: string; long?: boolean }) => (
  <span title={long ? code : meaningOf(code)}>
    <bdi>{labelOfReason(code)}</bdi>
    {long && meaningOf(code) && <span className="block text-sm font-normal text-soft">{meaningOf(code)}</span>}
  </span>
);
