import { type RawDay, sameDays } from './rebuild.ts';

/**
 * The statements of an SQL file: separated by semicolons that stand in no string and no comment. ClickHouse's HTTP
 * interface takes one at a time. Comments stay with the statement that follows them.
 */
export function statementsOf(sql: string): string[] {
  const token = /'(?:[^'\\]|\\[\s\S]|'')*'|`[^`]*`|"[^"]*"|--[^\n]*|\/\*[\s\S]*?\*\/|;/g;
  const statements: string[] = [];
  let start = 0;
  for (const match of sql.matchAll(token)) {
    if (match[0] !== ';') continue;
    statements.push(sql.slice(start, match.index));
    start = match.index + 1;
  }
  statements.push(sql.slice(start));
  const code = (text: string) => text.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, '').trim();
  return statements.map((s) => s.trim()).filter((s) => code(s) !== '');
}

export interface MigrationFile {
  /** NNNN_what_it_does.sql */
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
}

export type MigrationPlan =
  | { readonly ok: true; readonly pending: readonly MigrationFile[] }
  | { readonly ok: false; readonly errors: readonly string[] };

/** What is to be applied, in order of the numbers; or why nothing may be. */
export function planMigrations(files: readonly MigrationFile[], applied: readonly AppliedMigration[]): MigrationPlan {
  const errors: string[] = [];
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  sorted.forEach((file, i) => {
    if (Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(file.name)?.[1]) !== i + 1) {
      errors.push(`${file.name} is not number ${i + 1}: names are NNNN_words.sql, numbered from 0001 without a gap`);
    }
  });
  const byName = new Map(sorted.map((f) => [f.name, f]));
  for (const { name, checksum } of applied) {
    const file = byName.get(name);
    if (file === undefined)
      errors.push(`${name} was applied to this database and does not exist here: this version is older`);
    else if (file.checksum !== checksum) {
      errors.push(`${name} was applied to this database with another text: put it back and write a new migration`);
    }
  }
  if (errors.length > 0) return { ok: false, errors };
  const done = new Set(applied.map(({ name }) => name));
  return { ok: true, pending: sorted.filter(({ name }) => !done.has(name)) };
}

/** The database that migrations are applied to. Everything here may be called again after a crash. */
export interface MigrationTarget {
  /** Of ClickHouse, as it says it. */
  version(): Promise<string>;
  applied(): Promise<readonly AppliedMigration[]>;
  /** One statement. */
  run(statement: string): Promise<void>;
  record(migration: AppliedMigration): Promise<void>;
  /** Of delivery_raw, in their order. */
  rawDays(): Promise<readonly RawDay[]>;
}

/** The first that looks up times in views with FINAL by key and index; older ones read whole campaigns for a page. */
const OLDEST = [26, 3] as const;

function whyTooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `ClickHouse ${version} is too old: ${OLDEST.join('.')} is the first that looks up times in these views`;
}

/**
 * Applies what is pending. A file counts as applied after its last statement: a death before that runs all of them
 * again, so each can be repeated (IF NOT EXISTS, OR REPLACE). So it is when raw rows came meanwhile: what was filled from
 * them may lack some. `whyNot` is asked before anything is changed, of tables that may have rows (an update) or not.
 */
export async function migrate(
  target: MigrationTarget,
  files: readonly MigrationFile[],
  whyNot: (isUpdate: boolean) => Promise<string | undefined> = async () => undefined,
): Promise<
  | { readonly ok: true; readonly applied: readonly string[] }
  | { readonly ok: false; readonly errors: readonly string[] }
> {
  const tooOld = whyTooOld(await target.version());
  if (tooOld !== undefined) return { ok: false, errors: [tooOld] };
  const applied = await target.applied();
  const plan = planMigrations(files, applied);
  if (!plan.ok) return plan;
  const isUpdate = applied.length > 0;
  const why = plan.pending.length > 0 ? await whyNot(isUpdate) : undefined;
  if (why !== undefined) return { ok: false, errors: [why] };
  let before: readonly RawDay[] | undefined;
  for (const file of plan.pending) {
    before ??= await target.rawDays();
    for (const statement of statementsOf(file.sql)) await target.run(statement);
    if (!sameDays(before, await target.rawDays())) {
      // Tables of a new database are made empty, not filled.
      const then = isUpdate ? 'and run it again' : 'run it again, and src/rebuild.ts after it';
      return { ok: false, errors: [`raw rows came or went while ${file.name} was applied: stop every sink, ${then}`] };
    }
    await target.record(file);
  }
  return { ok: true, applied: plan.pending.map(({ name }) => name) };
}
