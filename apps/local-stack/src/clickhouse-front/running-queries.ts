import { randomUUID } from 'node:crypto';
import type { Connection, Engine } from './engine.ts';
import { refusals } from './errors.ts';
import { quoteText } from './sql-text.ts';

export interface RunningQuery {
  queryId: string;
  user: string;
  /** The engine gives its queries ids of its own; this text, in `log_comment`, is how one of ours is found again. */
  mark: string;
  signal: AbortSignal;
  /** It has its place at the gate; from here on only `kill` ends it. */
  begun(): void;
  /** Ends it in the engine; safe at any moment, also before the engine has begun or after it has finished. */
  kill(reason: string): void;
  /** Ends it if it still waits for its place. */
  giveUp(reason: string): void;
  finish(): void;
}

export interface RunningQueries {
  begin(queryId: string, user: string): RunningQuery;
  find(queryId: string): RunningQuery | undefined;
  count(): number;
  killAll(reason: string): void;
  /** Resolves when none is left. */
  idle(): Promise<void>;
}

const killEveryMs = 100;

export function createRunningQueries(engine: Engine): RunningQueries {
  const running = new Map<string, RunningQuery>();
  let onIdle: (() => void)[] = [];

  async function killInEngine(mark: string, finished: () => boolean): Promise<void> {
    // Until it is gone: between our call and the engine's list of processes there is a gap in which KILL finds nothing.
    while (!finished()) {
      let connection: Connection | undefined;
      try {
        connection = engine.connect();
        await connection.query(
          `KILL QUERY WHERE startsWith(Settings['log_comment'], ${quoteText(mark)}) ASYNC`,
          'Null',
        );
      } catch {
        // The engine may be too busy to take it now; the loop asks again.
      } finally {
        connection?.close();
      }
      await new Promise((resolve) => setTimeout(resolve, killEveryMs));
    }
  }

  return {
    begin(queryId, user) {
      if (running.has(queryId)) throw refusals.sameId(`Query with id = ${queryId} is already running.`);
      const controller = new AbortController();
      let state: 'waiting' | 'begun' | 'killed' | 'finished' = 'waiting';
      const query: RunningQuery = {
        queryId,
        user,
        mark: `volley:${randomUUID()}`,
        signal: controller.signal,
        begun() {
          if (state === 'waiting') state = 'begun';
        },
        kill(reason) {
          if (state === 'finished' || state === 'killed') return;
          const inEngine = state === 'begun';
          state = 'killed';
          controller.abort(refusals.cancelled(reason));
          if (inEngine) void killInEngine(query.mark, () => state === 'finished');
        },
        giveUp(reason) {
          if (state === 'waiting') query.kill(reason);
        },
        finish() {
          state = 'finished';
          running.delete(queryId);
          if (running.size > 0) return;
          for (const resolve of onIdle) resolve();
          onIdle = [];
        },
      };
      running.set(queryId, query);
      return query;
    },
    find: (queryId) => running.get(queryId),
    count: () => running.size,
    killAll(reason) {
      for (const query of running.values()) query.kill(reason);
    },
    idle: () => (running.size === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve))),
  };
}
