import { FIRST_GENERATION, type Generation } from '../token.ts';

/**
 * What a raw table takes: `open` inserts under tokens of its generation, `closed` and `leaving` none. It is a constraint of
 * the table, so that the engine itself refuses what comes late, from whomever. And it is the place where those who exchange
 * tables keep out of each other's way: a step names the constraint that it takes away, and the engine does nothing when that
 * one is gone. So that nobody can take an old name for a new one, each has a nonce of its own.
 */
export interface Register {
  readonly state: 'open' | 'closed' | 'leaving';
  /** Never used twice. */
  readonly nonce: string;
}

/** What a table's comment says. Only raw tables have a register. */
export interface Stamp {
  readonly generation: Generation;
  readonly register?: Register;
  /** ISO time. Of tables that were live: until then a swap can be taken back. */
  readonly keptUntil?: string;
}

const COMMENT =
  /^generation ([0-9a-z]{1,32})(?:; (open|closed|leaving) ([0-9a-z_]{1,64}))?(?:; kept until ([0-9TZ:.-]{1,40}))?$/;

export const commentOf = ({ generation, register, keptUntil }: Stamp): string =>
  [
    `generation ${generation}`,
    ...(register === undefined ? [] : [`${register.state} ${register.nonce}`]),
    ...(keptUntil === undefined ? [] : [`kept until ${keptUntil}`]),
  ].join('; ');

/** undefined: there is none that is known here. */
export function stampOf(comment: string): Stamp | undefined {
  const found = COMMENT.exec(comment);
  if (found === null) return undefined;
  const [, generation, state, nonce, keptUntil] = found as unknown as [
    string,
    string,
    Register['state']?,
    string?,
    string?,
  ];
  return {
    generation,
    ...(state === undefined || nonce === undefined ? {} : { register: { state, nonce } }),
    ...(keptUntil === undefined ? {} : { keptUntil }),
  };
}

const nameOf = ({ state, nonce }: Register): string => `${state}_${nonce}`;

/** The token is a setting of the insert; its last part is the layout, and the generation where that is not the first. */
function checkOf({ generation, register }: Stamp): string {
  if (register?.state !== 'open') return '0';
  const end = generation === FIRST_GENERATION ? ':[0-9]+$' : `:[0-9]+[.]${generation}$`;
  return `match(getSetting('insert_deduplication_token'), '${end}')`;
}

/** Of a raw table with this stamp. `register` never changes: the first one to add it is the first one. */
export const constraintsOf = (stamp: Stamp & { readonly register: Register }): string[] => [
  'CONSTRAINT register CHECK 1',
  `CONSTRAINT ${nameOf(stamp.register)} CHECK ${checkOf(stamp)}`,
];

/** Every other table of a set: whoever is late to stamp one that has a stamp does nothing. */
export const STAMPED = 'CONSTRAINT stamped CHECK 1';

/** One statement that changes the register from this to that, or fails: what it takes away is not there any more. */
export function registerStatement(
  table: string,
  from: Stamp | undefined,
  to: Stamp & { readonly register: Register },
): string {
  const [first, state] = constraintsOf(to);
  const changes = [
    from?.register === undefined ? `ADD ${first}` : `DROP CONSTRAINT ${nameOf(from.register)}`,
    `ADD ${state}`,
    `MODIFY COMMENT '${commentOf(to)}'`,
  ];
  return `ALTER TABLE ${table} ${changes.join(', ')}`;
}

export const stampStatement = (table: string, generation: Generation): string =>
  `ALTER TABLE ${table} ADD ${STAMPED}, MODIFY COMMENT '${commentOf({ generation })}'`;

/** The definition of a live table, for one beside it of another generation. Constraints of ours are its own. */
export function definitionBeside(create: string, name: string, beside: string, stamp: Stamp): string | undefined {
  const head = new RegExp(`^CREATE TABLE (?:\\S+\\.)?\`?${name}\`? \\(`);
  const ours =
    /, CONSTRAINT (?:register|stamped|(?:open|closed|leaving)_[0-9a-z_]+) CHECK (?:[01]|match\(getSetting\('insert_deduplication_token'\), '[^']*'\))/g;
  const bare = create.replace(ours, '').replace(/ COMMENT '(?:[^'\\]|\\.)*'$/, '');
  const parts = bare.split(') ENGINE = ');
  if (!head.test(bare) || parts.length !== 2) return undefined;
  const { register } = stamp;
  const constraints = register === undefined ? [STAMPED] : constraintsOf({ ...stamp, register });
  const columns = (parts[0] as string).replace(head, `CREATE TABLE IF NOT EXISTS ${beside} (`);
  return `${columns}, ${constraints.join(', ')}) ENGINE = ${parts[1]} COMMENT '${commentOf(stamp)}'`;
}

/** What a view selects, from another raw table; undefined when it does not read the raw table in the one way that is known. */
export function selectBeside(select: string, raw: string, beside: string): string | undefined {
  const mentions = [...select.matchAll(new RegExp(`(?<!\\w)${raw}(?!\\w)`, 'g'))].length;
  const source = new RegExp(`\\bFROM ((?:\\S+\\.)?)\`?${raw}\`?(?![\\w.])`);
  return mentions === 1 && source.test(select) ? select.replace(source, `FROM $1${beside}`) : undefined;
}
