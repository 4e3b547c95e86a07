import { type BenchRun, tableOf } from './bench-table.ts';

const [BEGIN, END] = ['<!-- bench:begin -->', '<!-- bench:end -->'];
/** With other counts (messages, runs) it is the same bench. */
const nameOf = (heading: string): string => heading.replace(/\d[\d,.]*/g, '#');

/** The page with this run's tables, each with when and where it was; tables of benches that did not run stay as they are. */
export function withRun(page: string, run: BenchRun): string {
  const [begin, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || to < begin) throw new Error(`the page has no ${BEGIN} before ${END}`);
  const from = begin + BEGIN.length;
  const sections = page
    .slice(from, to)
    .split(/^(?=### )/m)
    .filter((section) => section.startsWith('### '));
  for (const result of run.results) {
    const [heading, ...table] = tableOf(result);
    const facts = `${run.date.slice(0, 16).replace('T', ' ')} UTC, commit ${run.commit}, ${run.machine}: \`${run.command}\``;
    const text = [heading, '', facts, ...table].join('\n');
    const at = sections.findIndex((section) => nameOf(section.split('\n')[0] as string) === nameOf(heading as string));
    if (at < 0) sections.push(`${text}\n`);
    else sections[at] = `${text}\n`;
  }
  return `${page.slice(0, from)}\n${sections.join('')}${page.slice(to)}`;
}
