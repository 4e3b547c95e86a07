// biome-ignore-all lint/suspicious/noTemplateCurlyInString: fixtures are code
import test from 'ava';
import { REASONS } from '../packages/contract/src/reasons.ts';
import { FLOORS, TEXT_RULES, violations } from './_floors.ts';
import { importsOf, sources, withoutComments } from './_source.ts';

const reasons = new Set(Object.keys(REASONS));
const files = sources(['packages', 'services', 'apps', 'scripts', 'test', 'dashboards'], /\.(ts|tsx|mjs)$/)
  // The fixtures below would all be told.
  .filter((file) => file.path !== 'test/architecture.test.ts');

test('the whole house keeps to its floors', (t) => {
  const broken = files.flatMap((file) => violations(file, reasons));
  t.deepEqual(broken, [], `\n${broken.join('\n')}\n`);
});

test('every file of packages, services and apps lies on a floor', (t) => {
  const homeless = files.filter((f) => !FLOORS.some((floor) => floor.path.test(f.path)));
  t.deepEqual(
    homeless.map((f) => f.path),
    [],
  );
  t.true(files.length > 50);
});

const lines = (n: number) => 'x;\n'.repeat(n);

/** Each breaks one rule and must be told with its sentence. */
const BREAKS: [path: string, code: string, sentence: RegExp][] = [
  ['packages/runtime/src/a.ts', "import { x } from '@volley/contract';", /floor 1: .*never another package/],
  ['packages/runtime/src/a.ts', "import { x } from '../../contract/src/ids.ts';", /packages never import each other/],
  ['packages/contract/src/a.ts', "export { x } from '@volley/stream';", /floor 1/],
  ['services/sink/src/core/a.ts', "import { readFileSync } from 'node:fs';", /floor 2/],
  ['services/sink/src/core/a.ts', "import { LRUCache } from 'lru-cache';", /floor 2/],
  ['services/sink/src/core/a.ts', "import type { Logger } from '@volley/runtime';", /floor 2/],
  ['services/sink/src/core/a.ts', "import { x } from '@volley/contract/registry';", /nothing that does I\/O/],
  ['services/sink/src/core/a.ts', "import type { Port } from '../ports.ts';", /floor 2/],
  ['services/sink/src/core/a.ts', "const x = await import('node:fs');", /floor 2/],
  ['services/sink/src/core/a.ts', "let x: import('pg').Pool;", /floor 2/],
  ['services/sink/src/core/a.ts', "import\n  type { A,\n  B }\nfrom 'pg';", /floor 2/],
  ['services/sink/src/core/a.ts', 'const t = Date.now();', /core has no clock/],
  ['services/sink/src/core/a.ts', 'const t = new Date();', /core has no clock/],
  ['services/sink/src/core/a.ts', 'const t = performance.now();', /core has no clock/],
  ['services/sink/src/core/a.ts', 'const r = Math.random();', /core has no clock, no chance/],
  ['services/sink/src/core/a.ts', 'const e = process.env.X;', /core has no clock/],
  ['services/sink/src/core/a.ts', 'setTimeout(() => {}, 1);', /core has no clock/],
  ['services/sink/src/pipeline.ts', "import { x } from './adapters/insert.ts';", /floor 3/],
  ['services/sink/src/ports.ts', "import { createClient } from '@clickhouse/client';", /floor 3/],
  ['services/sink/src/pipeline.ts', "import { setTimeout } from 'node:timers/promises';", /floor 3/],
  ['services/sink/src/adapters/a.ts', "import { run } from '../pipeline.ts';", /never the pipeline/],
  ['services/sink/src/adapters/a/x.ts', "import { b } from '../b/y.ts';", /never imports another adapter/],
  ['services/sink/src/adapters/a.ts', "import { b } from './b.ts';", /never imports another adapter/],
  ['services/sink/src/adapters/a.ts', "import '../main.ts';", /nobody imports main/],
  ['services/sink/src/pipeline.ts', "import { x } from './migrate.ts';", /nobody imports main/],
  ['services/sink/src/config.ts', "import { x } from './core/a.ts';", /tables of settings and metrics are data/],
  [
    'services/sink/src/main.ts',
    "import { x } from '../../dispatcher/src/core/a.ts';",
    /services never import each other/,
  ],
  ['services/sink/src/main.ts', "import { x } from '@volley/dispatcher';", /but as a process/],
  [
    'services/sink/test/a.test.ts',
    "import { x } from '../../dispatcher/src/main.ts';",
    /services never import each other/,
  ],
  [
    'services/sink/src/main.ts',
    "import { x } from '../../../packages/stream/src/port.ts';",
    /by its name, not by a path/,
  ],
  ['services/sink/src/adapters/a.ts', "import { x } from '@volley/cli';", /floor 4/],
  ['apps/cli/src/a.ts', "import { x } from '../../../services/sink/src/main.ts';", /by its name/],
  ['apps/cli/src/a.ts', "import { x } from '@volley/sink';", /but as a process/],
  ['services/sink/src/adapters/a.ts', "import kafkajs from 'kafkajs';", /kafkajs is known to/],
  ['packages/stream/src/adapters/memory.ts', "import kafkajs from 'kafkajs';", /kafkajs is known to/],
  ['services/sink/test/a.test.ts', "import kafkajs from 'kafkajs';", /kafkajs is known to/],
  ['services/sink/src/adapters/a.ts', 'const e = process.env.VOLLEY_X;', /only reader of the environment/],
  ['packages/runtime/src/a.ts', 'const { X } = process.env;', /only reader of the environment/],
  ['apps/cli/src/a.ts', "if (process.env.NODE_ENV === 'x') run();", /NODE_ENV/],
  ['test/e2e/a.test.ts', "process.env.NODE_ENV = 'test';", /NODE_ENV/],
  ['services/sink/src/adapters/a.ts', "const topic = 'volley.messages.bulk';", /topic names stand in/],
  ['apps/cli/src/a.ts', 'const topic = `${namespace}.deliveries`;', /topic names stand in/],
  ['services/sink/src/main.ts', "const topic = 'volley.campaigns';", /topic names stand in/],
  ['services/sink/src/adapters/a.ts', "const h = record.headers['v-message-id'];", /header names stand in/],
  ['services/sink/src/adapters/a.ts', "headers['volley-reason'] = 'x';", /header names stand in/],
  ['services/dispatcher/src/core/a.ts', "return { reason: 'no_idea' };", /says no_idea: reasons stand in/],
  ['services/sink/src/pipeline.ts', "counter('volley_rows_total');", /metric names stand in/],
  ['services/sink/src/core/all.ts', "export * from './a.ts';", /no barrels/],
  ['services/sink/src/pipeline.ts', lines(250), /under 250 lines/],
  ['services/sink/src/core/a.ts', lines(401), /400 lines/],
  ['scripts/a.mjs', lines(401), /400 lines/],
];
for (const [path, code, sentence] of BREAKS) {
  test(`told: ${path}: ${JSON.stringify(code.slice(0, 70))}`, (t) => {
    const told = violations({ path, text: code.endsWith('\n') ? code : `${code}\n` }, reasons);
    t.regex(told.join('\n'), sentence);
    t.true(told[0]?.startsWith(path));
  });
}

