import test, { type ExecutionContext } from 'ava';
import { HEAT_BOUNDS_MS } from '../../dashboards/src/sql.ts';
import { createEngine, type Engine, type Frame, isNumber, isText, isTime, timeOf } from './engine.ts';
import { history, MINUTE_MS } from './events.ts';
import { ALL, expand, expandAlert, type Viewed } from './macros.ts';
import { dashboards, queriesOf, rules, viewsOf } from './read.ts';

const HOUR_MS = 60 * MINUTE_MS;
/** Full hours, so that minutes and hours of it are the same events. */
const happened = history(Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 3 * HOUR_MS);
const { fromMs, toMs, campaign } = happened;
const EVERYTHING = { tenant: ALL, campaign: ALL, channel: ALL, provider: ALL };
const ONE = { tenant: ['default'], campaign, channel: ['smtp'], provider: ['mail-a', 'mail-b'] };
const view = (variables: Viewed['variables'], intervalMs = MINUTE_MS): Viewed => ({
  fromMs,
  toMs,
  intervalMs,
  variables,
});

let engine: Engine;
test.before(async () => {
  const address = process.env.VOLLEY_TEST_CLICKHOUSE;
  if (!address) throw new Error('VOLLEY_TEST_CLICKHOUSE is not set: run this test through `npm test -- dashboards`');
  engine = await createEngine(address, happened);
});
test.after.always(() => engine?.drop());

const at = (frame: Frame, column: string) => frame.columns.findIndex((c) => c.name === column);
const sum = (frame: Frame, column: string) =>
  frame.rows.reduce((total, row) => total + Number(row[at(frame, column)]), 0);

/** What Grafana needs to draw lines: times that rise, numbers, at most one text that names the line. */
function isDrawable(t: ExecutionContext, { columns, rows }: Frame): void {
  const times = columns.filter((c) => isTime(c.type));
  t.deepEqual(
    times.map((c) => c.name),
    ['time'],
  );
  const texts = columns.filter((c) => isText(c.type));
  t.true(texts.length <= 1);
  const numbers = columns.filter((c) => isNumber(c.type));
  t.true(numbers.length > 0);
  t.is(1 + texts.length + numbers.length, columns.length, JSON.stringify(columns));
  const place = columns.indexOf(times[0] as (typeof columns)[number]);
  const keys = rows.map((row) => `${row[place]} ${texts.map((c) => row[columns.indexOf(c)])}`);
  t.is(new Set(keys).size, keys.length, 'two points at one time in one line');
  const moments = rows.map((row) => timeOf(row[place]));
  t.true(moments.every((ms) => ms >= fromMs && ms < toMs));
  t.deepEqual(
    moments,
    [...moments].sort((a, b) => a - b),
  );
  for (const number of numbers) {
    const values = rows.map((row) => row[columns.indexOf(number)]);
    t.true(
      values.every((v) => v !== null && Number.isFinite(v)),
      `${number.name} has something that is no number`,
    );
  }
}

for (const [name, dashboard] of Object.entries(dashboards)) {
  for (const { where, sql, isSeries } of queriesOf(dashboard)) {
    const choices: [string, Viewed][] = [
      ['one of each', view(ONE)],
      ['a point an hour', view(ONE, HOUR_MS)],
      // One campaign has to be chosen where only one can be.
      ['everything', view(name === 'overview' ? EVERYTHING : { ...EVERYTHING, campaign })],
    ];
    for (const [chosen, viewed] of choices) {
      test(`${name}: ${where}: runs and has what its panel draws (${chosen})`, async (t) => {
        const frame = await engine.ask(expand(sql, viewed));
        t.true(frame.rows.length > 0, 'no rows');
        if (isSeries) isDrawable(t, frame);
        // A line, a row or a choice without a name says nothing: what has no provider is left out where providers are compared.
        for (const column of ['provider', 'Provider', 'channel', 'reason']) {
          const place = at(frame, column);
          if (place >= 0)
            t.true(
              frame.rows.every((row) => row[place] !== ''),
              `${column} is empty`,
            );
        }
        if (where.startsWith('variable')) t.true(frame.columns.length === 1 && isText(frame.columns[0]?.type ?? ''));
        if (where.startsWith('annotation')) {
          t.true(isTime(frame.columns[at(frame, 'time')]?.type ?? ''));
          t.true(isText(frame.columns[at(frame, 'text')]?.type ?? ''));
        }
      });
    }
  }
}

