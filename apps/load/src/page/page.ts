import { latenciesOf } from '../latencies.ts';
import type { IntervalRow, LoadReport } from '../report.ts';
import { askedText, EXIT, LATENCY_WORDS, SHAPE_WORDS, VERDICTS } from '../text.ts';
import { countText, msText, shareText, tickText } from '../units.ts';
import { barList, stackChart } from './count-charts.ts';
import { distributionChart, percentileChart } from './distribution-charts.ts';
import { el, embedded, escaped, table } from './markup.ts';
import { compact } from './scale.ts';
import { SCRIPT, STYLE } from './style.ts';
import { type Band, type Series, timeChart } from './time-chart.ts';

const TONES: Readonly<Record<string, string>> = {
  http: 'a',
  e2e: 'b',
  delivery: 'e',
  complete: 'c',
  reads: 'f',
  late: 'd',
};
const KIND_TONES = ['d', 'c', 'e', 'a', 'b', 'f'];
/** Shown as a distribution, in this order; the generator's own lateness has its numbers in the table. */
const SHOWN = ['http', 'delivery', 'e2e', 'complete', 'reads'];

const tile = (name: string, value: string, small = ''): string =>
  el(
    'div',
    { class: 'tile' },
    el('dt', {}, escaped(name)),
    el('dd', {}, escaped(value), el('small', {}, escaped(small))),
  );

const perSecond = (n: number): string => `${countText(n)}/s`;
const share = (n: number | undefined): string => (n === undefined ? '–' : shareText(n));

function tilesOf(r: LoadReport): string {
  const { shares, ended_per_second, accepted_per_second, requests, errors } = r.measured;
  const latency = (name: string, words: string) => {
    const s = r.latencies[name];
    return s === undefined
      ? ''
      : tile(`${words}, p99`, msText(s.p99_ms), `p50 ${msText(s.p50_ms)}, max ${msText(s.max_ms)}`);
  };
  const failed = Object.entries(errors).reduce((sum, [kind, n]) => sum + (kind.startsWith('read: ') ? 0 : n), 0);
  const { accounts } = r;
  return el(
    'dl',
    { class: 'tiles' },
    tile(
      'Messages a second',
      ended_per_second === null ? perSecond(accepted_per_second) : perSecond(ended_per_second),
      `${share(shares.rate)} of ${perSecond(r.asked.per_second)} asked for`,
    ),
    latency('http', 'HTTP'),
    latency('delivery', 'Delivery'),
    r.plan.shape === 'campaign' ? '' : latency('e2e', 'End to end'),
    latency('complete', 'Campaign complete'),
    tile('Errors', share(shares.errors), `${countText(failed)} of ${countText(requests)} requests`),
    tile(
      'Accounted for',
      accounts.accounted ? 'everything' : 'NOT everything',
      `${countText(accounts.ended)} ended of ${countText(accounts.total)}`,
    ),
  );
}

const over = (rows: readonly IntervalRow[], name: 'http' | 'delivery' | 'e2e' | 'reads'): Series[] =>
  (
    [
      ['p50', 'p50_ms', 'b'],
      ['p95', 'p95_ms', 'a'],
      ['p99', 'p99_ms', 'e'],
      ['max', 'max_ms', 'f'],
    ] as const
  ).map(([title, key, tone]) => ({
    name: title,
    tone,
    ...(key === 'max_ms' ? { dashed: true } : {}),
    points: rows.map((row) => [(row.from_s + row.to_s) / 2, row[name]?.[key] ?? null] as const),
  }));

