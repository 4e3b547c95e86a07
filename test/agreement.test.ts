import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { PROBLEMS } from '../packages/contract/src/http-schemas.ts';
import { REASONS } from '../packages/contract/src/reasons.ts';
import { DEFAULT_TOPIC_SETTINGS, groupsOf, topicDefinitions, topicsOf } from '../packages/contract/src/topics.ts';
import { settingsOf } from '../scripts/gen-env.ts';
import { METRIC_CATALOGUES } from '../scripts/gen-reference.ts';
import { ROOT, type Source, sources, withoutComments } from './_source.ts';

/** What people read (docs, README, dashboards) says what the code says. */
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const top = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'].filter((f) => existsSync(join(ROOT, f)));
const pages: Source[] = [
  ...top.map((path) => ({ path, text: read(path) })),
  ...sources(['docs', 'services', 'packages', 'apps', 'schemas'], /\.md$/),
];
const dashboards = sources(['dashboards'], /\.(json|ya?ml|ts)$/);

/** Every match with the page it is on. */
const mentions = (from: readonly Source[], pattern: RegExp) =>
  from.flatMap((page) => [...page.text.matchAll(pattern)].map((m) => ({ page: page.path, text: m[1] ?? m[0] })));
const strangers = (found: readonly { page: string; text: string }[], known: ReadonlySet<string>) =>
  found.filter((f) => !known.has(f.text)).map((f) => `${f.page}: ${f.text}`);

test('generated files are current', (t) => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/gen.ts', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  t.is(status, 0, stderr);
});

const firstColumn = (page: string) =>
  [...read(page).matchAll(/^\| (?:\d+ \| )?`([a-z_]+)`/gm)].map((m) => m[1] as string);

test('docs/reasons.md lists exactly the reasons', (t) => {
  t.deepEqual(firstColumn('docs/reasons.md'), Object.keys(REASONS));
});

test('docs/errors.md lists exactly the codes of problems', (t) => {
  t.deepEqual(firstColumn('docs/errors.md'), Object.keys(PROBLEMS));
});

