/** What the front has to know of a statement; the engine parses it. */
export interface Statement {
  /** The engine's command line tries what is no SQL as a command of its own: `\i FILE` runs a file, `??` asks a model. */
  isSql: boolean;
  kind: 'insert' | 'read' | 'write' | 'kill';
  /** An INSERT whose rows come with the request, and not out of a SELECT. */
  carriesRows: boolean;
  /** A question for what runs. It, as KILL, has to be answered when all places are taken. */
  asksProcesses: boolean;
  /** What was there at its begin may not be what is there at its end: tables are made, changed, swapped, emptied. */
  changesTables: boolean;
  /** The FORMAT named in the text, if there is one. */
  format: string | undefined;
  /** For an INSERT with data in its own text: where the data begins, in characters. */
  dataStart: number | undefined;
  /** One SELECT only: nothing in it is evaluated while the statement is still being planned. */
  plainSelect: boolean;
  /** Text that reaches out of the database by syntax, which no grant covers. */
  forbidden: string | undefined;
  /** A second statement follows the first. */
  several: boolean;
  /** What the server can do and this cannot. */
  unsupported: string | undefined;
}

/** Comments, strings and quoted names: what is inside them is not syntax. */
const opaque =
  /--[^\n]*|#[! ][^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^'\\]|\\[\s\S]|'')*'?|"(?:[^"\\]|\\[\s\S]|"")*"?|`(?:[^`\\]|\\[\s\S]|``)*`?|\$(\w*)\$[\s\S]*?\$\1\$|‘[^’]*’?|“[^”]*”?/g;