for (const rule of rules) {
  const { rawSql } = rule.data[0]?.model ?? {};
  if (rawSql === undefined) continue;
  test(`${rule.uid}: gives numbers, each under its own labels`, async (t) => {
    const frame = await engine.ask(expandAlert(rawSql, { fromMs, toMs, intervalMs: MINUTE_MS }));
    t.true(frame.rows.length > 0);
    // Grafana makes an alert of each row: one number, everything else a label. A time would make it a series.
    const numbers = frame.columns.filter((c) => isNumber(c.type));
    t.is(numbers.length, 1);
    t.true(frame.columns.every((c) => isText(c.type) || c === numbers[0]));
    const labels = frame.rows.map((row) => row.filter((_, i) => isText(frame.columns[i]?.type ?? '')).join('|'));
    t.is(new Set(labels).size, labels.length);
  });
}

/** The query of a panel, as it stands in the file. */
function sqlOf(name: keyof typeof dashboards, where: string): string {
  const query = queriesOf(dashboards[name]).find((q) => q.where === where);
  if (!query) throw new Error(`${name} has no ${where}`);
  return query.sql;
}
const events = (kind: string, of = (_row: Record<string, unknown>) => true) =>
  happened.rows.filter((row) => row.kind === kind && of(row)).length;

test('rates add up to the events, by minutes and by hours', async (t) => {
  for (const intervalMs of [MINUTE_MS, HOUR_MS]) {
    const frame = await engine.ask(expand(sqlOf('overview', 'Messages per second B'), view(EVERYTHING, intervalMs)));
    const seconds = intervalMs / 1_000;
    t.is(Math.round(sum(frame, 'Sent') * seconds), events('sent'));
    t.is(Math.round(sum(frame, 'Failed') * seconds), events('failed') + events('dead'));
  }
});

test('a choice leaves out what was not chosen', async (t) => {
  const sql = sqlOf('overview', 'Messages per second B');
  const frame = await engine.ask(expand(sql, view({ ...EVERYTHING, tenant: ['acme'] })));
  t.is(
    Math.round(sum(frame, 'Sent') * 60),
    events('sent', (row) => row.tenant_id === 'acme'),
  );
  const campaigns = await engine.ask(
    expand(sqlOf('overview', 'variable campaign'), view({ ...EVERYTHING, tenant: ['acme'] })),
  );
  t.is(campaigns.rows.length, 2);
});

test('the interval that is still running is not drawn', async (t) => {
  const half = { ...view(EVERYTHING), toMs: fromMs + 30.5 * MINUTE_MS };
  const frame = await engine.ask(expand(sqlOf('overview', 'Messages per second B'), half));
  t.is(Math.max(...frame.rows.map((row) => timeOf(row[0]))), fromMs + 29 * MINUTE_MS);
});

test('a row of the heat map has the messages between its bounds, and every sent message is in one', async (t) => {
  const sql = sqlOf('campaign', 'Latency, every message A');
  const bounds = [...HEAT_BOUNDS_MS, Number.POSITIVE_INFINITY];
  const filled = new Set<number>();
  for (const one of new Set(happened.rows.map((row) => row.campaign_id as string))) {
    const frame = await engine.ask(expand(sql, view({ ...EVERYTHING, campaign: one })));
    t.deepEqual(
      frame.columns.slice(1).map((c) => c.name),
      [...HEAT_BOUNDS_MS.map(String), '+Inf'],
    );
    for (const [i, bound] of bounds.entries()) {
      const above = bounds[i - 1] ?? -1;
      const isBetween = (row: Record<string, unknown>) =>
        row.campaign_id === one && Number(row.e2e_ms) > above && Number(row.e2e_ms) <= bound;
      const found = sum(frame, bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound));
      if (found > 0) filled.add(bound);
      t.is(found, events('sent', isBetween), `${one} ${bound}`);
    }
  }
  t.true(filled.size > 20, `${filled.size} rows have something`);
});