test('topics and groups named in docs exist', (t) => {
  const names = topicDefinitions(topicsOf('volley'), DEFAULT_TOPIC_SETTINGS).map((d) => d.topic);
  const known = new Set([...names, ...Object.values(groupsOf('volley'))]);
  const found = mentions(
    pages,
    /(?<![\w/@.-])volley\.(?:campaigns|messages|deliveries|dispatcher|sink|progress)[\w.]*\b(?!\()/g,
  );
  t.true(found.length > 10);
  t.deepEqual(strangers(found, new Set([...known, 'volley.messages'])), []);
});

test('metrics named in docs and dashboards exist, and docs/metrics.md has them all', (t) => {
  const all = Object.values(METRIC_CATALOGUES).flat();
  const known = new Set(all.flatMap((m) => [m.name, `${m.name}_bucket`, `${m.name}_sum`, `${m.name}_count`]));
  const found = mentions([...pages, ...dashboards], /\bvolley_(?:ingest|dispatcher|sink)_\w+/g);
  t.deepEqual(strangers(found, known), []);
  const listed = new Set(
    mentions([{ path: 'docs/metrics.md', text: read('docs/metrics.md') }], /`(volley_\w+)`/g).map((m) => m.text),
  );
  t.deepEqual([...listed].sort(), all.map((m) => m.name).sort());
});

test('no two services have a metric of the same name', (t) => {
  const names = Object.values(METRIC_CATALOGUES).flatMap((metrics) => metrics.map((m) => m.name));
  t.is(new Set(names).size, names.length);
});

test('settings named in docs exist', (t) => {
  const known = new Set(
    ['ingest-api', 'dispatcher', 'sink', 'sink-replay', 'stack'].flatMap((p) => settingsOf(p).map((s) => s.env)),
  );
  const found = mentions(pages, /\bVOLLEY_[A-Z_]+\b(?!\*)/g).filter((f) => !f.text.startsWith('VOLLEY_TEST_'));
  t.true(found.length > 40);
  t.deepEqual(strangers(found, known), []);
});

test('what apps read from the environment is in a table', (t) => {
  const rows = ['ingest-api', 'dispatcher', 'sink', 'sink-replay', 'stack'].flatMap((p) => settingsOf(p));
  // A secret may also come from a file.
  const known = new Set(rows.flatMap((s) => (s.secret ? [s.env, `${s.env}_FILE`] : [s.env])));
  const internal = /^VOLLEY_(TEST_\w*|PARENT_IPC|)$/;
  const code = sources(['apps'], /\.ts$/)
    .filter((f) => f.path.includes('/src/'))
    .map((f) => ({ ...f, text: withoutComments(f.text) }));
  const found = mentions(code, /\bVOLLEY_[A-Z_]+\b/g).filter((f) => !internal.test(f.text));
  t.deepEqual(strangers(found, known), []);
});

const cli = ['main', 'replay-commands'].map((name) => withoutComments(read(`apps/cli/src/${name}.ts`))).join('\n');
const commands = new Set([...cli.matchAll(/command\(\s*'([a-z]+)'/g)].map((m) => m[1] as string));

test('commands of volley that docs name exist', (t) => {
  t.true(commands.has('setup') && commands.has('send'));
  const found = mentions(pages, /(?:`|npx )volley ([a-z]+)/g);
  t.true(found.length > 3);
  t.deepEqual(strangers(found, commands), []);
});

test('npm scripts that docs name exist', (t) => {
  const scripts = new Set(Object.keys(JSON.parse(read('package.json')).scripts));
  t.deepEqual(strangers(mentions(pages, /\bnpm run ([a-z:-]+)/g), scripts), []);
});

const slug = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
const headings = (text: string) => [...text.matchAll(/^#+ (.+)$/gm)].map((m) => slug(m[1] as string));

test('links between pages lead to files and headings that exist', (t) => {
  const dead: string[] = [];
  for (const page of pages) {
    for (const [, target = ''] of page.text.replace(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path, anchor] = target.split('#') as [string, string?];
      const file = path === '' ? page.path : join(dirname(page.path), path);
      if (!existsSync(join(ROOT, file))) dead.push(`${page.path}: ${target}`);
      else if (anchor && file.endsWith('.md') && !headings(read(file)).includes(anchor))
        dead.push(`${page.path}: ${target}`);
    }
  }
  t.deepEqual(dead, []);
});

test('files that docs name in code spans exist', (t) => {
  const found = mentions(
    pages.filter((p) => !p.path.startsWith('docs/adr/0000')),
    /`((?:packages|services|apps|schemas|docs|scripts|test|deploy)\/[\w./-]+)`/g,
  );
  const dead = found.filter((f) => !existsSync(join(ROOT, f.text)) && !existsSync(join(ROOT, dirname(f.page), f.text)));
  t.deepEqual(
    dead.map((f) => `${f.page}: ${f.text}`),
    [],
  );
});

test('every page of docs says what kind of page it is', (t) => {
  for (const { path, text } of pages.filter((p) => /^docs\/[\w-]+\.md$/.test(p.path))) {
    t.regex(text.split('\n').slice(1, 5).join('\n'), /^\*?(Tutorial|How-to|Reference|Explanation)\b/m, path);
  }
});

test('log lines that the runbook names are in the code', (t) => {
  const code = sources(['services', 'packages'], /\.ts$/)
    .filter((f) => f.path.includes('/src/'))
    .map((f) => f.text)
    .join('\n');
  const lines = [...read('docs/runbook.md').matchAll(/Log: `([^`]+)`/g)].map((m) => m[1] as string);
  t.true(lines.length > 5);
  t.deepEqual(
    lines.filter((line) => !code.includes(line)),
    [],
  );
});

test('the promises of README and guarantees are the same seven', (t) => {
  const promises = [...read('docs/guarantees.md').matchAll(/^## (\d)\. (.+)$/gm)].map((m) => [m[1], m[2]] as const);
  t.deepEqual(
    promises.map(([n]) => n),
    ['1', '2', '3', '4', '5', '6', '7'],
  );
  const readme = read('README.md');
  for (const [n, promise] of promises) t.true(readme.includes(`${n}. **${promise}`), promise);
});

test('tests that docs/guarantees.md names exist', (t) => {
  const named = mentions([{ path: 'docs/guarantees.md', text: read('docs/guarantees.md') }], /`([\w./-]+\.test\.ts)`/g);
  t.true(named.length > 5);
  t.deepEqual(
    named.filter((n) => !existsSync(join(ROOT, n.text))).map((n) => n.text),
    [],
  );
});
