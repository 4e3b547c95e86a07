import { type Check, findings, groupBy, surplusOf } from './facts.ts';

/**
 * I5: the provider took what is sent, and nothing that was refused, cancelled or too late; what it took twice is within
 * the bound, under the same id, and no message more often than processes died.
 */
export const receiptsFit: Check = ({ history, ends, runEnds, taken }, limit) => {
  if (history.receipts.length === 0 && ![...ends.values()].some((end) => end.kind === 'sent')) return 'unknown';
  const recipients = new Map<string, string>();
  for (const { messageId, recipient } of [...history.messages, ...history.events])
    if (recipient !== '') recipients.set(messageId, recipient);
  const named = history.receipts.filter((receipt) => receipt.recipient !== undefined);
  const otherId = [...groupBy(named, (receipt) => (receipt.recipient as string).toLowerCase())]
    .filter(([, group]) => new Set(group.map((receipt) => receipt.messageId)).size > 1)
    .map(([, group]) => group.map((receipt) => receipt.messageId).join(' and '));
  const elsewhere = named.filter(
    ({ messageId, recipient }) =>
      recipients.has(messageId) && recipients.get(messageId)?.toLowerCase() !== recipient?.toLowerCase(),
  );
  // A message that failed, was redriven and taken then was taken rightly; each run may be taken once.
  const sentRuns = groupBy(
    [...runEnds.values()].filter((end) => end.kind === 'sent'),
    (end) => end.messageId,
  );
  const sent = [...ends].filter(([, end]) => end.kind === 'sent').map(([id]) => id);
  const notSent = [...ends.keys()].filter((id) => !sentRuns.has(id));
  const surplus = surplusOf(taken);
  const often = [...taken].filter(([, group]) => group.length > 1 + limit.duplicatesOfOne).map(([id]) => id);
  return findings({
    'sent, but the provider never took it': sent.filter((id) => !taken.has(id)),
    // A death between the provider's answer and the event leaves an unknown answer; without one there is none.
    'taken by the provider, but not sent': limit.duplicateSends === 0 ? notSent.filter((id) => taken.has(id)) : [],
    'recipients who got more than one message id': otherId,
    'receipts under the id of somebody else': elsewhere.map((receipt) => receipt.messageId),
    [`duplicateSends: ${surplus}, at most ${limit.duplicateSends} can be explained`]:
      surplus > limit.duplicateSends ? [...taken].filter(([, group]) => group.length > 1).map(([id]) => id) : [],
    [`taken more often than ${limit.duplicatesOfOne} deaths explain`]: often,
  });
};
