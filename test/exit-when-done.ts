import { registerCompletionHandler } from 'ava';

/**
 * Loaded by AVA into the process of every test file. When its tests and hooks are through, the process ends, whatever it holds open:
 * a socket that a client closes late would otherwise hold the whole run until the longest timeout of any test is over.
 * Processes that are left behind are looked for at the end of `npm test`.
 */
export default function exitWhenDone(): void {
  registerCompletionHandler(() => process.exit());
}
