import { Output, type Template, TokenKind } from 'liquidjs';

/** The text, or undefined: the engine has to say. */
export type PlainTemplate = (vars: Readonly<Record<string, unknown>>) => string | undefined;

interface ParsedToken {
  readonly kind: TokenKind;
  readonly content?: string;
  readonly variable?: unknown;
  readonly props?: readonly ParsedToken[];
}
interface ParsedFilter {
  readonly name: string;
  readonly raw?: boolean;
  readonly args: readonly (ParsedToken | readonly unknown[])[];
}

/** What the engine computes instead of looking them up. */
const COMPUTED = new Set(['size', 'first', 'last']);
const LITERALS = new Set<TokenKind>([TokenKind.Quoted, TokenKind.Number]);
const ESCAPED = /[&<>"']/;

/** A text of a variable has itself for a default's outcome, as long as it is not empty and the default needs no variable. */
const isHarmless = ({ name, args }: ParsedFilter): boolean =>
  name === 'default' && args.every((arg) => 'kind' in arg && LITERALS.has(arg.kind));

/** The name of the variable that an output shows as it is. */
function nameOf(output: Output, escapes: boolean): string | undefined {
  const { initial, filters } = output.value as unknown as {
    initial: { postfix: readonly ParsedToken[] };
    filters: readonly ParsedFilter[];
  };
  // With escaping, the engine's own filter stands last, unless the output is to be raw.
  if (escapes && filters.at(-1)?.raw) return undefined;
  const own = escapes ? filters.slice(0, -1) : filters;
  const [token, ...more] = initial.postfix;
  const [name, ...path] = token?.props ?? [];
  const isName =
    more.length === 0 &&
    path.length === 0 &&
    token?.kind === TokenKind.PropertyAccess &&
    token.variable === undefined &&
    name?.kind === TokenKind.Word;
  if (!isName || typeof name.content !== 'string' || COMPUTED.has(name.content) || !own.every(isHarmless))
    return undefined;
  return name.content;
}

/**
 * A template of nothing but text and variables, as most are, put together without the engine: that takes a tenth of its time.
 * Gives what the engine gives, or undefined where that depends on more than a text or a whole number: a variable that is
 * missing or empty, a list, a character that has to be escaped, more than `maxChars`. undefined for any other template.
 */
export function plainTemplate(
  templates: readonly Template[],
  o: { readonly escapes: boolean; readonly maxChars: number },
): PlainTemplate | undefined {
  // Text and names in turn.
  const texts: string[] = [''];
  const names: string[] = [];
  for (const node of templates) {
    if (node instanceof Output) {
      const name = nameOf(node, o.escapes);
      if (name === undefined) return undefined;
      names.push(name);
      texts.push('');
    } else {
      const { str } = node as unknown as { str?: unknown };
      if ((node.token as { kind?: TokenKind }).kind !== TokenKind.HTML || typeof str !== 'string') return undefined;
      texts[texts.length - 1] += str;
    }
  }
  return (vars) => {
    let text = texts[0] as string;
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      const value = Object.hasOwn(vars, name) ? vars[name] : undefined;
      if (typeof value === 'string') {
        if (value === '' || (o.escapes && ESCAPED.test(value))) return undefined;
        text += value;
      } else if (Number.isSafeInteger(value)) text += String(value);
      else return undefined;
      if (text.length > o.maxChars) return undefined;
      text += texts[i + 1] as string;
    }
    return text;
  };
}
