import { HttpProblem } from './problem.ts';

/** What Postgres takes for an id: anything else must not get there, it would be an error of ours. */
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Opaque to clients: what it continues is checked, so that a cursor of another list is refused and not misread. */
export const encodeCursor = (list: string, after: string): string =>
  Buffer.from(`${list}:${after}`).toString('base64url');

export function decodeCursor(list: string, cursor: string | undefined, form: RegExp): string | undefined {
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const after = text.startsWith(`${list}:`) ? text.slice(list.length + 1) : '';
  if (!form.test(after) || encodeCursor(list, after) !== cursor) {
    throw new HttpProblem('validation_failed', 'the cursor is not one of this list', {
      errors: [{ pointer: '?cursor', detail: 'not a next_cursor of this list' }],
    });
  }
  return after;
}
