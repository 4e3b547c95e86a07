import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { StackError } from '../stack-error.ts';

export interface PostgresIdentity {
  /** Commands in front of initdb and postgres; each execs the next, so pids stay the server's own. */
  prefix: string[];
  /** Hands a folder to whom the server runs as. */
  own(folder: string): void;
}

/**
 * Postgres refuses to run with user id 0. A clone may lie in a folder of mode 700 which another user cannot even enter,
 * so as root the server runs in a user namespace of its own, where root is called by another number: it may do exactly
 * what the files' owner may do, less root's privileges. Where namespaces are refused, it runs as a real other user.
 */
export function postgresIdentity(): PostgresIdentity {
  if (process.getuid?.() !== 0) return { prefix: [], own: () => {} };
  const nobody = ordinaryUser();
  const namespace = ['unshare', '--user', `--map-user=${nobody.uid}`, `--map-group=${nobody.gid}`];
  if (spawnSync(namespace[0] as string, [...namespace.slice(1), 'true']).status === 0) {
    return { prefix: namespace, own: (folder) => giveTo(folder, 0, 0) };
  }
  const user = ['setpriv', `--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, '--clear-groups'];
  if (spawnSync(user[0] as string, [...user.slice(1), 'true']).status !== 0) {
    throw new StackError(
      'Postgres does not run as root, and neither a user namespace nor another user can be had here: start Volley as an ordinary user, or set VOLLEY_POSTGRES_URL.',
    );
  }
  return {
    prefix: user,
    own(folder) {
      mkdirSync(folder, { recursive: true });
      const enters = () => spawnSync(user[0] as string, [...user.slice(1), 'test', '-w', folder]).status === 0;
      giveTo(folder, nobody.uid, nobody.gid);
      // The data folder and what holds it are made for their owner alone; passing through is all that is opened.
      if (!enters()) for (const above of [path.dirname(folder), path.dirname(path.dirname(folder))]) letThrough(above);
      if (enters()) return;
      throw new StackError(
        `Postgres does not run as root, and user ${nobody.name} cannot enter ${folder}: start Volley as an ordinary user, or set VOLLEY_POSTGRES_URL.`,
      );
    },
  };
}

/** They may be the other way's, from a run on another kernel. */
function giveTo(folder: string, uid: number, gid: number): void {
  if (statSync(folder).uid !== uid) execFileSync('chown', ['-R', `${uid}:${gid}`, folder]);
}

function letThrough(folder: string): void {
  const mode = statSync(folder).mode & 0o7777;
  chmodSync(folder, mode | 0o011);
}

/** initdb asks for its user's name, so the number must be one that the system knows. */
function ordinaryUser(): { name: string; uid: number; gid: number } {
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const entry = entries.find(([name]) => name === wanted);
    if (entry !== undefined) return { name: wanted, uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  const other = entries.find(([, , uid]) => Number(uid) > 0);
  if (other === undefined)
    throw new StackError('Postgres does not run as root and /etc/passwd names nobody else: set VOLLEY_POSTGRES_URL.');
  return { name: other[0] as string, uid: Number(other[2]), gid: Number(other[3]) };
}
