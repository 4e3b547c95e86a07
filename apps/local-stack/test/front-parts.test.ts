import test from 'ava';
import { acceptedEncoding } from '../src/clickhouse-front/answer.ts';
import { authenticate } from '../src/clickhouse-front/auth.ts';
import { createByteBudget } from '../src/clickhouse-front/byte-budget.ts';
import { FrontError, httpStatus, toEngineError } from '../src/clickhouse-front/errors.ts';
import { contentType, isStreamable } from '../src/clickhouse-front/formats.ts';
import { readMultipart } from '../src/clickhouse-front/multipart.ts';
import { prelude, restoration } from '../src/clickhouse-front/prelude.ts';
import { readWishes } from '../src/clickhouse-front/request.ts';
import { javaMajor } from '../src/setup/java.ts';
import { kafkaProperties } from '../src/stores/kafka-properties.ts';

for (const [accept, encoding] of [
  [undefined, undefined],
  ['', undefined],
  ['gzip', 'gzip'],
  ['deflate, gzip;q=0.5', 'gzip'],
  ['gzip;q=0, br', 'br'],
  ['identity', undefined],
  ['zstd', 'zstd'],
] as const) {
  test(`encoding for Accept-Encoding ${accept}`, (t) => {
    t.is(acceptedEncoding(accept), encoding);
  });
}

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
for (const [name, headers, query, code] of [
  ['right, as Basic', basic('volley:p:w'), '', undefined],
  ['right, as headers', { 'x-clickhouse-user': 'volley', 'x-clickhouse-key': 'p:w' }, '', undefined],
  ['right, in the address', {}, 'user=volley&password=p%3Aw', undefined],
  ['none', {}, '', 194],
  ['a wrong password', basic('volley:no'), '', 516],
  ['a wrong user', basic('default:p:w'), '', 516],
  ['no password', basic('volley'), '', 516],
  ['a bearer token', { authorization: 'Bearer p:w' }, '', 516],
  ["another user's password", basic('reader:p:w'), '', 516],
] as const) {
  test(`credentials: ${name}`, (t) => {
    const users = [
      { name: 'volley', password: 'p:w', readonly: false },
      { name: 'reader', password: 'r', readonly: true },
    ];
    const check = () => authenticate(headers, new URLSearchParams(query), users);
    if (code === undefined) t.false(check().readonly);
    else t.is((t.throws(check) as FrontError).code, code);
    t.true(authenticate(basic('reader:r'), new URLSearchParams(), users).readonly);
  });
}

for (const [text, code, status] of [
  ['Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)', 60, 404],
  ['Code: 62. DB::Exception: Syntax error. (SYNTAX_ERROR)', 62, 400],
  ['Code: 241. DB::Exception: Memory limit. (MEMORY_LIMIT_EXCEEDED)', 241, 500],
  ['Code: 159. DB::Exception: Timeout. (TIMEOUT_EXCEEDED)', 159, 408],
  ['Code: 202. DB::Exception: Too many. (TOO_MANY_SIMULTANEOUS_QUERIES)', 202, 500],
  ['Code: 229. DB::Exception: Too large. (QUERY_IS_TOO_LARGE)', 229, 413],
  ['something else', 1002, 500],
] as const) {
  test(`error: ${text}`, (t) => {
    t.is(toEngineError(new Error(text)).code, code);
    t.is(httpStatus(new Error(text)), status);
  });
}

test('parameters of the protocol are not settings, and the others keep their text', (t) => {
  const wishes = readWishes(
    new URLSearchParams(
      'query_id=q&database=d&param_a=1&max_threads=2&wait_end_of_query=1&enable_http_compression=1&default_format=CSV&session_id=s&session_timeout=5&queue_max_wait_ms=7',
    ),
    {},
  );
  t.deepEqual(
    [...wishes.settings],
    [
      ['max_threads', '2'],
      ['queue_max_wait_ms', '7'],
    ],
  );
  t.deepEqual([...wishes.params], [['param_a', '1']]);
  t.like(wishes, {
    queryId: 'q',
    database: 'd',
    defaultFormat: 'CSV',
    compressAnswer: true,
    waitEndOfQuery: true,
    progress: false,
    maxWaitMs: 7,
    session: { id: 's', timeoutMs: 5000, mustExist: false },
  });
});

for (const query of [
  'role=admin',
  'decompress=1',
  'a b=1',
  'max_threads%3D1%2C%20x=1',
  'session_id=s&session_timeout=99999',
]) {
  test(`refused in the address: ${query}`, (t) => {
    t.throws(() => readWishes(new URLSearchParams(query), {}), { instanceOf: FrontError });
  });
}

