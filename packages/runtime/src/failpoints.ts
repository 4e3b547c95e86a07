import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * Named places where a test makes the process fail. Inert unless configured: without VOLLEY_FAILPOINTS a hit costs one
 * property read. Form: `name:action[:n]`, separated by commas; the action happens at the n-th hit (1 by default), once.
 *
 *   kill                SIGKILL to the process itself: nothing is flushed, no handler runs
 *   throw               the code at this place fails before its effect
 *   execute-then-throw  the effect happens, then the code is told that it failed (`hitAfter`)
 *   hang                never returns
 *
 * `@/path/to/file` reads the form from a file and empties it: a process that was killed and started again by its
 * supervisor, under the same environment, finds nothing armed.
 */
export type FailpointAction = 'kill' | 'throw' | 'execute-then-throw' | 'hang';

export class FailpointError extends Error {
  override readonly name = 'FailpointError';
}

export interface Failpoints {
  /** Before an effect, or between two of them. */
  hit(name: string): void | Promise<void>;
  /** Runs the effect; with `execute-then-throw` rejects although it was done. */
  around<T>(name: string, effect: () => Promise<T>): Promise<T>;
}

const actions = new Set<string>(['kill', 'throw', 'execute-then-throw', 'hang']);

function takeFromFile(path: string): string {
  if (!existsSync(path)) return '';
  const text = readFileSync(path, 'utf8').trim();
  writeFileSync(path, '');
  return text;
}

export function createFailpoints(given: string | undefined): Failpoints {
  const spec = given?.startsWith('@') ? takeFromFile(given.slice(1)) : given;
  if (!spec) return { hit: () => {}, around: (_name, effect) => effect() };
  const armed = new Map<string, { action: FailpointAction; left: number }>();
  for (const part of spec.split(',').filter(Boolean)) {
    const [name, action, n] = part.trim().split(':');
    if (!name || !action || !actions.has(action) || (n !== undefined && !/^[1-9]\d*$/.test(n)))
      throw new Error(`VOLLEY_FAILPOINTS: cannot read ${part}`);
    armed.set(name, { action: action as FailpointAction, left: Number(n ?? 1) });
  }
  const due = (name: string): FailpointAction | undefined => {
    const point = armed.get(name);
    if (!point || --point.left > 0) return undefined;
    armed.delete(name);
    return point.action;
  };
  const act = (name: string, action: FailpointAction): void | Promise<void> => {
    if (action === 'kill') {
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => {});
    }
    if (action === 'hang') return new Promise(() => {});
    throw new FailpointError(name);
  };
  return {
    hit(name) {
      const action = due(name);
      if (action) return act(name, action);
    },
    async around(name, effect) {
      const action = due(name);
      if (!action) return effect();
      if (action === 'execute-then-throw') {
        await effect();
        throw new FailpointError(name);
      }
      await act(name, action);
      return effect();
    },
  };
}
