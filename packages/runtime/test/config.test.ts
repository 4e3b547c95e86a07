import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { printableSettings, readSettings, redactUrl, setting } from '../src/config.ts';

const table = {
  name: setting<string>({ env: 'VOLLEY_NAME', type: 'string', default: 'volley', meaning: 'A name.' }),
  level: setting<string>({
    env: 'VOLLEY_LEVEL',
    type: 'string',
    default: 'info',
    oneOf: ['debug', 'info'],
    meaning: 'How much.',
  }),
  count: setting<number>({ env: 'VOLLEY_COUNT', type: 'int', default: 5, min: 1, max: 10, meaning: 'How many.' }),
  ratio: setting<number>({ env: 'VOLLEY_RATIO', type: 'number', default: 0.5, meaning: 'A ratio.' }),
  flag: setting<boolean>({ env: 'VOLLEY_FLAG', type: 'bool', default: false, meaning: 'On or off.' }),
  hosts: setting<string[]>({ env: 'VOLLEY_HOSTS', type: 'list', default: [], meaning: 'Hosts.' }),
  store: setting<string>({ env: 'VOLLEY_STORE', type: 'url', meaning: 'The store.' }),
  key: setting<string>({ env: 'VOLLEY_KEY', type: 'string', default: '', secret: true, meaning: 'A key.' }),
};
const STORE = 'postgres://ann:hunter2@127.0.0.1:5432/volley';

const read = (env: Record<string, string>) => readSettings(table, { VOLLEY_STORE: STORE, ...env });
const errorsOf = (env: Record<string, string>) => {
  const result = read(env);
  return result.ok ? [] : result.errors;
};

test('what is not set has its default', (t) => {
  t.deepEqual(read({}), {
    ok: true,
    settings: {
      name: 'volley',
      level: 'info',
      count: 5,
      ratio: 0.5,
      flag: false,
      hosts: [],
      store: STORE,
      key: '',
    },
  });
});

test('an empty value counts as not set, so that a compose file can pass an unset variable through', (t) => {
  t.like(read({ VOLLEY_COUNT: '', VOLLEY_NAME: '' }), { ok: true, settings: { count: 5, name: 'volley' } });
});

const VALUES: [env: string, raw: string, key: string, value: unknown][] = [
  ['VOLLEY_COUNT', '10', 'count', 10],
  ['VOLLEY_COUNT', ' 7 ', 'count', 7],
  ['VOLLEY_RATIO', '1e-3', 'ratio', 0.001],
  ['VOLLEY_FLAG', 'yes', 'flag', true],
  ['VOLLEY_FLAG', 'TRUE', 'flag', true],
  ['VOLLEY_FLAG', '0', 'flag', false],
  ['VOLLEY_HOSTS', 'a:1, b:2,,', 'hosts', ['a:1', 'b:2']],
  ['VOLLEY_LEVEL', 'debug', 'level', 'debug'],
];
for (const [env, raw, key, value] of VALUES) {
  test(`${env}=${JSON.stringify(raw)} is ${JSON.stringify(value)}`, (t) => {
    const result = read({ [env]: raw });
    t.deepEqual(result.ok ? (result.settings as Record<string, unknown>)[key] : result.errors, value);
  });
}

const WRONG: [env: string, raw: string, error: RegExp][] = [
  ['VOLLEY_COUNT', 'many', /VOLLEY_COUNT is not a number: "many"/],
  ['VOLLEY_COUNT', '1.5', /not a whole number/],
  ['VOLLEY_COUNT', '0', /below 1/],
  ['VOLLEY_COUNT', '11', /above 10/],
  ['VOLLEY_COUNT', '9007199254740993', /./],
  ['VOLLEY_RATIO', 'Infinity', /not a number/],
  ['VOLLEY_FLAG', 'maybe', /not true or false/],
  ['VOLLEY_LEVEL', 'loud', /not one of debug, info/],
  ['VOLLEY_STORE', 'not a url', /not a URL/],
];
for (const [env, raw, error] of WRONG) {
  test(`${env}=${JSON.stringify(raw)} is refused`, (t) => {
    const errors = errorsOf({ [env]: raw });
    t.is(errors.length, 1);
    t.regex(errors[0] ?? '', error);
  });
}

