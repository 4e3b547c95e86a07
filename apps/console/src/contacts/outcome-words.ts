import type { Outcome } from './upload.ts';

export interface Words {
  readonly title: string;
  readonly detail: string;
  /** The same file may go through later. */
  readonly again: boolean;
}

// An import is one transaction (services/ingest-api/src/adapters/postgres/contact-store.ts).
const NOTHING = 'Nothing of this file was imported.';
const HARMLESS =
  'An import is kept as a whole or not at all. Importing the same file again does no harm: contacts that are there already are updated, not doubled.';

/** What happened to a file that was not imported, as far as it can be known. */
export function wordsOf(outcome: Exclude<Outcome, { kind: 'done' }>): Words {
  if (outcome.kind !== 'refused') {
    const what = outcome.kind === 'lost' ? 'The connection was lost' : 'Cancelled';
    return outcome.sentAll
      ? {
          title: `${what} after the whole file had been sent`,
          detail: `Whether it was imported is not known: the API may have gone on. ${HARMLESS}`,
          again: true,
        }
      : { title: `${what} while the file was being sent`, detail: NOTHING, again: true };
  }
  const { problem, retryAfter } = outcome.problem;
  const soon = retryAfter === undefined ? '' : ` Try again in ${retryAfter} s.`;
  switch (problem.code) {
    case 'busy':
      return {
        title: 'Another import is under way',
        detail: `${NOTHING}${soon || ' Try again when it has ended.'}`,
        again: true,
      };
    case 'unauthorized':
      return {
        title: 'The API key is not accepted',
        detail: `${NOTHING} Give another key and choose the file again.`,
        again: false,
      };
    case 'unsupported_media_type':
      return { title: 'The API takes CSV and NDJSON', detail: `${NOTHING} ${problem.detail}.`, again: false };
    case 'unavailable':
      return {
        title: 'A part of Volley is not available',
        detail: `${problem.detail}.${soon} ${HARMLESS}`,
        again: true,
      };
    case 'malformed_body':
      return { title: 'The file did not arrive as a whole', detail: NOTHING, again: true };
    default: {
      const details = problem.errors?.map((each) => each.detail).join('; ');
      const is5xx = problem.status >= 500;
      return {
        title: problem.title,
        detail: `${[problem.detail, details].filter(Boolean).join(': ')}. ${is5xx ? HARMLESS : NOTHING}`,
        again: is5xx,
      };
    }
  }
}
