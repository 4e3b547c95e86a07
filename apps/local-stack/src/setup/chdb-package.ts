import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runTool } from '../process/run-tool.ts';
import { StackError } from '../stack-error.ts';
import { ensureEntry, type SetupContext, toolEnvironment } from './cache.ts';

const version = '3.4.0';

/**
 * The ClickHouse engine, in a folder of its own and in no lockfile: the registry lists its library for Linux on x64
 * only, so a lockfile that names it breaks `npm ci` everywhere else. Returns the folder of the native add-on.
 */
export async function ensureChdb(context: SetupContext): Promise<string> {
  const folder = await ensureEntry(context, `chdb-${version}`, async (temporary) => {
    context.log(`downloading the ClickHouse engine, chdb ${version} (543 MiB unpacked)`);
    writeFileSync(path.join(temporary, 'package.json'), '{"name":"volley-clickhouse-engine","private":true}\n');
    writeFileSync(
      path.join(temporary, '.npmrc'),
      'package-lock=false\nfund=false\naudit=false\nupdate-notifier=false\n',
    );
    const result = await runTool(
      ['npm', 'install', '--no-save', '--ignore-scripts', '--loglevel=error', `chdb@${version}`],
      {
        cwd: temporary,
        env: toolEnvironment(),
        logFile: context.logFile,
        signal: context.signal,
      },
    );
    if (result.absent)
      throw new StackError('npm was not found, and the ClickHouse engine comes from npm: put npm on the PATH.');
    if (!result.ok) {
      throw new StackError(
        `npm could not install chdb ${version}: look at setup.log, then start again. It said: ${result.tail.join(' | ')}`,
      );
    }
    if (addonFolder(temporary) === undefined) {
      throw new StackError(
        `There is no ClickHouse engine for ${process.platform} on ${process.arch}: set VOLLEY_CLICKHOUSE_URL to a ClickHouse server.`,
      );
    }
  });
  return addonFolder(folder) as string;
}

function addonFolder(root: string): string | undefined {
  const platform = process.platform === 'linux' ? `linux-${process.arch}-gnu` : `${process.platform}-${process.arch}`;
  const folder = path.join(root, 'node_modules', '@chdb', `lib-${platform}`);
  return existsSync(path.join(folder, 'chdb_node.node')) ? folder : undefined;
}
