import { REASONS } from '../packages/contract/src/reasons.ts';

/** packages/contract/src/reasons.ts -> docs/reasons.md. */
export function generateReasonsPage(): string {
  return [
    '# Reasons',
    '',
    'Reference. Generated from `packages/contract/src/reasons.ts` by `npm run gen`; do not edit.',
    '',
    'Why a message was deferred, failed, died, expired or was cancelled: `reason` of a delivery event, of a message in the',
    'API and of `failure_reasons` in ClickHouse, and the header `volley-reason` of a dead letter. The list is closed; the',
    "`detail` beside a reason is the provider's answer, or the engine's sentence, on one line of at most 256 characters.",
    '',
    '| Reason | Meaning |',
    '| --- | --- |',
    ...Object.entries(REASONS).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |`),
    '',
  ].join('\n');
}
