import { draft, type Running } from '../../support/faults.ts';
import type { History } from '../../support/history.ts';
import { until } from '../../support/until.ts';
import { sendSurely } from './load.ts';
import type { Sending } from './sending.ts';
import type { JudgeOptions, Trial } from './trial.ts';

export function sendingOf({ sending }: Trial): Sending {
  if (sending === undefined) throw new Error('this scenario needs providers of its own');
  return sending;
}

/** Time in which something can have happened: a burst lasts so long, and nothing is waited for meanwhile. */
export const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export interface Half {
  readonly provider: 'hooks' | 'mail';
  readonly script?: (n: number) => string;
  readonly campaign?: Readonly<Record<string, unknown>>;
}

/**
 * One campaign through webhooks and one through mail, half of the messages each, so that what one provider does can be seen
 * not to be felt by the other. `during` begins when both deliver. Answers what is known of each, in the order given.
 */
export async function sideBySide(
  trial: Trial,
  how: { readonly halves: readonly [Half, Half]; readonly lastsS: number; readonly judging?: JudgeOptions },
  during: () => Promise<void>,
): Promise<readonly [History, History]> {
  const { p, tag } = trial;
  const { hooks, mail } = sendingOf(trial);
  const count = Math.ceil(trial.messages / 2);
  const running: Running[] = [];
  for (const { provider, script, campaign } of how.halves)
    running.push(
      await draft(p, `${tag}${provider}`, {
        count,
        ...(script === undefined ? {} : { script }),
        campaign: {
          provider,
          channel: provider === 'mail' ? 'smtp' : 'webhook',
          rate_per_second: count / how.lastsS,
          ...(provider === 'mail' ? { subject: 'Hi {{name}}' } : {}),
          ...campaign,
        },
      }),
    );
  const before = [hooks.entries.length, mail.entries.length];
  for (const { id } of running) await sendSurely(trial, id);
  await until(
    'both providers get messages',
    () => hooks.entries.length > (before[0] ?? 0) + 20 && mail.entries.length > (before[1] ?? 0) + 20,
  );
  await during();
  for (const { id } of running) await p.api.untilEnded(id, 180_000);
  const receipts = [...hooks.receipts(), ...mail.receipts()];
  const { known, ...judging } = how.judging ?? {};
  const [first, second] = await trial.judgeAll(running, { ...judging, known: { receipts, ...known } });
  return [first as History, second as History];
}
