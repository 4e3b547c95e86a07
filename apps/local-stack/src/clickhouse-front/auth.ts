import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { refusals } from './errors.ts';

export interface User {
  name: string;
  password: string;
  /** May ask and may set limits for its questions, and changes nothing: `readonly = 2` of the engine. */
  readonly: boolean;
}

/** The engine has no users of its own here, so the front has them. Throws the server's own refusals: 401 without, 403 with wrong credentials. */
export function authenticate(headers: IncomingHttpHeaders, params: URLSearchParams, users: readonly User[]): User {
  const given = credentialsOf(headers, params);
  if (given === undefined) throw refusals.requiredPassword('Authentication is required: give user and password.');
  // Every user is compared, so that the time says nothing about which names there are.
  const known = users.filter((user) => {
    const same = safeEqual(given.name, user.name);
    return safeEqual(given.password, user.password) && same;
  })[0];
  if (known === undefined) {
    throw refusals.authenticationFailed(
      `${given.name}: Authentication failed: password is incorrect, or there is no user with such name.`,
    );
  }
  return known;
}

function credentialsOf(
  headers: IncomingHttpHeaders,
  params: URLSearchParams,
): { name: string; password: string } | undefined {
  const user = headers['x-clickhouse-user'];
  if (typeof user === 'string') return { name: user, password: String(headers['x-clickhouse-key'] ?? '') };
  const basic = /^Basic\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return colon < 0 ? { name: text, password: '' } : { name: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  if (headers.authorization !== undefined)
    throw refusals.authenticationFailed('Only Basic authentication is known here.');
  const named = params.get('user');
  return named === null ? undefined : { name: named, password: params.get('password') ?? '' };
}

function safeEqual(given: string, expected: string): boolean {
  const left = Buffer.from(given);
  const right = Buffer.from(expected);
  return left.length === right.length && timingSafeEqual(left, right);
}
