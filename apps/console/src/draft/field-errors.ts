import type { ApiProblem } from '../api/client.ts';
import { type DraftFields, errorsOf, type FieldErrors, type FieldName, NO_FIELDS } from './fields.ts';

export interface TemplateError {
  readonly line: number;
  readonly column: number;
  readonly detail: string;
}

const isField = (name: string): name is FieldName => Object.hasOwn(NO_FIELDS, name);

/** What is wrong with which field: what the page sees itself, and what the API said of what was last sent to it. */
export function fieldErrors(fields: DraftFields, problem: ApiProblem | undefined): FieldErrors {
  const errors: FieldErrors = {};
  for (const { pointer, detail, column } of problem?.problem.errors ?? []) {
    const name = pointer.slice(1);
    if (!isField(name) || errors[name]) continue;
    errors[name] = name === 'segment_rule' && column !== undefined ? `${detail} (character ${column})` : detail;
  }
  return { ...errors, ...errorsOf(fields) };
}

/** Where the template does not compile. */
export function templateError(problem: ApiProblem | undefined): TemplateError | undefined {
  const found = problem?.problem.errors?.find(({ pointer }) => pointer === '/template');
  return found?.line === undefined ? undefined : { line: found.line, column: found.column ?? 1, detail: found.detail };
}
