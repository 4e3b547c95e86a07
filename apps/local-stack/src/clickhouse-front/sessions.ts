import type { Connection } from './engine.ts';
import { refusals } from './errors.ts';

export interface Sessions {
  /** The session's own connection, for one request at a time. `leave` starts its timeout anew. Ids are a user's own. */
  enter(
    user: string,
    wish: { id: string; timeoutMs: number; mustExist: boolean },
  ): {
    connection: Connection;
    /** What a session begins with: done once, before anything else, and again if it failed. */
    prepare(work: () => Promise<unknown>): Promise<void>;
    leave(): void;
  };
  closeAll(): void;
}

interface Session {
  connection: Connection;
  busy: boolean;
  prepared: boolean;
  timer: NodeJS.Timeout | undefined;
}

const maxSessions = 64;

/** HTTP sessions: a connection that outlives its request, so SET, USE and temporary tables last. */
export function createSessions(connect: () => Connection): Sessions {
  const sessions = new Map<string, Session>();

  function end(key: string): void {
    const session = sessions.get(key);
    if (session === undefined) return;
    clearTimeout(session.timer);
    sessions.delete(key);
    session.connection.close();
  }

  return {
    enter(user, { id, timeoutMs, mustExist }) {
      const key = `${user}\0${id}`;
      let session = sessions.get(key);
      if (session === undefined) {
        if (mustExist) throw refusals.sessionNotFound(`Session ${id} not found.`);
        if (sessions.size >= maxSessions) throw refusals.tooManyQueries(`There are ${maxSessions} sessions already.`);
        session = { connection: connect(), busy: false, prepared: false, timer: undefined };
        sessions.set(key, session);
      }
      if (session.busy) throw refusals.sessionLocked(`Session ${id} is locked by a concurrent client.`);
      session.busy = true;
      clearTimeout(session.timer);
      const entered = session;
      return {
        connection: entered.connection,
        async prepare(work) {
          if (!entered.prepared) await work();
          entered.prepared = true;
        },
        leave() {
          entered.busy = false;
          entered.timer = setTimeout(() => end(key), timeoutMs).unref();
        },
      };
    },
    closeAll() {
      for (const key of [...sessions.keys()]) end(key);
    },
  };
}