const sql =
  /^[\s(]*(?:SELECT|WITH|FROM|INSERT|CREATE|ATTACH|ALTER|DROP|UNDROP|DETACH|RENAME|EXCHANGE|TRUNCATE|OPTIMIZE|SYSTEM|SET|USE|SHOW|DESCRIBE|DESC|EXPLAIN|EXISTS|CHECK|KILL|GRANT|REVOKE|DELETE|UPDATE|REPLACE|BACKUP|RESTORE|BEGIN|START|COMMIT|ROLLBACK|MOVE|EXECUTE)\b/i;
const readers = /^[\s(]*(?:SELECT|WITH|SHOW|DESCRIBE|DESC|EXPLAIN|EXISTS|FROM|CHECK)\b/i;
/** `WITH … INSERT INTO …` writes. */
const writes = /\bINSERT\s+INTO\b/i;
/** The engine cannot stream a plan. */
const explains = /^[\s(]*EXPLAIN\b/i;
/** Of what is no question, these leave every table what it is. */
const keepsTables = /^\s*(?:OPTIMIZE|SYSTEM|SET|USE|KILL|WITH)\b/i;
/** These make no database, however they begin: `database` and `engine` in them are columns, as of system.tables. */
const questions = /^[\s(]*(?:SELECT|WITH|FROM|INSERT)\b/i;
/** An INSERT's head is short; what follows it can be hundreds of megabytes. */
const insertHeadChars = 64 * 1024;

export function readStatement(text: string): Statement {
  const head = text.length > insertHeadChars ? text.slice(0, insertHeadChars) : text;
  const headBones = skeleton(head);
  if (/^\s*INSERT\b/i.test(headBones)) return readInsert(text, head, headBones);
  const bones = text.length > insertHeadChars ? skeleton(text) : headBones;
  const reads = readers.test(bones) && (explains.test(bones) || !writes.test(bones));
  const kind = /^\s*KILL\b/i.test(bones) ? 'kill' : reads ? 'read' : 'write';
  const plainSelect = kind === 'read' && !explains.test(bones) && count(bones, /\bSELECT\b/gi) === 1;
  return {
    isSql: sql.test(bones),
    kind,
    carriesRows: false,
    asksProcesses: plainSelect && asksProcesses(bones),
    changesTables: kind === 'write' && !keepsTables.test(bones),
    format: /\bFORMAT\s+(\w+)(?:\s+SETTINGS\b[^;]*)?\s*;?\s*$/i.exec(bones)?.[1],
    dataStart: undefined,
    plainSelect,
    forbidden: forbiddenSyntax(text),
    several: /;\s*\S/.test(bones),
    unsupported: insertsData(bones) ? 'An INSERT with data that does not begin with INSERT' : undefined,
  };
}

function readInsert(text: string, head: string, headBones: string): Statement {
  const data = dataClause(headBones);
  const ownText = data !== undefined ? head.slice(0, data.at) : text;
  const bones = data !== undefined ? headBones.slice(0, data.at) : text === head ? headBones : skeleton(text);
  return {
    isSql: true,
    kind: 'insert',
    carriesRows: data !== undefined || !selects.test(bones),
    asksProcesses: false,
    changesTables: false,
    format: data?.format,
    dataStart: data === undefined ? undefined : data.end + (dataGap.exec(head.slice(data.end))?.[0].length ?? 0),
    plainSelect: false,
    forbidden: forbiddenSyntax(ownText),
    several: data === undefined && /;\s*\S/.test(bones),
    // The engine would take it, insert nothing, and say that all is well.
    unsupported: data === undefined && /\binput\s*\(/i.test(bones) ? 'input() as the source of an INSERT' : undefined,
  };
}

const selects = /\b(?:SELECT|WITH)\b/i;
/** What follows INTO or a dot is a name, whatever it is called. */
const clauses = /(?<!\b(?:INTO|TABLE|FUNCTION)\s+|\.\s*)\b(?:FORMAT\s+(?!VALUES\b)(\w+)|(?:FORMAT\s+)?VALUES\b)/i;
const settingsClause = /(?<!\b(?:INTO|TABLE|FUNCTION)\s+|\.\s*)\bSETTINGS\b/i;
/** Between the clause and the data, as the engine skips it. */
const dataGap = /^[ \t]*;?(?:\r?\n|[ \t])?/;

/** Where an INSERT names the format of its data; undefined where its rows come out of a SELECT. */
function dataClause(bones: string): { at: number; end: number; format: string | undefined } | undefined {
  const clause = clauses.exec(outerText(bones));
  if (clause === null) return undefined;
  const select = selects.exec(bones);
  if (select !== null && select.index < clause.index) return undefined;
  return { at: clause.index, end: clause.index + clause[0].length, format: clause[1] };
}

/** `WITH … INSERT …` and `EXPLAIN … INSERT …`: with data, the engine would run what follows the data as a statement. */
function insertsData(bones: string): boolean {
  const insert = writes.exec(bones);
  return insert !== null && dataClause(bones.slice(insert.index)) !== undefined;
}

/** The same INSERT with its data in a file. Without its format, VALUES is meant. */
export function insertFromFile(insert: string, file: string): string {
  const bones = skeleton(insert);
  const { at, format = 'Values' } = dataClause(bones) ?? { at: insert.length };
  const settingsAt = settingsClause.exec(outerText(bones.slice(0, at)))?.index ?? at;
  return `${insert.slice(0, settingsAt)} FROM INFILE ${quoteText(file)} ${insert.slice(settingsAt, at)} FORMAT ${format}`;
}

/** The same text at the same length, with everything blank that is not syntax. */
export function skeleton(text: string): string {
  return text.replace(opaque, (match) => ' '.repeat(match.length));
}

/** Of a skeleton, at the same length: what stands outside of brackets. */
function outerText(bones: string): string {
  let depth = 0;
  return bones.replace(/[()]|[^()]+/g, (part) => {
    if (part === '(') return depth++ === 0 ? '(' : ' ';
    if (part === ')') {
      depth = Math.max(0, depth - 1);
      return ' ';
    }
    return depth === 0 ? part : ' '.repeat(part.length);
  });
}

const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0;

/** Of that table alone and without a join: what else is asked along with it waits for its place like any question. */
function asksProcesses(bones: string): boolean {
  if (count(bones, /\bFROM\b/gi) !== 1 || /\bJOIN\b|\barrayJoin\b/i.test(bones)) return false;
  const next = '(?:WHERE|PREWHERE|GROUP|HAVING|ORDER|LIMIT|SETTINGS|FORMAT)';
  const alias = `(?:(?:AS\\s+)?(?!${next}\\b)\\w+\\s*)?`;
  return new RegExp(`\\bFROM\\s+system\\s*\\.\\s*processes\\b\\s*${alias}(?:$|;|${next}\\b)`, 'i').test(bones);
}

/** What reaches outside of the database without needing a grant on a source; all else the engine's access control refuses. */
const outside = [
  /\b(INTO\s+OUTFILE|FROM\s+INFILE)\b/i,
  /\b(file|executable)\s*\(/i,
  // The function has this one spelling, and other functions take it by its name: `arrayMap(file, […])`, `* APPLY file`.
  /\b(file)\b/,
  // A file that describes a format.
  /\b(format_template_row|format_template_resultset|format_schema)\b/i,
  /\bSOURCE\s*\(\s*(?!CLICKHOUSE\b|NULL\b)(\w+)/i,
  /\bSOURCE\s*\(\s*CLICKHOUSE\s*\([^)]*\b(HOST)\b/i,
];
const databaseEngine = /\bDATABASE\b.*\bENGINE\s*=?\s*(?!Atomic\b|Memory\b|Lazy\b)(\w+)/is;

export function forbiddenSyntax(text: string): string | undefined {
  const words = withNames(text);
  for (const pattern of questions.test(words) ? outside : [...outside, databaseEngine]) {
    const match = pattern.exec(words);
    if (match !== null) return match[1]?.toUpperCase().replace(/\s+/g, ' ');
  }
  return undefined;
}

/** A skeleton with quoted names in it, as the engine reads them: \`file\`(…) is file(…). */
function withNames(text: string): string {
  return text.replace(opaque, (match) => {
    if (!/^["`“]/.test(match)) return ' '.repeat(match.length);
    return match
      .slice(1, -1)
      .replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/\\(.)/g, '$1');
  });
}

export function quoteText(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

export function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