/** Allowed, and close to something that is not. */
const KEEPS: [path: string, code: string][] = [
  ['packages/stream/src/adapters/kafka-admin.ts', "import kafkajs from 'kafkajs';"],
  ['services/sink/src/core/a.ts', "import { REASONS } from '@volley/contract';\nimport type { B } from './b.ts';"],
  ['services/sink/src/core/a.ts', '// Date.now() would not be a pure function\nconst d = new Date(nowMs);'],
  ['services/sink/src/core/a.ts', "/** not process.env, not 'volley.messages.bulk' */"],
  ['services/sink/src/pipeline.ts', "import type { Logger } from '@volley/runtime';\nimport { a } from './core/a.ts';"],
  [
    'services/sink/src/adapters/a/x.ts',
    "import { y } from './y.ts';\nimport type { P } from '../../ports.ts';\nimport pg from 'pg';",
  ],
  ['services/sink/src/main.ts', "import { a } from './adapters/a.ts';\nconst e = process.env;"],
  ['services/dispatcher/src/core/a.ts', "return { reason: 'missing_variable' };\nconst empty = { reason: '' };"],
  ['services/sink/test/a.test.ts', "const topic = 'volley.messages.bulk';"],
  ['packages/contract/src/topics.ts', 'const t = `${namespace}.messages.bulk`;'],
  ['packages/contract/src/index.ts', "export * from './ids.ts';"],
  ['services/sink/src/pipeline.ts', lines(249)],
  ['packages/contract/src/records.generated.ts', lines(1_000)],
];
for (const [path, code] of KEEPS) {
  test(`allowed: ${path}: ${JSON.stringify(code.slice(0, 70))}`, (t) => {
    t.deepEqual(violations({ path, text: code.endsWith('\n') ? code : `${code}\n` }, reasons), []);
  });
}

test('every rule about text has a fixture that breaks it', (t) => {
  const told = BREAKS.flatMap(([path, code]) => violations({ path, text: code }, reasons)).join('\n');
  for (const rule of TEXT_RULES) t.true(told.includes(rule.sentence), rule.sentence);
});

test('imports are found in all their forms, and not in comments', (t) => {
  const code = `
    import a from 'a1'; import { b, c } from "a2"; import type { D } from 'a3'; import 'a4';
    export { e } from 'a5'; export type { F } from 'a6'; export * from 'a7';
    const g = await import('a8'); let h: import('a9').H; const i = require('a10');
    import * as j from 'a11';
    import {
      k, // from 'no1'
      l,
    } from 'a12';
    // import m from 'no2';
    /* import n from 'no3'; */
    const url = 'https://x'; import o from 'a13';
  `;
  t.deepEqual(
    importsOf(code).sort((x, y) => Number(x.slice(1)) - Number(y.slice(1))),
    Array.from({ length: 13 }, (_, i) => `a${i + 1}`),
  );
});

test('comments are blanked line for line, strings are not', (t) => {
  t.is(withoutComments('a // b\nc'), 'a     \nc');
  t.is(withoutComments("'// no' /* x\ny */ z"), "'// no'     \n     z");
  t.is(withoutComments('`/* ${a} */`'), '`/* ${a} */`');
  t.is(withoutComments("'it\\'s // fine' // gone"), "'it\\'s // fine'        ");
});
