import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A generated password, made at the first start and kept, readable by us alone. Safe in a URL as it is. */
export function secretFile(dataDir: string, name: string): string {
  const folder = path.join(dataDir, 'secrets');
  const file = path.join(folder, name);
  try {
    const known = readFileSync(file, 'utf8').trim();
    if (known !== '') return known;
  } catch {
    // The first start.
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const secret = randomBytes(18).toString('base64url');
  writeFileSync(`${file}.new`, `${secret}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return secret;
}

export function secretPath(dataDir: string, name: string): string {
  return path.join(dataDir, 'secrets', name);
}
