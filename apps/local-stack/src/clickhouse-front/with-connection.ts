import type { Connection } from './engine.ts';
import type { Front } from './front.ts';
import { prelude, restoration, type SettingState, stateQuestion } from './prelude.ts';
import type { RunningQuery } from './running-queries.ts';
import type { Asked } from './statement-of-request.ts';

/**
 * A connection with one request's database, settings and parameters: a new one, or the session's, which gets back what it
 * had. `own` are settings that the request cannot change, by what the session has.
 */
export async function withConnection<T>(
  { engine, sessions }: Front,
  { user, wishes }: Asked,
  query: RunningQuery,
  own: (states: readonly SettingState[]) => Map<string, string>,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  if (wishes.session === undefined) {
    const connection = engine.connect();
    try {
      await connection.query(prelude(wishes, query.mark, own([])), 'Null');
      query.signal.throwIfAborted();
      return await work(connection);
    } finally {
      connection.close();
    }
  }
  const { connection, prepare, leave } = sessions.enter(user.name, wishes.session);
  try {
    if (user.readonly) await prepare(() => connection.query('SET readonly = 2', 'Null'));
    const answer = await connection.query(stateQuestion(wishes), 'JSONEachRow');
    const states = Buffer.from(answer.bytes)
      .toString('utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as SettingState);
    const ours = own(states);
    const changed = states.filter(({ name }) => name === 'log_comment' || wishes.settings.has(name) || ours.has(name));
    try {
      await connection.query(prelude(wishes, query.mark, ours), 'Null');
      query.signal.throwIfAborted();
      return await work(connection);
    } finally {
      await connection.query(restoration(changed, wishes), 'Null');
    }
  } finally {
    leave();
  }
}
