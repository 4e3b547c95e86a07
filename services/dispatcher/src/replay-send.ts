import type { HeldReplay } from '@volley/contract/replays';
import type { Tally } from './core/replay/tally.ts';
import { type AskedRedrive, type ReplayDeps, ReplayLeft, ReplayRefused, type Work } from './replay-ports.ts';
import { pause } from './replay-reading.ts';

const LOOK_EVERY_MS = 500;

/** What came of `send`. */
export interface Sent extends AskedRedrive {
  readonly redrive_id: string;
}

/** `send` asks for whole campaigns, with the texts that they have. */
export function refuseToSend({ from, to, kinds, options }: Work['job']): string | undefined {
  if (from !== undefined || to !== undefined || kinds !== undefined)
    return 'what failed is sent again for the whole campaign: without from, to and kinds';
  if (options.template !== undefined || options.subject !== undefined)
    return 'a campaign is sent with its own template and subject, not with those of a replay';
  return undefined;
}

/**
 * After the comparison: the messages that stand failed, dead or expired once more, by a redrive with the id of the replay. A
 * process that dies after it has asked asks again, and there is one redrive. Its own row tells how far it is.
 */
export async function sendAgain(
  d: Pick<ReplayDeps, 'redrives' | 'logger'>,
  work: Work,
  held: HeldReplay,
  tally: Tally,
): Promise<Sent> {
  const { replay_id, campaign_id } = work.job;
  const { failed = 0, dead = 0, expired = 0 } = tally.recorded;
  const patiently = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        d.logger.warn({ err: error, replay_id }, 'the store does not answer: waiting');
        await pause(LOOK_EVERY_MS, work.signal);
      }
    }
  };
  const wanted = { campaignId: campaign_id as string, matched: failed + dead + expired };
  if (!(await patiently(() => d.redrives.ask(held, wanted)))) throw new ReplayLeft('lost');
  try {
    for (;;) {
      const redrive = await patiently(() => d.redrives.find(replay_id));
      if (redrive === undefined) throw new ReplayRefused('the redrive that was asked for is not there');
      if (redrive.status !== 'running') return { redrive_id: replay_id, ...redrive };
      await pause(LOOK_EVERY_MS, work.signal);
    }
  } catch (error) {
    if (error instanceof ReplayLeft && error.why === 'cancel') await d.redrives.cancel(replay_id);
    throw error;
  }
}