test('the prelude quotes every value, so none can be a statement', (t) => {
  const wishes = readWishes(new URLSearchParams({ database: 'a`; DROP', param_x: "1'; DROP", max_threads: '2' }), {});
  t.is(
    prelude(wishes, 'mark', new Map()),
    "USE `a\\`; DROP`; SET implicit_select = '0', log_comment = 'mark', param_x = '1\\'; DROP', max_threads = '2'",
  );
});

test('what the front sets comes after what the request sets', (t) => {
  const wishes = readWishes(new URLSearchParams({ readonly: '0', max_threads: '2' }), {});
  const text = prelude(wishes, 'mark', new Map([['readonly', '2']]));
  t.is(text, "SET implicit_select = '0', log_comment = 'mark', readonly = '2', max_threads = '2'");
});

test('a session gets back what it had: its own value, or the default', (t) => {
  const wishes = readWishes(new URLSearchParams({ database: 'd', max_threads: '2' }), {});
  const states = [
    { name: 'max_threads', value: '8', changed: 1, db: 'own' },
    { name: 'readonly', value: '0', changed: 0, db: 'own' },
  ];
  t.is(restoration(states, wishes), "USE `own`; SET max_threads = '8', readonly = DEFAULT");
});

test('multipart: fields with line ends, and no external tables', (t) => {
  const part = (head: string, body: string) => `--B\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
  const type = 'multipart/form-data; boundary=B';
  const fields = readMultipart(
    Buffer.from(`${part('name="query"', 'SELECT\r\n1')}${part('name="param_a"', '')}--B--\r\n`),
    type,
  );
  t.deepEqual(
    [...fields],
    [
      ['query', 'SELECT\r\n1'],
      ['param_a', ''],
    ],
  );
  t.throws(() => readMultipart(Buffer.from(`${part('name="x"; filename="x"', '1')}--B--\r\n`), type), {
    instanceOf: FrontError,
  });
  t.throws(() => readMultipart(Buffer.from(part('name="query"', 'SELECT 1')), type), { instanceOf: FrontError });
});

test('the budget of bodies: one alone always passes, the sum does not exceed the limit, statements are free', (t) => {
  const kibibyte = 1024;
  const budget = createByteBudget(100 * kibibyte, 'bodies');
  const large = budget.open();
  large.grow(564 * kibibyte);
  t.throws(() => budget.open().grow(65 * kibibyte), { instanceOf: FrontError });
  t.notThrows(() => budget.open().grow(64 * kibibyte));
  large.giveBack();
  large.giveBack();
  const [first, second] = [budget.open(), budget.open()];
  first.grow(100 * kibibyte);
  first.grow(24 * kibibyte);
  second.grow(104 * kibibyte);
  t.throws(() => second.grow(1), { instanceOf: FrontError });
  first.giveBack();
  t.notThrows(() => second.grow(1000 * kibibyte));
});

for (const [format, type, streams] of [
  ['JSON', 'application/json; charset=UTF-8', false],
  ['JSONCompactEachRow', 'application/x-ndjson; charset=UTF-8', true],
  ['JSONCompactEachRowWithNames', 'application/x-ndjson; charset=UTF-8', false],
  ['TabSeparated', 'text/tab-separated-values; charset=UTF-8', true],
  ['CSVWithNames', 'text/csv; charset=UTF-8; header=present', false],
  ['Native', 'application/octet-stream', true],
  ['Pretty', 'text/plain; charset=UTF-8', false],
] as const) {
  test(`format ${format}`, (t) => {
    t.is(contentType(format), type);
    t.is(isStreamable(format), streams);
  });
}

for (const [text, major] of [
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['openjdk version "25" 2025-09-16', 25],
  ['java version "1.8.0_402"', 8],
  ['no java', undefined],
] as const) {
  test(`Java of ${text}`, (t) => {
    t.is(javaMajor(text), major);
  });
}

test('the broker listens on loopback alone and keeps its quorum static', (t) => {
  const properties = kafkaProperties({ broker: 9092, controller: 9093 }, '/data/kafka');
  t.regex(properties, /^listeners=PLAINTEXT:\/\/127\.0\.0\.1:9092,CONTROLLER:\/\/127\.0\.0\.1:9093$/m);
  t.regex(properties, /^controller\.quorum\.voters=1@127\.0\.0\.1:9093$/m);
  t.regex(properties, /^auto\.create\.topics\.enable=false$/m);
});

test('the place of a group outlives the records, which are kept for 90 days', (t) => {
  const properties = kafkaProperties({ broker: 9092, controller: 9093 }, '/data/kafka');
  const minutes = Number(/^offsets\.retention\.minutes=(\d+)$/m.exec(properties)?.[1]);
  t.true(minutes > 90 * 24 * 60, `${minutes} minutes`);
});