test('every error is told at once', (t) => {
  const errors = errorsOf({ VOLLEY_COUNT: 'x', VOLLEY_FLAG: 'x', VOLLEY_STORE: '' });
  t.is(errors.length, 3);
  t.regex(errors.join('\n'), /VOLLEY_STORE is not set: The store\./);
});

const folder = mkdtempSync(join(tmpdir(), 'volley-config-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));
const keyFile = join(folder, 'key');
writeFileSync(keyFile, 'from-the-file\n');

test('a secret can come from a file, without the line end', (t) => {
  t.like(read({ VOLLEY_KEY_FILE: keyFile }), { settings: { key: 'from-the-file' } });
});

test('a secret that is given twice, or in a file that is not there, is refused', (t) => {
  t.regex(errorsOf({ VOLLEY_KEY_FILE: keyFile, VOLLEY_KEY: 'x' }).join(), /both set/);
  t.regex(errorsOf({ VOLLEY_KEY_FILE: join(folder, 'absent') }).join(), /cannot be read/);
});

test('only secrets are read from files', (t) => {
  t.like(read({ VOLLEY_NAME_FILE: keyFile }), { settings: { name: 'volley' } });
});

test('what is wrong with a secret is told without the secret', (t) => {
  const secretTable = { n: setting<number>({ env: 'VOLLEY_N', type: 'int', secret: true, meaning: 'A number.' }) };
  const result = readSettings(secretTable, { VOLLEY_N: 'hunter2' });
  t.deepEqual(result, { ok: false, errors: ['VOLLEY_N is not valid'] });
});

test('printing redacts secrets and the passwords of addresses', (t) => {
  const result = read({ VOLLEY_KEY: 'hunter2' });
  const printed = result.ok ? printableSettings(table, result.settings) : {};
  t.notRegex(JSON.stringify(printed), /hunter2/);
  t.like(printed, {
    VOLLEY_KEY: '***',
    VOLLEY_STORE: 'postgres://ann:***@127.0.0.1:5432/volley',
    VOLLEY_COUNT: 5,
  });
});

test('an address without a password is printed as it is', (t) => {
  t.is(redactUrl('http://127.0.0.1:8081/apis'), 'http://127.0.0.1:8081/apis');
  t.is(redactUrl('127.0.0.1:9092'), '127.0.0.1:9092');
});

const main = join(import.meta.dirname, '_config-main.ts');
const run = (args: string[], env: Record<string, string>) =>
  spawnSync(process.execPath, [main, ...args], { env, encoding: 'utf8' });

test('a process with wrong settings ends with 2 and every error on stderr', (t) => {
  const { status, stderr, stdout } = run([], { VOLLEY_PORT: 'x' });
  t.is(status, 2);
  t.is(stdout, '');
  t.deepEqual(stderr.trim().split('\n'), [
    'config: VOLLEY_PORT is not a number: "x"',
    'config: VOLLEY_STORE is not set: The store.',
  ]);
});

test('--print-config prints and ends, --check-config checks and ends, without either the process goes on', (t) => {
  const printed = run(['--print-config'], { VOLLEY_STORE: STORE });
  t.is(printed.status, 0);
  t.deepEqual(JSON.parse(printed.stdout), {
    VOLLEY_PORT: 1,
    VOLLEY_STORE: 'postgres://ann:***@127.0.0.1:5432/volley',
  });
  const checked = run(['--check-config'], { VOLLEY_STORE: STORE });
  t.deepEqual([checked.status, checked.stdout], [0, 'config: ok\n']);
  t.is(run(['--check-config'], {}).status, 2);
  t.is(run([], { VOLLEY_STORE: STORE }).stdout, 'went on with 1\n');
});
