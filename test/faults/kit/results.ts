import type { Scenario } from './scenario.ts';
import type { Outcome } from './trial.ts';

/** One row of the table in docs/guarantees.md: a scenario as it ran last. */
export interface Result extends Omit<Outcome, 'problems'>, Pick<Scenario, 'id' | 'fault' | 'expected' | 'injected'> {
  readonly held: boolean;
  readonly problems: readonly string[];
  readonly seed: number;
  readonly commit: string;
  /** Day. */
  readonly date: string;
  readonly command: string;
}

const keyOf = ({ id, fault }: Pick<Result, 'id' | 'fault'>) => `${id} ${fault}`;

/** The last run of each scenario, in the order in which scenarios stand; what is no scenario any more goes. */
export function merged(
  known: readonly Result[],
  fresh: readonly Result[],
  scenarios: readonly Pick<Scenario, 'id' | 'fault'>[],
): Result[] {
  const all = new Map([...known, ...fresh].map((result) => [keyOf(result), result]));
  return scenarios
    .flatMap((scenario) => all.get(keyOf(scenario)) ?? [])
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

const TWICE = { duplicateSends: 'sends', doubledEvents: 'ends', doubledMessages: 'lane records', doubledRows: 'rows' };

const numberOf = (n: number) => n.toLocaleString('en-US');

export function tableOf(results: readonly Result[]): string[] {
  return [
    '| | Fault | Promised | Messages | Lost | Twice | Deaths | Back after | Ran |',
    '| --- | --- | --- | ---: | ---: | --- | ---: | ---: | --- |',
    ...results.map((r) => {
      const twice = Object.entries(TWICE).flatMap(([kind, name]) => {
        const count = r.doubled[kind as keyof typeof TWICE];
        return count > 0 ? [`${numberOf(count)} ${name}`] : [];
      });
      const cells = [
        r.held ? r.id : `**${r.id} does not hold**`,
        `${r.fault} (${r.injected})`,
        r.expected,
        numberOf(r.accepted),
        numberOf(r.lost),
        twice.join(', ') || 'nothing',
        r.deaths,
        r.recoveryMs === undefined ? '' : `${(r.recoveryMs / 1_000).toFixed(1)} s`,
        `${r.date}, ${r.commit}, seed ${r.seed}`,
      ];
      return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
    }),
  ];
}

export const BEGIN = '<!-- faults: written by `npm run faults -- --write-docs` -->';
export const END = '<!-- end of faults -->';

/** The page with the table between its marks replaced; at the end of the page where it has none. */
export function withTable(page: string, results: readonly Result[], command: string): string {
  const block = [
    BEGIN,
    '',
    `\`${command}\`; each row is the last run of its scenario, ended by the checker (I1 to I9, \`test/faults/README.md\`).`,
    '',
    ...tableOf(results),
    '',
    END,
  ].join('\n');
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  return from < 0 || to < from
    ? `${page.trimEnd()}\n\n${block}\n`
    : page.slice(0, from) + block + page.slice(to + END.length);
}
