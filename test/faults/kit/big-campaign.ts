import { campaignIdOfMessage, createDecoder, HEADERS, isTerminal, ordinalIn, TERMINAL_KINDS } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { sumOf } from '../../support/api-client.ts';
import type { Verdict } from '../../support/checker/check.ts';
import { NOTHING_DOUBLED, type Receipt } from '../../support/history.ts';
import { until } from '../../support/until.ts';
import type { Trial } from './trial.ts';

type Place = (message: { readonly key: Buffer | null; readonly value: Buffer | null; readonly id: string }) => void;

/** Every record of these topics under the campaign's key, without keeping any. */
async function eachRecord({ p }: Trial, topics: readonly string[], id: string, look: Place): Promise<void> {
  const admin = await p.client.admin();
  try {
    for (const topic of topics) {
      const bounds = await admin.logBounds(topic);
      const ranges = bounds
        .map(({ start, end }, partition) => ({ topic, partition, from: start, to: end }))
        .filter(({ from, to }) => from < to);
      const key = Buffer.from(id);
      if (ranges.length > 0)
        await p.client.readRanges({
          ranges,
          onRecord(record) {
            if (record.key?.equals(key))
              look({ key: record.key, value: record.value, id: record.headers[HEADERS.messageId]?.toString() ?? '' });
          },
        });
    }
  } finally {
    await admin.close();
  }
}

/**
 * I1, I2, I4, I5 and I6 for a campaign of an audience that is too large for the checker, which keeps every record of a
 * history at once: a byte for each message and source here.
 */
export async function judgeBigCampaign(
  trial: Trial,
  { id, expected }: { readonly id: string; readonly expected: number },
): Promise<Verdict> {
  const { p } = trial;
  const problems: string[] = [];
  const count = (of: Uint8Array, is: (n: number) => boolean) =>
    of.subarray(1).reduce((sum, n) => sum + Number(is(n)), 0);
  const mustBeNone = (what: string, found: number) => {
    if (found > 0) problems.push(`${found} ${what}`);
  };
  let strangers = 0;
  const tally = () => new Uint8Array(expected + 1);
  const add = (to: Uint8Array, messageId: string) => {
    const n = ordinalIn(messageId, id) ?? 0;
    if (n < 1 || n > expected) strangers += 1;
    else to[n] = Math.min(255, (to[n] as number) + 1);
    return n;
  };

  const lane = tally();
  const { messages, deliveries } = p.topics;
  await eachRecord(trial, [messages.bulk, messages.transactional], id, (record) => void add(lane, record.id));

  const registry = createRegistry({ url: p.stores.registry, clientId: 'big-campaign', nowMs: () => performance.now() });
  await registry.store.load(await registry.idOf(deliveries, 'DeliveryEvent'));
  const decode = createDecoder('DeliveryEvent', registry.store);
  const ends = tally();
  const kinds = tally();
  let unread = 0;
  await eachRecord(trial, [deliveries], id, ({ value }) => {
    const decoded = decode(value);
    if (!decoded.ok) unread += 1;
    else if (isTerminal(decoded.value.kind)) {
      const n = add(ends, decoded.value.message_id);
      if (ends[n] === 1) kinds[n] = TERMINAL_KINDS.indexOf(decoded.value.kind as (typeof TERMINAL_KINDS)[number]) + 1;
    }
  });
  const states = Object.fromEntries(TERMINAL_KINDS.map((kind, i) => [kind, count(kinds, (k) => k === i + 1)]));

  const taken = tally();
  for (const { messageId } of receiptsOfCampaign(trial, id)) add(taken, messageId);
  const sent = TERMINAL_KINDS.indexOf('sent') + 1;
  const takenNotSent = taken.reduce((sum, n, i) => sum + Number(n > 0 && kinds[i] !== sent), 0);
  const sentNotTaken = taken.reduce((sum, n, i) => sum + Number(n === 0 && kinds[i] === sent), 0);

  mustBeNone('events cannot be read', unread);
  mustBeNone('records, events or receipts are of nobody in the audience', strangers);
  mustBeNone(
    'messages are not in the log',
    count(lane, (n) => n === 0),
  );
  mustBeNone(
    'messages are in the log twice',
    count(lane, (n) => n > 1),
  );
  mustBeNone(
    'messages did not end',
    count(ends, (n) => n === 0),
  );
  mustBeNone(
    'messages ended twice',
    count(ends, (n) => n > 1),
  );
  mustBeNone(
    'messages were taken by the provider twice',
    count(taken, (n) => n > 1),
  );
  mustBeNone('messages were taken by the provider and ended otherwise', takenNotSent);
  mustBeNone('messages ended as sent and the provider never took them', sentNotTaken);

  const stats = await p.api.stats(id);
  if (stats.total !== expected || sumOf(stats) !== expected || stats.queued + stats.retrying !== 0)
    problems.push(`the states do not add up to ${expected}: ${JSON.stringify(stats)}`);
  const differing = TERMINAL_KINDS.filter((kind) => stats[kind] !== states[kind]);
  if (differing.length > 0) problems.push(`stats and log differ in ${differing}: ${JSON.stringify(states)}`);
  let rows: Record<string, number> = {};
  await until(
    'ClickHouse counts what the log says',
    async () => {
      rows = await analyticsOf(trial, id);
      return TERMINAL_KINDS.every((kind) => Number(rows[kind] ?? 0) === states[kind]);
    },
    { timeoutMs: 60_000, everyMs: 500 },
  ).catch(() => void problems.push(`ClickHouse and log differ: ${JSON.stringify([rows, states])}`));

  const outcomes = { I3: 'unknown', I7: 'unknown', I8: 'unknown', I9: 'unknown' } as const;
  const held = problems.length === 0 ? 'held' : 'broken';
  return {
    problems,
    outcomes: { ...outcomes, I1: held, I2: held, I4: held, I5: held, I6: held },
    doubled: {
      ...NOTHING_DOUBLED,
      doubledMessages: count(lane, (n) => n > 1),
      doubledEvents: count(ends, (n) => n > 1),
      duplicateSends: count(taken, (n) => n > 1),
    },
    states,
    lost: count(ends, (n) => n === 0),
    accepted: expected,
  };
}

async function analyticsOf({ p }: Trial, id: string): Promise<Record<string, number>> {
  const columns = TERMINAL_KINDS.join(', ');
  const query = `SELECT ${columns} FROM campaign_stats WHERE campaign_id = {id:String}`;
  const [row] = await p.clickhouse.query<Record<string, number>>(query, { id });
  return row ?? {};
}

export const receiptsOfCampaign = (trial: Trial, id: string): Receipt[] =>
  trial.receipts().filter(({ messageId }) => campaignIdOfMessage(messageId) === id);