function chartsOf(r: LoadReport): string {
  const last = r.intervals.at(-1)?.to_s ?? 1;
  const bands: Band[] = r.intervals
    .filter((row) => row.warm_up)
    .slice(0, 1)
    .map(() => ({ fromS: 0, toS: r.intervals.filter((row) => row.warm_up).at(-1)?.to_s ?? 0, name: 'warm-up' }));
  const common = { fromS: 0, toS: last, bands };
  const latencyChart = (name: 'http' | 'delivery' | 'e2e' | 'reads', title: string, note: string) => {
    // A campaign is one request: a point is no line.
    if (r.intervals.filter((row) => row[name] !== undefined).length < 3) return '';
    return timeChart({
      ...common,
      title,
      note,
      series: over(r.intervals, name),
      log: true,
      text: msText,
      tick: tickText,
    });
  };
  const isRate = r.plan.shape !== 'campaign';
  const toS = Math.max(last, r.rates.at(-1)?.at_s ?? last);
  const waiting = timeChart({
    ...common,
    toS: Math.max(toS, (r.watched.at(-1)?.atMs ?? 0) / 1_000),
    title: 'On its way',
    note: 'accepted and not ended yet, by the public statistics; events that ClickHouse does not have yet',
    series: [
      { name: 'messages', tone: 'a', filled: true, points: r.watched.map((w) => [w.atMs / 1_000, w.total - w.ended]) },
      { name: 'events before the sink', tone: 'c', points: r.watched.map((w) => [w.atMs / 1_000, w.sinkLag ?? null]) },
    ],
    text: compact,
  });
  const kinds = [...new Set(r.intervals.flatMap((row) => Object.keys(row.errors)))];
  const tones = Object.fromEntries(kinds.map((kind, i) => [kind, KIND_TONES[i % KIND_TONES.length] as string]));
  const errors =
    kinds.length === 0
      ? ''
      : stackChart(
          'Errors by kind',
          'by the time for which the request was meant',
          r.intervals.map((row) => ({ fromS: row.from_s, toS: row.to_s, counts: row.errors })),
          { fromS: 0, toS: last },
          tones,
        );
  const rate = (wide: boolean) =>
    timeChart({
      ...common,
      wide,
      toS,
      title: 'Messages a second: asked for and achieved',
      note: 'accepted and ended are counted when they happened',
      series: [
        { name: 'asked for', tone: 'f', dashed: true, points: r.rates.map((x) => [x.at_s, x.asked]) },
        ...(isRate ? [{ name: 'accepted', tone: 'a', points: r.rates.map((x) => [x.at_s, x.accepted] as const) }] : []),
        ...(r.rates.some((x) => x.ended !== null)
          ? [{ name: 'ended', tone: 'b', filled: true, points: r.rates.map((x) => [x.at_s, x.ended] as const) }]
          : []),
      ],
      text: compact,
    });
  const others = [
    latencyChart('http', 'HTTP answer', 'from the intended time of the request to its answer'),
    latencyChart('delivery', 'Delivery', 'from the intended time of a message to its outcome'),
    latencyChart('e2e', 'End to end', 'from accepted (a campaign: written to the log) to the outcome'),
    latencyChart('reads', 'Statistics read meanwhile', 'from the intended time of the question to its answer'),
    waiting,
    errors,
    ...distributionsOf(r),
  ].filter((chart) => chart !== '');
  // An even number fills the rows.
  return [rate(others.length % 2 === 0), ...others].join('');
}

/** Twelve bounds a decade, from a hundredth of a millisecond to an hour. */
const BOUNDS = Array.from({ length: 8 * 12 + 1 }, (_, i) => 10 ** (-2 + i / 12));

function distributionsOf(r: LoadReport): string[] {
  const there = SHOWN.flatMap((name) => {
    const s = r.latencies[name];
    return s === undefined || s.count < 10 ? [] : [{ name, summary: s, latencies: latenciesOf(s.hdr) }];
  });
  const tone = (name: string) => TONES[name] ?? 'f';
  return [
    distributionChart(
      'How long it took',
      'all measured messages or requests, logarithmic',
      there.map(({ name, summary, latencies }) => ({
        name,
        tone: tone(name),
        boundsMs: BOUNDS,
        counts: latencies.buckets(BOUNDS),
        marks: [
          { name: 'p50', ms: summary.p50_ms },
          { name: 'p99', ms: summary.p99_ms },
        ],
      })),
      msText,
    ),
    percentileChart(
      'Percentiles',
      'each step to the right leaves a tenth of them',
      there.map(({ name, latencies }) => ({ name, tone: tone(name), quantileMs: latencies.quantileMs })),
    ),
  ];
}

const card = (title: string, body: string): string =>
  el('section', { class: 'card' }, el('h3', {}, escaped(title)), body);

function tablesOf(r: LoadReport): string {
  const objectives = table(
    ['Objective', 'Found', ''],
    r.objectives.map((o) => [
      el('code', {}, escaped(o.objective)),
      escaped(o.found),
      el('b', { class: o.met ? 'met' : 'missed' }, o.met ? 'met' : 'missed'),
    ]),
  );
  const latencies = table(
    ['Latency', 'p50', 'p95', 'p99', 'p99.9', 'max', 'count'],
    Object.entries(r.latencies).map(([name, s]) => [
      `<b>${escaped(name)}</b><br/><span class="note">${escaped(LATENCY_WORDS[name] ?? '')}</span>`,
      ...[s.p50_ms, s.p95_ms, s.p99_ms, s.p999_ms, s.max_ms].map((ms) => escaped(msText(ms))),
      countText(s.count),
    ]),
  );
  const left = [card('Objectives', objectives)];
  const right = [card('Latencies', latencies)];
  if (r.stages.length > 2 || (r.stages.length > 1 && !r.stages[0]?.warm_up))
    right.push(
      card(
        'Stages',
        table(
          ['Stage', 'Requests', 'Errors', 'HTTP p50', 'p99', 'Delivery p50', 'p99'],
          r.stages.map((s) => [
            `${perSecond(s.per_second)} for ${s.seconds} s${s.warm_up ? ' (warm-up)' : ''}`,
            countText(s.requests),
            countText(s.errors),
            ...[s.http?.p50_ms, s.http?.p99_ms, s.delivery?.p50_ms, s.delivery?.p99_ms].map((ms) =>
              ms === undefined ? '–' : escaped(msText(ms)),
            ),
          ]),
        ),
      ),
    );
  if (r.capacity !== undefined)
    right.push(
      card(
        `Capacity: ${r.capacity.per_second === null ? 'no rate met the objectives' : perSecond(r.capacity.per_second)}`,
        table(
          ['Tried', 'What was found', ''],
          r.capacity.tries.map((t) => [
            perSecond(t.per_second),
            escaped(t.objectives.map((o) => `${o.objective}: ${o.found}`).join(', ')),
            el('b', { class: t.verdict }, t.verdict === 'unknown' ? 'no verdict' : t.verdict),
          ]),
        ),
      ),
    );
  const states = Object.entries(r.accounts.states).filter(([, n]) => n > 0);
  left.push(
    card(
      'Messages',
      table(
        ['', 'messages'],
        [
          ['answered with 2xx', countText(r.accounts.accepted)],
          ...(r.accounts.unknown > 0 ? [['sent, and nobody knows', countText(r.accounts.unknown)]] : []),
          ['counted by Volley', countText(r.accounts.total)],
          ...states.map(([state, n]) => [`ended as ${escaped(state)}`, countText(n)]),
          ...r.accounts.problems.map((p) => [el('b', { class: 'missed' }, escaped(p)), '']),
        ],
      ),
    ),
  );
  const errors = Object.entries(r.measured.errors).sort((a, b) => b[1] - a[1]);
  if (errors.length > 0)
    left.push(
      card(
        'Errors',
        table(
          ['Kind', 'times'],
          errors.map(([kind, n]) => [el('code', {}, escaped(kind)), countText(n)]),
        ),
      ),
    );
  const stack = (cards: readonly string[]) => el('div', { class: 'stack' }, ...cards);
  return el('div', { class: 'grid2' }, stack(left), stack(right));
}

