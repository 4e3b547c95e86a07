import type { Message } from '@volley/contract';
import type { CampaignState } from './core/campaign-book.ts';
import { type OutgoingMessage, prepare } from './core/outgoing.ts';
import { sameTexts } from './core/replay/campaign-texts.ts';
import type { RecordedEnd } from './core/replay/message-table.ts';
import { categoryOf, isAnother, outcomeNow, type ReadNow } from './core/replay/outcome.ts';
import type { Reread } from './core/replay/reread.ts';
import { countCompared, type Tally } from './core/replay/tally.ts';
import type { ReplayDeps } from './replay-ports.ts';

/** One message: what would become of it beside what became of it (undefined: it has not ended), counted. */
export type Comparison = (
  tally: Tally,
  read: Extract<Reread, { is: 'message' | 'unreadable' }>,
  recorded: RecordedEnd | undefined,
) => void;

export function createComparison(
  d: Pick<ReplayDeps, 'newRenderer' | 'provider' | 'policy'>,
  campaign: {
    readonly now: CampaignState;
    /** As it was for a message of this version. */
    readonly since: (version: number) => CampaignState | undefined;
  },
): Comparison {
  const { now, since } = campaign;
  // One each: a renderer keeps one template of a campaign, and these are two.
  const [renderNow, renderThen] = [d.newRenderer().render, d.newRenderer().render];
  // Where a provider is no longer configured, what it asked of a message is known from the campaign's channel alone.
  const channelOf = (c: CampaignState) => d.provider(c.channel, c.provider) ?? { kind: c.channel, from: undefined };
  const channel = channelOf(now);

  /** What was made of it then; undefined: the same, because the campaign says the same. */
  function madeThen(message: Message): { readonly outgoing: OutgoingMessage | undefined } | undefined {
    const then = since(message.campaign_version) ?? now;
    if (sameTexts(then, now)) return undefined;
    const made = prepare(message, then, channelOf(then), renderThen);
    return { outgoing: made.ok ? made.message : undefined };
  }

  return (tally, read, recorded) => {
    if (recorded === undefined) {
      tally.messages += 1;
      tally.not_recorded += 1;
      return;
    }
    const message = read.is === 'message' ? read.message : undefined;
    const readNow: ReadNow = read.is === 'message' ? { ok: true, message: read.message } : { ok: false, ...read };
    const prepared = (m: Message) => prepare(m, now, channel, renderNow);
    const outcome = outcomeNow(recorded, readNow, now, prepared, d.policy);
    const then = message === undefined || outcome.outgoing === undefined ? undefined : madeThen(message);
    const differs =
      then !== undefined &&
      (then.outgoing === undefined || outcome.outgoing === undefined || isAnother(then.outgoing, outcome.outgoing));
    countCompared(tally, {
      messageId: read.messageId,
      recipient: message?.recipient ?? '',
      category: categoryOf(recorded, outcome, differs),
      recorded,
      now: outcome,
      before: then?.outgoing,
    });
  };
}
