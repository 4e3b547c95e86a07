import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReplayView } from '@volley/contract/http';
import { until } from '../../support/until.ts';
import type { Trial } from './trial.ts';

/** A `sink-replay` of the test's own, which is started again when it dies. */
export interface ReplayProcess {
  /** Killed now; resolves when it was started again. */
  kill(): Promise<void>;
  /** Killed now, and started again with this armed; resolves when it has died there and was started once more. */
  killAt(point: string): Promise<void>;
}

/** With one more process that does analytics replays while `run` runs. */
export async function withReplays<T>(trial: Trial, slot: number, run: (one: ReplayProcess) => Promise<T>): Promise<T> {
  const points = join(trial.p.folder, `${trial.tag}-points-${slot}`);
  writeFileSync(points, '');
  const extra = await trial.p.startExtra('sink', slot, {
    program: 'replay',
    env: { VOLLEY_FAILPOINTS: `@${points}` },
    logFile: join(trial.p.folder, 'logs', `sink-replay-${slot}.log`),
  });
  const untilAnother = async (pid: number, what: string) => {
    await until(what, () => extra.pid() !== pid && extra.pid() !== 0, { timeoutMs: 240_000, everyMs: 5 });
    trial.died();
    return extra.pid();
  };
  const kill = async () => {
    const pid = extra.pid();
    process.kill(pid, 'SIGKILL');
    return untilAnother(pid, 'a replay process that was killed is started again');
  };
  try {
    return await run({
      kill: async () => void (await kill()),
      async killAt(point) {
        writeFileSync(points, `${point}:kill`);
        await untilAnother(await kill(), `a replay process dies at ${point}`);
      },
    });
  } finally {
    await extra.stop();
  }
}

/** `seconds`: at a rate at which it takes about so long. */
export async function askReplay({ p }: Pick<Trial, 'p'>, more: object, seconds?: number): Promise<ReplayView> {
  const json = { target: 'analytics', reason: 'a fault run', ...more };
  if (seconds === undefined) return p.api.ok<ReplayView>('POST', '/v1/replays', { json });
  const { total } = await p.api.ok<{ total: number }>('POST', '/v1/replays', { json: { ...json, dry_run: true } });
  return p.api.ok<ReplayView>('POST', '/v1/replays', {
    json: { ...json, rate_per_second: Math.ceil(total / seconds) },
  });
}

/** Until it is as it should be; what was seen last otherwise. */
export async function untilReplay(
  { p }: Pick<Trial, 'p'>,
  id: string,
  what: string,
  condition: (job: ReplayView) => boolean,
  timeoutMs = 240_000,
): Promise<ReplayView> {
  let seen: ReplayView | undefined;
  return until(
    `replay ${id} ${what}`,
    async () => {
      seen = await p.api.ok<ReplayView>('GET', `/v1/replays/${id}`);
      return condition(seen) ? seen : undefined;
    },
    { timeoutMs, everyMs: 50, seen: () => seen },
  );
}

export const hasEnded = ({ status, requested }: ReplayView): boolean =>
  ['done', 'failed', 'cancelled'].includes(status) && requested === null;
