import type { QueryWishes } from './request.ts';
import { quoteName, quoteText } from './sql-text.ts';

/**
 * The statements that give a connection one request's database, settings and parameters, in one call.
 * Parameters are SET like settings, for this connection alone: binding them through the engine's C call is serialised
 * process-wide, and parallel use of it can end the engine.
 */
export function prelude(wishes: QueryWishes, mark: string, own: Map<string, string>): string {
  const assignments = new Map<string, string>();
  const comment = wishes.settings.get('log_comment');
  // The embedded engine reads `1 + 1` as a query; the server calls it a syntax error.
  assignments.set('implicit_select', '0');
  assignments.set('log_comment', comment === undefined ? mark : `${mark} ${comment}`);
  for (const [name, value] of wishes.params) assignments.set(name, value);
  for (const [name, value] of wishes.settings) if (name !== 'log_comment') assignments.set(name, value);
  // Last: what the front sets no request can change.
  for (const [name, value] of own) assignments.set(name, value);
  const use = wishes.database === undefined ? '' : `USE ${quoteName(wishes.database)}; `;
  return `${use}SET ${[...assignments].map(([name, value]) => `${name} = ${quoteText(value)}`).join(', ')}`;
}

/** In a session the next request must find the session's own values: the question for what `restoration` puts back. */
export function stateQuestion(wishes: QueryWishes): string {
  const ours = ['log_comment', 'max_result_bytes', 'result_overflow_mode'];
  const names = [...ours, ...wishes.settings.keys()].map(quoteText).join(', ');
  return `SELECT name, value, changed, currentDatabase() AS db FROM system.settings WHERE name IN (${names})`;
}

export interface SettingState {
  name: string;
  value: string;
  changed: number;
  db: string;
}

export function restoration(states: SettingState[], wishes: QueryWishes): string {
  const use = wishes.database === undefined || states[0] === undefined ? '' : `USE ${quoteName(states[0].db)}; `;
  return `${use}SET ${states.map(({ name, value, changed }) => `${name} = ${changed ? quoteText(value) : 'DEFAULT'}`).join(', ')}`;
}
