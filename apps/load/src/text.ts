import { styleText } from 'node:util';
import type { LoadReport, Verdict } from './report.ts';
import { countText, msText } from './units.ts';

export const VERDICTS: Readonly<Record<Verdict, string>> = {
  met: 'objectives met',
  missed: 'objectives MISSED',
  unknown: 'no verdict',
};
/** 3: it could not be found out. */
export const EXIT: Readonly<Record<Verdict, 0 | 1 | 3>> = { met: 0, missed: 1, unknown: 3 };

export const SHAPE_WORDS = {
  campaign: 'one campaign a stage',
  campaigns: 'many small campaigns',
  direct: 'direct messages, one a request',
  ndjson: 'direct messages, many a request',
} as const;

export const LATENCY_WORDS: Readonly<Record<string, string>> = {
  http: 'HTTP answer, from the intended time',
  e2e: 'accepted (or in the log) to the outcome',
  delivery: 'intended time to the outcome',
  complete: 'send of a campaign to its last event',
  reads: 'statistics, from the intended time',
  late: 'the generator itself, after the intended time',
};

/** `2,000/s for 60 s`, or the stages. */
export const askedText = (r: LoadReport): string => {
  const measured = r.plan.stages.filter((stage) => !stage.warmUp);
  return measured.map((s) => `${countText(s.perSecond)}/s for ${s.seconds} s`).join(', ');
};

export function reportText(r: LoadReport, colour: boolean): string[] {
  const paint = (style: 'bold' | 'green' | 'red' | 'yellow', text: string) => (colour ? styleText(style, text) : text);
  const tone = { met: 'green', missed: 'red', unknown: 'yellow' } as const;
  const { measured, accounts } = r;
  const ends = Object.entries(accounts.states).filter(([, n]) => n > 0);
  const rate = (n: number) => `${countText(n)}/s`;
  const lines = [
    '',
    `${paint('bold', `${SHAPE_WORDS[r.plan.shape]}, ${askedText(r)}`)}: ${paint(tone[r.verdict], VERDICTS[r.verdict])}`,
    ...(r.verdict === 'unknown' ? r.why.map((why) => `  ${why}`) : []),
    `  rate      asked ${rate(r.asked.per_second)}   ${r.plan.shape === 'campaign' ? '' : `accepted ${rate(measured.accepted_per_second)}   `}ended ${measured.ended_per_second === null ? 'not known' : rate(measured.ended_per_second)}`,
  ];
  for (const [name, s] of Object.entries(r.latencies)) {
    const words = LATENCY_WORDS[name] ?? '';
    lines.push(
      `  ${name.padEnd(9)} p50 ${msText(s.p50_ms).padEnd(8)} p95 ${msText(s.p95_ms).padEnd(8)} p99 ${msText(s.p99_ms).padEnd(8)} max ${msText(s.max_ms).padEnd(8)} ${words}`,
    );
  }
  const errors = Object.entries(measured.errors);
  lines.push(
    `  errors    ${errors.length === 0 ? 'none' : errors.map(([kind, n]) => `${kind}: ${countText(n)}`).join(', ')}`,
    `  messages  accepted ${countText(accounts.accepted)}${accounts.unknown > 0 ? ` (and ${countText(accounts.unknown)} of which nobody knows)` : ''} = ${ends.map(([state, n]) => `${state} ${countText(n)}`).join(' + ') || '0'}: ${accounts.accounted ? 'all accounted for' : paint('red', accounts.problems.join('; '))}`,
    '',
  );
  for (const { objective, met, found } of r.objectives)
    lines.push(`  ${met ? paint('green', 'met   ') : paint('red', 'missed')}  ${objective.padEnd(20)} ${found}`);
  if (r.capacity !== undefined) {
    const { per_second, missed_at, ended } = r.capacity;
    const why =
      {
        narrow: '',
        tries: ' (no tries left)',
        spent: ' (no time or messages left)',
        limit: ' (the highest that is tried)',
        generator: ' (the generator was late)',
      }[ended] ?? '';
    lines.push(
      '',
      per_second === null
        ? `  capacity  no rate met the objectives${why}`
        : `  capacity  ${paint('bold', rate(per_second))}${missed_at === null ? '' : `; missed at ${rate(missed_at)}`}${why}`,
    );
  }
  if (r.need !== undefined)
    lines.push(
      `  needed    ${countText(r.need.messages)} messages in ${countText(r.need.seconds)} s: ${countText(r.need.dispatchers)} dispatchers, each as fast as here`,
    );
  return lines;
}
