import { type Check, findings } from './facts.ts';

/** I2: every record, event, row, dead letter and receipt is of a message that somebody asked for. */
export const nothingUnexpected: Check = ({ history, accepted, unsure }) => {
  const lists = {
    messages: history.messages,
    'moved messages': history.moved,
    events: history.events,
    'dead letters': history.deadLetters,
    rows: history.rows,
    receipts: history.receipts,
  };
  if (Object.values(lists).every((list) => list.length === 0)) return 'unknown';
  return findings(
    Object.fromEntries(
      Object.entries(lists).map(([what, list]) => [
        `${what} of nobody who was asked for`,
        [...new Set(list.map((item) => item.messageId))].filter((id) => !accepted.has(id) && !unsure.has(id)),
      ]),
    ),
  );
};
