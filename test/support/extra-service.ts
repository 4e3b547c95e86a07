import { join } from 'node:path';
import { superviseService } from '@volley/local-stack';
import { NODE_ARGS } from '@volley/runtime/node-args';
import type { ServiceName } from '../../apps/cli/src/platform.ts';
import { createPortPicker } from '../../apps/local-stack/src/process/ports.ts';
import { type ApiClient, createApiClient } from './api-client.ts';

/** A process beside those of the platform: a second relay, one more dispatcher. */
export interface ExtraService {
  readonly admin: string;
  /** Of ingest-api; nobody listens there otherwise. */
  readonly api: ApiClient;
  pid(): number;
  stop(): Promise<void>;
}

/** What is different with it. */
export interface ExtraHow {
  /** Default `main`: of the service's programs. */
  readonly program?: 'main' | 'replay';
  readonly env?: Readonly<Record<string, string>>;
  /** Default true: started again when it dies. */
  readonly restart?: boolean;
  /** Default: beside the logs of the others. */
  readonly logFile?: string;
}

interface ExtraOptions {
  readonly service: ServiceName;
  readonly slot: number;
  readonly logDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly how: ExtraHow;
  readonly log: (line: string) => void;
}

const repository = join(import.meta.dirname, '..', '..');

export async function startExtraService(options: ExtraOptions): Promise<ExtraService> {
  const { service, slot, how } = options;
  const env = { ...options.env, ...how.env };
  const ports = createPortPicker(() => {});
  const [adminPort, httpPort] = [await ports.any('admin'), await ports.any('http')];
  const admin = `http://127.0.0.1:${adminPort}`;
  const handle = await superviseService({
    name: `${service}-${slot}`,
    command: process.execPath,
    args: [...NODE_ARGS, join(repository, 'services', service, 'src', `${how.program ?? 'main'}.ts`)],
    env: {
      ...process.env,
      ...env,
      VOLLEY_SLOT: String(slot),
      VOLLEY_ADMIN_PORT: String(adminPort),
      VOLLEY_HTTP_PORT: String(httpPort),
    },
    logFile: how.logFile ?? join(options.logDir, `${service}-${slot}.log`),
    cwd: repository,
    ready: async () => (await fetch(`${admin}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok,
    restart: how.restart ?? true,
    onPid: () => {},
    log: options.log,
    stopGraceMs: 20_000,
  });
  return {
    admin,
    api: createApiClient(
      () => `http://127.0.0.1:${httpPort}`,
      () => env.VOLLEY_API_KEYS ?? '',
    ),
    pid: () => handle.pid(),
    async stop() {
      await handle.stop();
      await ports.release();
    },
  };
}
