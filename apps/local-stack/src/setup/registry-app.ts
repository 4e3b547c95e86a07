import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { runTool } from '../process/run-tool.ts';
import { StackError } from '../stack-error.ts';
import { ensureEntry, type SetupContext, toolEnvironment } from './cache.ts';
import { mavenFailure } from './java.ts';

const version = '3.0.9';

/** The registry's folder: a runner jar beside `lib/`. 3.3 would need Java 21. */
export async function ensureRegistryApp(context: SetupContext): Promise<string> {
  const folder = await ensureEntry(context, `registry-${version}`, async (temporary) => {
    context.log(`downloading the schema registry, Apicurio ${version} (104 MiB)`);
    const archive = path.join(temporary, 'app.tar.gz');
    const tool = { cwd: temporary, env: toolEnvironment(), logFile: context.logFile, signal: context.signal };
    // Plugin 2.8 on purpose: 3.8.1 wants the parent pom, which is not on Maven Central.
    const fetched = await runTool(
      [
        'mvn',
        '-q',
        '-B',
        '-ntp',
        'org.apache.maven.plugins:maven-dependency-plugin:2.8:get',
        '-Dtransitive=false',
        `-Dartifact=io.apicurio:apicurio-registry-app:${version}:tar.gz:all`,
        `-Ddest=${archive}`,
      ],
      tool,
    );
    if (!fetched.ok) throw mavenFailure('the schema registry', fetched.absent, fetched.tail);
    const app = path.join(temporary, 'app');
    mkdirSync(app);
    const unpacked = await runTool(['tar', '-xzf', archive, '-C', app, '--no-same-owner'], tool);
    if (!unpacked.ok)
      throw new StackError(
        `The schema registry's archive could not be unpacked with tar: ${unpacked.tail.join(' | ')}`,
      );
    rmSync(archive);
  });
  return path.join(folder, 'app');
}

export const registryJar = `apicurio-registry-app-${version}-runner.jar`;
