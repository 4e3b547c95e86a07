import type { ServiceName } from '../../apps/cli/src/platform.ts';
import type { Contact } from './api-client.ts';
import { check, type Verdict } from './checker/check.ts';
import type { Allowance } from './history.ts';
import { people } from './people.ts';
import { historyOf } from './platform-history.ts';
import type { TestPlatform } from './test-platform.ts';

/** Messages of a fault test: many enough that a fault meets some that are done, some on their way and some not begun. */
export const MESSAGES = 2_000;

export interface Running {
  readonly id: string;
  readonly expected: number;
}

/** An audience and a draft, so that a failpoint armed after it meets `send` and what follows, and nothing before. */
export async function draft(
  p: TestPlatform,
  tag: string,
  options: {
    readonly count?: number;
    readonly script?: (n: number) => string;
    /** Fields of the campaign beyond the defaults. */
    readonly campaign?: Readonly<Record<string, unknown>>;
  } = {},
): Promise<Running> {
  const expected = options.count ?? MESSAGES;
  const contacts: Contact[] = people(tag, expected, options.script);
  await p.api.importContacts(contacts);
  const content = { segment_rule: tag, template: 'Hi {{name}} from {{city}}', ...options.campaign };
  return { id: await p.api.create(content), expected };
}

/** Waits for the end and judges. Throws with the services' last lines when the campaign does not end. */
export async function finish(
  p: TestPlatform,
  { id, expected }: Running,
  allowed: Partial<Allowance> = {},
): Promise<Verdict> {
  try {
    await p.api.untilEnded(id, 60_000);
  } catch (error) {
    const logs = (['ingest-api', 'dispatcher', 'sink'] as ServiceName[]).map((s) => `${s}:\n${p.logTail(s, 8)}`);
    throw new Error(`${(error as Error).message}\n${logs.join('\n')}`);
  }
  return check(await historyOf(p, id, expected, { afterKill: true }), allowed);
}

/** What t.log prints of a fault: the evidence, whether or not anything was doubled. */
export const summary = ({ states, doubled }: Verdict): string => {
  const nonZero = Object.entries(states).filter(([, count]) => count > 0);
  const twice = Object.entries(doubled).map(([what, count]) => `${what} ${count}`);
  return `${nonZero.map(([state, count]) => `${state} ${count}`).join(', ')}; ${twice.join(', ')}`;
};
