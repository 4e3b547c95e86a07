import { Liquid, type Template } from 'liquidjs';
import { plainTemplate } from './plain-template.ts';
import type { Reason } from './reasons.ts';

/**
 * One renderer for preview and send. Liquid without files, without prototypes, with limits on time, memory and size;
 * a variable that is missing is an error of that one message unless the template gives a default.
 */
export interface MessageTexts {
  readonly subject: string;
  readonly body: string;
}

export interface TemplateSource {
  readonly template: string;
  readonly subject?: string;
  readonly contentType?: string;
}

export interface TemplateError {
  readonly field: 'template' | 'subject';
  readonly message: string;
  /** From 1; absent where the engine does not know. */
  readonly line?: number;
  readonly column?: number;
}

export type Rendered =
  | { readonly ok: true; readonly texts: MessageTexts }
  | {
      readonly ok: false;
      readonly reason: Extract<Reason, 'missing_variable' | 'render_failed' | 'header_injection'>;
      readonly detail: string;
    };

export interface CompiledTemplate {
  render(vars: Readonly<Record<string, unknown>>): Rendered;
}

export const MAX_TEMPLATE_CHARS = 262_144;
export const MAX_RENDERED_CHARS = 1_048_576;
/**
 * Time limits of a render and of its repetition, in ms: rendering blocks its process. The engine can only look at the wall
 * clock, and a process that the machine did not let run for 50 ms looks like a template that took them: one good message
 * of a demo of 100,000 died of that. A slow template is slow both times; a pause does not strike one message twice.
 */
const RENDER_LIMITS_MS = [50, 100] as const;
/** Liquid's own unit: characters and items that a render may create. */
const MEMORY_LIMIT = 4_000_000;

const common = {
  strictFilters: true,
  ownPropertyOnly: true,
  lenientIf: true,
  // An empty mapping in place of the file system: include, render and layout find nothing.
  templates: {},
  parseLimit: MAX_TEMPLATE_CHARS,
  memoryLimit: MEMORY_LIMIT,
};
const text = new Liquid({ ...common, strictVariables: true });
const html = new Liquid({ ...common, strictVariables: true, outputEscape: 'escape' });
const lenient = new Liquid({ ...common, strictVariables: false });

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not stand in a header
const HEADER_BREAK = /[\r\n\u0000]/;

function parseError(field: 'template' | 'subject', error: unknown): TemplateError {
  const e = error as { message: string; token?: { getPosition?: () => [number, number] } };
  const position = e.token?.getPosition?.();
  // The engine adds its own position and an excerpt to the sentence; ours are fields.
  const message = (e.message.split('\n')[0] ?? '').replace(/, line:\d+, col:\d+.*$/, '').replace(/, file:.*$/, '');
  return { field, message, ...(position ? { line: position[0], column: position[1] } : {}) };
}

function withinTime<T>(render: (limits: { renderLimit: number }) => T): T {
  let failure: unknown;
  for (const renderLimit of RENDER_LIMITS_MS) {
    try {
      return render({ renderLimit });
    } catch (error) {
      if (!(error as Error).message.includes('render limit exceeded')) throw error;
      failure = error;
    }
  }
  throw failure;
}

export function compileTemplate(
  source: TemplateSource,
): { ok: true; compiled: CompiledTemplate } | { ok: false; errors: TemplateError[] } {
  const engine = source.contentType === 'text/html' ? html : text;
  const errors: TemplateError[] = [];
  const parse = (field: 'template' | 'subject', value: string): Template[] => {
    try {
      return (field === 'template' ? engine : text).parse(value);
    } catch (error) {
      errors.push(parseError(field, error));
      return [];
    }
  };
  const body = parse('template', source.template);
  const subject = source.subject ? parse('subject', source.subject) : [];
  if (errors.length > 0) return { ok: false, errors };
  const renderer = (of: Liquid, templates: Template[]) => {
    const plain = plainTemplate(templates, { escapes: of === html, maxChars: MAX_RENDERED_CHARS });
    const byEngine = (vars: Readonly<Record<string, unknown>>) =>
      String(withinTime((limits) => of.renderSync(templates, vars, limits)));
    return plain ? (vars: Readonly<Record<string, unknown>>) => plain(vars) ?? byEngine(vars) : byEngine;
  };
  const subjectOf = renderer(text, subject);
  const bodyOf = renderer(engine, body);
  return {
    ok: true,
    compiled: {
      render(vars) {
        try {
          const rendered = { subject: subjectOf(vars), body: bodyOf(vars) };
          if (HEADER_BREAK.test(rendered.subject))
            return { ok: false, reason: 'header_injection', detail: 'the subject has a line break after rendering' };
          if (rendered.body.length > MAX_RENDERED_CHARS)
            return { ok: false, reason: 'render_failed', detail: `longer than ${MAX_RENDERED_CHARS} characters` };
          return { ok: true, texts: rendered };
        } catch (error) {
          const e = error as Error;
          const detail = parseError('template', e).message;
          return {
            ok: false,
            reason: e.name === 'UndefinedVariableError' ? 'missing_variable' : 'render_failed',
            detail,
          };
        }
      },
    },
  };
}

/**
 * For saving: compiles, then renders once with no variables at all, so that a template which would loop a billion times
 * is refused while somebody looks at it and not a hundred thousand times later.
 */
export function checkTemplate(source: TemplateSource): TemplateError[] {
  const result = compileTemplate(source);
  if (!result.ok) return result.errors;
  const errors: TemplateError[] = [];
  for (const field of ['template', 'subject'] as const) {
    try {
      const parsed = lenient.parse(source[field] ?? '');
      withinTime((limits) => lenient.renderSync(parsed, {}, limits));
    } catch (error) {
      errors.push(parseError(field, error));
    }
  }
  return errors;
}

/** Variables as the template sees them: attributes first, what Volley knows of the recipient wins. */
export function templateVars(
  vars: Readonly<Record<string, unknown>>,
  recipient: string,
  tags: readonly string[],
): Record<string, unknown> {
  return { ...vars, email: recipient, to: recipient, tags };
}
