import { existsSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { ownerOfData } from '@volley/local-stack';
import { CliError, printer } from './output.ts';
import { dataDir } from './places.ts';

/** A person is asked first; a script that says `volley reset` means it. */
async function isMeant(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`delete all campaigns, contacts and events in ${dataDir}? [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** `volley reset`: empties .volley/data. Downloads and logs stay. */
export async function reset(yes: boolean, json: boolean): Promise<number> {
  const owner = await ownerOfData(dataDir);
  if (owner !== undefined) throw new CliError(`the stack is running (process ${owner}): stop it first`);
  if (!existsSync(dataDir)) {
    printer(json)('nothing to reset');
    return 0;
  }
  if (!yes && process.stdin.isTTY && !(await isMeant())) throw new CliError('nothing was deleted');
  rmSync(dataDir, { recursive: true, force: true });
  printer(json)('data is gone; downloads and logs are kept');
  return 0;
}
