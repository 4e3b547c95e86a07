/**
 * Makes every generated file of the repository; `--check` writes nothing and exits 1 when one is not current.
 * Run by `npm run gen` and, as the check, by `npm run check`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboardFiles } from '../dashboards/src/files.ts';
import { openApiDocument } from '../services/ingest-api/src/adapters/openapi.ts';
import { generateChannelsPage } from './gen-channels.ts';
import { generateConfigurationPage, generateEnvExample } from './gen-env.ts';
import { generateReasonsPage } from './gen-reasons.ts';
import { generateErrorsPage, generateMetricsPage, generateTopicsPage } from './gen-reference.ts';
import { generateTypes } from './gen-types.ts';

const root = join(import.meta.dirname, '..');

/** Path from the root -> content. */
const generated: [string, () => string | Promise<string>][] = [
  ['packages/contract/src/records.generated.ts', () => generateTypes(join(root, 'schemas'))],
  ['services/ingest-api/openapi.json', () => `${JSON.stringify(openApiDocument(), null, 2)}\n`],
  ['.env.example', generateEnvExample],
  ['docs/configuration.md', generateConfigurationPage],
  ['docs/reasons.md', generateReasonsPage],
  ['docs/channels.md', generateChannelsPage],
  ['docs/errors.md', generateErrorsPage],
  ['docs/metrics.md', generateMetricsPage],
  ['docs/topics.md', generateTopicsPage],
  ...dashboardFiles,
];

const check = process.argv.includes('--check');
const stale: string[] = [];
for (const [path, make] of generated) {
  const file = join(root, path);
  const text = await make();
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  if (check) stale.push(path);
  else {
    writeFileSync(file, text);
    process.stdout.write(`gen: wrote ${path}\n`);
  }
}
if (stale.length > 0) {
  process.stderr.write(`gen: not current, run \`npm run gen\`:\n${stale.map((p) => `  ${p}\n`).join('')}`);
  process.exit(1);
}
