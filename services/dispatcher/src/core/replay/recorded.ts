import { createRepeatRule, type DeliveryEvent, isTerminal, ordinalIn, type Reason } from '@volley/contract';
import type { MessageTable } from './message-table.ts';

/**
 * The events of one partition of deliveries by rising offset, each once -> how each message of the table ended. The repeat
 * rule says which events count, so this says what progress, the sink and the statistics say.
 */
export function createRecordedEnds(
  campaignId: string,
  table: MessageTable,
  window?: number,
): (offset: number, event: DeliveryEvent) => void {
  const rule = createRepeatRule(window);
  return (offset, event) => {
    const { message_id, run, kind } = event;
    if (event.campaign_id !== campaignId || ordinalIn(message_id, campaignId) === undefined) return;
    if (!table.isIn(message_id) || !table.has(message_id)) return;
    if (rule.offer(offset, event) === 'repeat') return;
    if (kind === 'redriven') table.begin(message_id, run);
    // A deferral without a provider was no attempt: a pause, a limit, an open breaker.
    else if (kind === 'deferred' && event.provider !== '') table.failedAttempt(message_id, run, event.occurred_at);
    else if (kind === 'deferred') table.begin(message_id, run);
    else if (isTerminal(kind)) {
      const { attempt, occurred_at: endedAtMs } = event;
      table.end(message_id, run, { kind, reason: event.reason as Reason | '', attempt, endedAtMs });
    }
  };
}
