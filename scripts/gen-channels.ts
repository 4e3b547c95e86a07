import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_TABLES, OTHERWISE } from '../services/dispatcher/src/core/classify.ts';

const PAGE = join(import.meta.dirname, '..', 'docs', 'channels.md');

/** The error tables of the dispatcher -> between the marks of docs/channels.md; the rest is written by hand. */
export function generateChannelsPage(): string {
  let page = readFileSync(PAGE, 'utf8');
  for (const [protocol, rows] of Object.entries(ERROR_TABLES)) {
    const table = [
      '| Failure | Class | Reason | Source |',
      '| --- | --- | --- | --- |',
      ...rows.map((r) => `| ${r.on} | \`${r.class}\` | \`${r.reason}\` | ${r.source} |`),
      `| anything else | \`${OTHERWISE.class}\` | \`${OTHERWISE.reason}\` | a new kind of answer refuses nothing for good |`,
    ];
    const marks = new RegExp(`(<!-- ${protocol}:begin[^\\n]*-->\\n)[^]*?(<!-- ${protocol}:end -->)`);
    if (!marks.test(page)) throw new Error(`docs/channels.md has no place for the table of ${protocol}`);
    page = page.replace(marks, (_all, begin: string, end: string) => `${begin}\n${table.join('\n')}\n\n${end}`);
  }
  return page;
}
