import { readFileSync } from 'node:fs';

/** One setting: what the table in a service's config.ts holds, and what `.env.example` and the docs are generated from. */
export interface Setting<T> {
  readonly env: string;
  readonly type: 'string' | 'int' | 'number' | 'bool' | 'list' | 'url';
  /** Unit of a number: ms, bytes, records, per second. */
  readonly unit?: string;
  /** Absent: the setting must be given. */
  readonly default?: T;
  readonly meaning: string;
  /** Never printed; may also be given as `${env}_FILE`. */
  readonly secret?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly oneOf?: readonly string[];
}

export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;
export type Settings<T extends SettingsTable> = { readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never };
export type Env = Readonly<Record<string, string | undefined>>;

/** Keeps the value's type in the table: `setting<number>({...})`. */
export const setting = <T>(s: Setting<T>): Setting<T> => s;

function parse(s: Setting<unknown>, raw: string): unknown {
  if (s.type === 'int' || s.type === 'number') {
    const n = Number(raw);
    if (raw.trim() === '' || !Number.isFinite(n)) throw new Error(`is not a number: ${JSON.stringify(raw)}`);
    if (s.type === 'int' && !Number.isSafeInteger(n)) throw new Error(`is not a whole number: ${raw}`);
    if (s.min !== undefined && n < s.min) throw new Error(`is below ${s.min}: ${raw}`);
    if (s.max !== undefined && n > s.max) throw new Error(`is above ${s.max}: ${raw}`);
    return n;
  }
  if (s.type === 'bool') {
    if (/^(1|true|yes|on)$/i.test(raw)) return true;
    if (/^(0|false|no|off)$/i.test(raw)) return false;
    throw new Error(`is not true or false: ${raw}`);
  }
  if (s.type === 'list') {
    return raw
      .split(',')
      .map((x) => x.trim())
      .filter(Boolean);
  }
  if (s.type === 'url' && raw !== '') {
    if (!URL.canParse(raw)) throw new Error('is not a URL');
    return raw;
  }
  if (s.oneOf && !s.oneOf.includes(raw)) throw new Error(`is not one of ${s.oneOf.join(', ')}: ${raw}`);
  return raw;
}

/** Typed values, or every error at once: a service that is misconfigured in three places says so in one start. */
export function readSettings<T extends SettingsTable>(
  table: T,
  env: Env,
): { ok: true; settings: Settings<T> } | { ok: false; errors: string[] } {
  const errors: string[] = [];
  const out: Record<string, unknown> = {};
  for (const [key, s] of Object.entries(table)) {
    let raw = env[s.env];
    const file = s.secret ? env[`${s.env}_FILE`] : undefined;
    if (file) {
      if (raw !== undefined && raw !== '') errors.push(`${s.env} and ${s.env}_FILE are both set`);
      try {
        raw = readFileSync(file, 'utf8').trim();
      } catch {
        errors.push(`${s.env}_FILE cannot be read: ${file}`);
        continue;
      }
    }
    if (raw === undefined || raw === '') {
      if ('default' in s) out[key] = s.default;
      else errors.push(`${s.env} is not set: ${s.meaning}`);
      continue;
    }
    try {
      out[key] = parse(s, raw);
    } catch (error) {
      errors.push(`${s.env} ${s.secret ? 'is not valid' : (error as Error).message}`);
    }
  }
  return errors.length ? { ok: false, errors } : { ok: true, settings: out as Settings<T> };
}

/** URLs keep their host, lose their password. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return url;
  const u = new URL(url);
  if (u.password) u.password = '***';
  return u.toString();
}

/** For `--print-config`: what is in force, secrets redacted. */
export function printableSettings<T extends SettingsTable>(table: T, settings: Settings<T>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).map(([key, s]) => {
      const value = settings[key];
      if (s.secret) return [s.env, value ? '***' : ''];
      return [s.env, typeof value === 'string' && s.type === 'url' ? redactUrl(value) : value];
    }),
  );
}

/**
 * What every main does first: reads the table, answers `--check-config` and `--print-config`, ends with 2 and every
 * error on stderr when the settings are wrong.
 */
export function settingsOrExit<T extends SettingsTable>(table: T, env: Env, argv: readonly string[]): Settings<T> {
  const result = readSettings(table, env);
  if (!result.ok) {
    process.stderr.write(`${result.errors.map((e) => `config: ${e}`).join('\n')}\n`);
    process.exit(2);
  }
  if (argv.includes('--print-config')) {
    process.stdout.write(`${JSON.stringify(printableSettings(table, result.settings), null, 2)}\n`);
    process.exit(0);
  }
  if (argv.includes('--check-config')) {
    process.stdout.write('config: ok\n');
    process.exit(0);
  }
  return result.settings;
}