function costOf(r: LoadReport): string {
  const messages = Math.max(1, r.accounts.total);
  const rows = Object.entries(r.cpu_seconds)
    .filter(([, s]) => s > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([name, s]) => ({
      name,
      value: s,
      text: `${s.toFixed(1)} s, ${((s * 1e6) / messages).toFixed(0)} µs a message`,
      tone: name === 'generators' ? 'd' : 'a',
    }));
  if (rows.length < 2) return '';
  return barList('Where the CPU time went', 'from the first request to the last outcome, of this machine', rows);
}

function environmentOf(r: LoadReport): string {
  const { environment: e, plan } = r;
  const facts: [string, string][] = [
    ['Command', el('code', {}, escaped(e.command))],
    ['Commit', el('code', {}, escaped(e.commit))],
    ['Machine', escaped(e.machine)],
    ['Generators', `${plan.generators}, ${plan.connections} connections, timeout ${escaped(msText(plan.timeoutMs))}`],
    ['Dispatchers', r.dispatchers === null ? 'not known' : String(r.dispatchers)],
    ...(plan.script === undefined ? [] : [['Provider', el('code', {}, escaped(plan.script.text))] as [string, string]]),
    ...(plan.provider === undefined ? [] : [['Provider', escaped(plan.provider)] as [string, string]]),
    ...Object.entries(e.settings).map(([name, value]): [string, string] => [
      escaped(name),
      el('code', {}, escaped(String(value))),
    ]),
    ...r.notes.map((note): [string, string] => ['Note', escaped(note)]),
  ];
  const list = facts.map(([name, value]) => el('dt', {}, name) + el('dd', {}, value));
  return card('Environment', el('dl', { class: 'facts' }, ...list));
}

/** The report as one page: nothing in it is fetched from anywhere. */
export function reportPage(r: LoadReport): string {
  const words = SHAPE_WORDS[r.plan.shape];
  const title = `${words.charAt(0).toUpperCase()}${words.slice(1)}: ${askedText(r)}`;
  const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
  const need =
    r.need === undefined
      ? ''
      : el(
          'p',
          { class: 'sub' },
          escaped(
            `${countText(r.need.messages)} messages in ${countText(r.need.seconds)} s need ${countText(r.need.dispatchers)} dispatchers that are as fast as here.`,
          ),
        );
  const head = [
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    el('title', {}, escaped(`Volley load: ${title}`)),
    el('style', {}, STYLE),
  ];
  const why =
    r.why.length === 0
      ? ''
      : el('div', { class: `why ${r.verdict}` }, el('ul', {}, ...r.why.map((w) => el('li', {}, escaped(w)))));
  const body = [
    el(
      'header',
      {},
      el(
        'div',
        {},
        el('h1', {}, escaped(title)),
        el('p', { class: 'sub' }, escaped(`volley load, run ${r.run}, ${r.at}, exit code ${EXIT[r.verdict]}`)),
        need,
      ),
      el('span', { class: `badge ${r.verdict}` }, escaped(VERDICTS[r.verdict])),
    ),
    why,
    tilesOf(r),
    el('div', { class: 'grid2' }, chartsOf(r)),
    el('h2', {}, 'In numbers'),
    tablesOf(r),
    el('h2', {}, 'Cost and environment'),
    el('div', { class: 'grid2' }, costOf(r), environmentOf(r)),
  ];
  return `<!doctype html>\n<html lang="en">\n<head>${head.join('\n')}</head>\n<body><main>${body.join('\n')}</main>\n<script type="application/json" id="report">${embedded(r)}</script>\n<script>${SCRIPT}</script>\n</body>\n</html>\n`;
}
