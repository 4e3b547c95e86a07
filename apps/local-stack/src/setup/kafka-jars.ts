import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTool } from '../process/run-tool.ts';
import { ensureEntry, type SetupContext, toolEnvironment } from './cache.ts';
import { mavenFailure } from './java.ts';

const pom = fileURLToPath(new URL('../../maven/kafka/pom.xml', import.meta.url));

/** The broker's jars, as the explicit sorted class path that a class archive needs (`libs/*` has no order). */
export async function ensureKafkaJars(context: SetupContext): Promise<string[]> {
  const version = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 8);
  const folder = await ensureEntry(context, `kafka-4.3.1-${version}`, async (temporary) => {
    context.log('downloading Kafka 4.3.1 (44 MiB)');
    const jars = path.join(temporary, 'jars');
    mkdirSync(jars);
    const result = await runTool(
      [
        'mvn',
        '-q',
        '-B',
        '-ntp',
        '-f',
        pom,
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${jars}`,
      ],
      { cwd: temporary, env: toolEnvironment(), logFile: context.logFile, signal: context.signal },
    );
    if (!result.ok) throw mavenFailure('Kafka', result.absent, result.tail);
  });
  const jars = path.join(folder, 'jars');
  return readdirSync(jars)
    .filter((name) => name.endsWith('.jar'))
    .sort()
    .map((name) => path.join(jars, name));
}
