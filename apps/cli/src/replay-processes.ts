import { join } from 'node:path';
import { type SupervisedService, superviseService } from '@volley/local-stack';
import { NODE_ARGS } from '@volley/runtime/node-args';
import { repository } from './places.ts';

/** They do replays, each with the code of the service beside which it runs. */
const PROCESSES = [
  { name: 'sink-replay', service: 'sink' },
  { name: 'dispatcher-replay', service: 'dispatcher' },
] as const;

export interface ReplayProcessOptions {
  /** The environment of a service. */
  env(service: 'sink' | 'dispatcher'): Record<string, string | undefined>;
  readonly logDir: string;
  readonly restart: boolean;
  onPid(name: string, pid: number): void;
  log(line: string): void;
}

/**
 * Started beside the services, and not waited for: nothing that is sent or counted needs them. Their admin port is any free
 * one, because nobody looks: a replay that no process takes up stays `pending`, and that is what is looked at.
 */
export const superviseReplays = (o: ReplayProcessOptions): Promise<SupervisedService[]> =>
  Promise.all(
    PROCESSES.map(({ name, service }) => {
      let isThere = false;
      return superviseService({
        name,
        command: process.execPath,
        args: [...NODE_ARGS, join(repository, 'services', service, 'src', 'replay.ts')],
        env: { ...o.env(service), VOLLEY_ADMIN_PORT: '0', VOLLEY_SLOT: '0' },
        logFile: join(o.logDir, `${name}.log`),
        cwd: repository,
        ready: async () => isThere,
        restart: o.restart,
        onPid(pid) {
          isThere = true;
          o.onPid(name, pid);
        },
        log: o.log,
        stopGraceMs: 20_000,
      });
    }),
  );
