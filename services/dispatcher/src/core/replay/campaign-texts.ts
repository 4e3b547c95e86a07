import type { CampaignEvent } from '@volley/contract';
import { type CampaignState, campaignStateOf } from '../campaign-book.ts';

/** What a campaign has said of itself, as far as the log still has it. */
export interface CampaignTexts {
  /** An event of it, in the order of the log, where versions rise. Drafts are left out: no message is of one. */
  add(event: CampaignEvent): void;
  /** As it is; undefined: the log knows nothing of it. */
  newest(): CampaignState | undefined;
  /** As it was for a message that asks for this version or a later one. */
  since(version: number): CampaignState | undefined;
}

export const sameTexts = (a: CampaignState, b: CampaignState): boolean =>
  a.template === b.template &&
  a.subject === b.subject &&
  a.contentType === b.contentType &&
  a.from === b.from &&
  a.replyTo === b.replyTo &&
  a.channel === b.channel &&
  a.provider === b.provider;

/** One state for neighbours that say the same: a campaign that was paused a thousand times has one template. */
export function createCampaignTexts(): CampaignTexts {
  const states: CampaignState[] = [];
  return {
    add(event) {
      const [before, last] = [states.at(-2), states.at(-1)];
      if (event.status === 'draft' || event.version <= (last?.version ?? 0)) return;
      const state = campaignStateOf(event, 0, true);
      // Of those that say the same the first stays for its version, the last one for what else it says.
      if (before && last && sameTexts(before, last) && sameTexts(last, state)) states.pop();
      states.push(state);
    },
    newest: () => states.at(-1),
    since: (version) => states.find((state) => state.version >= version),
  };
}