test('a bound of the heat map is one of the histogram: what is counted below it took no longer', async (t) => {
  const upTo = await engine.ask(`SELECT bucket_ms, sum(sent) FROM latency_histogram_per_minute GROUP BY bucket_ms`);
  for (const bound of HEAT_BOUNDS_MS) {
    const counted = upTo.rows
      .filter(([ms]) => Number(ms) <= bound)
      .reduce((total, [, sent]) => total + Number(sent), 0);
    t.is(
      counted,
      events('sent', (row) => Number(row.e2e_ms) <= bound),
      `${bound} ms`,
    );
  }
});

test('messages by state are those of the campaign, each once', async (t) => {
  const frame = await engine.ask(expand(sqlOf('campaign', 'Messages by state A'), view(ONE)));
  const last = new Map(happened.rows.filter((r) => r.campaign_id === campaign).map((r) => [r.message_id, r.kind]));
  const count = (kind: string) => [...last.values()].filter((k) => k === kind).length;
  t.deepEqual(
    ['Sent', 'Failed', 'Dead', 'Suppressed', 'Retrying'].map((column) => sum(frame, column)),
    ['sent', 'failed', 'dead', 'suppressed', 'deferred'].map(count),
  );
});

test('the pause is marked where it was', async (t) => {
  const frame = await engine.ask(expand(sqlOf('campaign', 'annotation Paused'), view(ONE)));
  t.is(frame.rows.length, 1);
  const [row] = frame.rows;
  const near = (column: string, ms: number) => Math.abs(timeOf(row?.[at(frame, column)]) - ms) <= MINUTE_MS;
  t.true(near('time', happened.pausedFromMs), String(row));
  t.true(near('timeEnd', happened.pausedToMs), String(row));
});

test('a pause that lasts is marked up to now', async (t) => {
  const paused = { ...view(ONE), toMs: happened.pausedToMs - MINUTE_MS };
  const frame = await engine.ask(expand(sqlOf('campaign', 'annotation Paused'), paused));
  t.is(timeOf(frame.rows[0]?.[at(frame, 'timeEnd')]), Math.floor(paused.toMs / 1_000) * 1_000);
});

test('the alert on p95 tells exactly the share that is later than the objective', async (t) => {
  const rawSql = rules.find((r) => r.uid === 'volley-latency-objective')?.data[0]?.model.rawSql ?? '';
  const frame = await engine.ask(expandAlert(rawSql, { fromMs, toMs, intervalMs: MINUTE_MS }));
  const share = frame.rows.find((row) => row.includes(campaign))?.[at(frame, 'late_share')];
  const mine = (row: Record<string, unknown>) => row.campaign_id === campaign;
  const late = events('sent', (row) => mine(row) && Number(row.e2e_ms) > 20_000);
  t.true(late > 0);
  t.true(Math.abs(Number(share) - late / events('sent', mine)) < 1e-9);
});

test('the limits of the read-only user were in force, and it cannot write', async (t) => {
  const limit = await engine.ask("SELECT value FROM system.settings WHERE name = 'max_memory_usage'");
  t.is(Number(limit.rows[0]?.[0]), 1_000_000_000);
  await t.throwsAsync(engine.ask('TRUNCATE TABLE delivery_raw'), { message: /READONLY|readonly/i });
});

test('views that were made before can be told to read with the rights of their owner, as the docs say', async (t) => {
  const views = [...new Set(Object.values(dashboards).flatMap((d) => queriesOf(d).flatMap((q) => viewsOf(q.sql))))];
  for (const name of views) {
    await engine.order(`ALTER TABLE ${name} MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER`);
    const { rows } = await engine.ask(
      `SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = '${name}'`,
    );
    t.regex(String(rows[0]?.[0]), /SQL SECURITY DEFINER/, name);
    t.true((await engine.ask(`SELECT count() FROM ${name}`)).rows.length === 1);
  }
  t.true(views.length > 8);
});
