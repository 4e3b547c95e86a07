// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Grafana's variables look like those of a template string
import test from 'ava';
import { ALL, expand, expandAlert, type Viewed } from './macros.ts';

const FROM = Date.parse('2014-11-12T11:45:26.123Z');
const TO = Date.parse('2015-11-12T11:45:26.456Z');
const viewed = (variables: Viewed['variables'] = {}): Viewed => ({
  fromMs: FROM,
  toMs: TO,
  intervalMs: 60_000,
  variables,
});

/** Inputs and outputs of the plugin's own tests: pkg/macros/macros_test.go at 1d04063. */
const PLUGIN: [input: string, output: string][] = [
  [
    'select * from foo where $__timeFilter(cast(sth as timestamp) )',
    'select * from foo where cast(sth as timestamp) >= toDateTime(1415792726) AND cast(sth as timestamp) <= toDateTime(1447328726)',
  ],
  [
    'select * from foo where $__timeFilter_ms(cast(sth as timestamp))',
    'select * from foo where cast(sth as timestamp) >= fromUnixTimestamp64Milli(1415792726123) AND cast(sth as timestamp) <= fromUnixTimestamp64Milli(1447328726456)',
  ],
  [
    'select * from foo where ( date >= $__fromTime ) and ( date <= $__toTime ) limit 100',
    'select * from foo where ( date >= toDateTime(1415792726) ) and ( date <= toDateTime(1447328726) ) limit 100',
  ],
  [
    'select * from foo where ( date >= $__fromTime_ms and date <= $__toTime_ms ) limit 100',
    'select * from foo where ( date >= fromUnixTimestamp64Milli(1415792726123) and date <= fromUnixTimestamp64Milli(1447328726456) ) limit 100',
  ],
  [
    'SELECT $__timeInterval($__fromTime) AS from_time',
    'SELECT toStartOfInterval(toDateTime(toDateTime(1415792726)), INTERVAL 60 second) AS from_time',
  ],
  [
    'select * from foo where $__timeFilter(coalesce(closed_at, $__toTime))',
    'select * from foo where coalesce(closed_at, toDateTime(1447328726)) >= toDateTime(1415792726) AND coalesce(closed_at, toDateTime(1447328726)) <= toDateTime(1447328726)',
  ],
  ['SELECT $__interval_s', 'SELECT 60'],
];
for (const [input, output] of PLUGIN) {
  test(`as the plugin expands it: ${input}`, (t) => {
    t.is(expand(input, viewed()), output);
  });
}

test('an interval is a second at least', (t) => {
  t.is(expand('SELECT $__interval_s', { ...viewed(), intervalMs: 200 }), 'SELECT 1');
});

test('a condition on a variable is left out while everything is chosen, and holds otherwise', (t) => {
  const sql =
    'a = 1 AND $__conditionalAll(x IN (${x:singlequote}), $x) AND $__conditionalAll(y IN (${y:singlequote}), $y)';
  t.is(expand(sql, viewed({ x: ALL, y: [ALL] })), 'a = 1 AND 1=1 AND 1=1');
  t.is(expand(sql, viewed({ x: ['one', 'two'], y: '' })), "a = 1 AND x IN ('one','two') AND 1=1");
});

test('values are quoted', (t) => {
  t.is(expand('x = ${x:singlequote}', viewed({ x: "it's" })), "x = 'it\\'s'");
});

const WRONG: [sql: string, variables: Viewed['variables'], why: RegExp][] = [
  ['SELECT $nobody', {}, /left over: \$nobody/],
  ['SELECT $__lttb(x)', {}, /left over: \$__lttb/],
  ['WHERE $__timeFilter', {}, /without arguments/],
  ['WHERE $__timeFilter(a, b)', {}, /takes 1 argument/],
  ['WHERE $__timeFilter(a', {}, /do not close/],
  ['x IN (${x})', { x: ['a', 'b'] }, /without quotes/],
  ['x IN (${x:csv})', { x: 'a' }, /without quotes/],
  ['x IN (${x:singlequote})', { x: ALL }, /everything is chosen/],
  ['$__conditionalAll(x)', {}, /takes a condition and a plain variable/],
];
for (const [sql, variables, why] of WRONG) {
  test(`refused: ${sql} with ${JSON.stringify(variables)}`, (t) => {
    t.throws(() => expand(sql, viewed(variables)), { message: why });
  });
}

test('an alert knows no variables', (t) => {
  const { fromMs, toMs, intervalMs } = viewed();
  t.throws(() => expandAlert('x = ${x:singlequote}', { fromMs, toMs, intervalMs }), { message: /left over/ });
});
