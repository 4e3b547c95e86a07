import test from 'ava';
import { suffixOf } from '../../src/core/replay/tables.ts';
import { event, newCampaignId, until } from '../support.ts';
import { contentsOf } from '../tables/derived.ts';
import { openPlace, type Place } from './place.ts';

const PER = 700;

/** What a campaign writes, deferrals and failures among it. */
const eventsOf = (campaign_id: string, from: number, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const n = from + i;
    return event(n, {
      campaign_id,
      e2e_ms: 20 + ((n * 7_919) % 3_000),
      ...(n % 9 === 0 ? { kind: 'failed' as const, reason: 'recipient_refused', dlq_partition: 0, dlq_offset: n } : {}),
    });
  });

async function withEvents(
  p: Place,
): Promise<{ campaigns: string[]; more: (from: number, count: number) => Promise<void> }> {
  const campaigns = Array.from({ length: p.partitions }, newCampaignId);
  const more = async (from: number, count: number) => {
    for (const [partition, campaign] of campaigns.entries())
      await p.produce(eventsOf(campaign, from, count), partition);
  };
  await more(1, PER);
  return { campaigns, more };
}

/** Every record of the log is one row, and one event of every rollup. */
async function exact(p: Place, records: number): Promise<boolean> {
  const [row] = await p.db.rows<Record<string, string>>(
    `SELECT sum(raw_rows) AS raw, sum(log_records) AS places, sum(minute_events) AS minutes, sum(hour_events) AS hours,
       sum(campaign_events) AS totals, sum(listed_messages) AS listed FROM campaign_audit`,
  );
  return Object.values(row ?? {}).every((value) => Number(value) === records);
}
const untilExact = (p: Place, records: number) =>
  until(`${records} records are ${records} rows`, () => exact(p, records), 60_000);

test('the tables are rebuilt beside live ingest, found equal, swapped, and taken back', async (t) => {
  const p = await openPlace(t);
  const { more } = await withEvents(p);
  p.start('main');
  await untilExact(p, PER * 3);
  const before = await contentsOf(p.db);
  const id = await p.ask();
  const replay = p.start('replay');
  await more(PER + 1, 50);
  const done = await p.jobs.ended(id);
  t.is(done.status, 'done', done.error ?? '');
  t.like(done.result, { equal: true, swapped: true, records: PER * 3 });
  t.is(done.result?.comparison?.differing, 0);
  await more(PER + 51, 50);
  await untilExact(p, (PER + 100) * 3);
  t.deepEqual(await p.db.store.generation(), { ok: true, generation: id.replaceAll('-', '').slice(-12) });
  t.notDeepEqual(await contentsOf(p.db), before);

  const beside = suffixOf(id.replaceAll('-', '').slice(-12));
  const [old] = await p.db.rows<{ n: string }>(`SELECT count() AS n FROM delivery_raw${beside}`);
  t.true(Number(old?.n) >= PER * 3 && Number(old?.n) < (PER + 100) * 3);
  await p.jobs.request(id, 'undo_requested');
  const undone = await p.jobs.ended(id);
  t.is(undone.status, 'done', undone.error ?? '');
  t.like(undone.result, { swapped: false, undone: true });
  t.deepEqual(await p.db.store.generation(), { ok: true, generation: '0' });
  await more(PER + 101, 20);
  await untilExact(p, (PER + 120) * 3);
  const left = await p.db.rows(
    `SELECT name FROM system.tables WHERE database = '${p.db.name}' AND name LIKE '%replay%'`,
  );
  t.deepEqual(left, []);
  await p.stop(replay);
  t.is(replay.exitCode, 0);
});

test('SIGKILL half way and at every step of a swap: the next process goes on, and everything is there once', async (t) => {
  const p = await openPlace(t);
  const { campaigns, more } = await withEvents(p);
  p.start('main');
  await untilExact(p, PER * 3);
  // Something that cannot be stored is in both or in neither.
  await p.produce([{ ...eventsOf(campaigns[0] as string, 1, 1)[0], message_id: 'none' } as never], 0);
  const id = await p.ask({}, { rate: 1_000 });
  const child = p.start('replay');
  await until('it is half way', async () => (await p.jobs.job(id)).done > (PER * 3) / 2);
  await p.stop(child, 'SIGKILL');
  const points = [
    'afterRanges',
    'afterHold',
    'afterClose',
    'afterProof',
    'afterFill',
    'afterDecision',
    'afterExchange',
  ];
  for (const [i, point] of points.entries()) {
    await p.jobs.endLeases();
    const next = p.start('replay', { VOLLEY_FAILPOINTS: `replay.${point}:kill` });
    await more(PER + 1 + i * 10, 10);
    await until(`it died at replay.${point}`, () => next.signalCode === 'SIGKILL', 60_000);
  }
  await p.jobs.endLeases();
  p.start('replay');
  const done = await p.jobs.ended(id);
  t.is(done.status, 'done', done.error ?? '');
  t.like(done.result, { equal: true, swapped: true, records: PER * 3 + 1 });
  await untilExact(p, (PER + points.length * 10) * 3);
  await more(PER + 1_000, 10);
  await untilExact(p, (PER + points.length * 10 + 10) * 3);
});

test('live tables that are wrong are told and left; one campaign, paused and resumed, is compared only', async (t) => {
  const p = await openPlace(t);
  const { campaigns } = await withEvents(p);
  const sink = p.start('main');
  await untilExact(p, PER * 3);
  await p.stop(sink);
  const campaignId = campaigns[1] as string;
  const one = await p.ask({}, { campaignId, rate: 400 });
  const first = p.start('replay');
  await until('it has begun', async () => (await p.jobs.job(one)).done > 100);
  await p.jobs.request(one, 'pause_requested');
  await until('it is paused', async () => (await p.jobs.job(one)).status === 'paused');
  const { done } = await p.jobs.job(one);
  t.true(done < PER * 3, `${done}`);
  await p.stop(first);
  t.is(first.exitCode, 0);
  await p.jobs.resume(one);
  p.start('replay');
  t.like((await p.jobs.ended(one)).result, {
    equal: true,
    swapped: false,
    not_swapped: 'it was asked for one campaign',
    comparison: { rows: PER, differing: 0 },
  });

  await p.db.client.command({ query: 'INSERT INTO delivery_by_hour SELECT * FROM delivery_by_hour LIMIT 1' });
  await p.db.client.command({ query: `DELETE FROM delivery_raw WHERE campaign_id = '${campaignId}' AND ordinal = 7` });
  const all = await p.ask();
  const { result } = await p.jobs.ended(all);
  t.like(result, { equal: false, swapped: false, not_swapped: 'they differ from the live ones' });
  const tables = new Set(result?.comparison?.differences.map(({ table }) => table));
  t.deepEqual([...tables].sort(), ['delivery_by_hour', 'delivery_raw']);
  t.like(
    result?.comparison?.differences.find(({ table }) => table === 'delivery_raw'),
    { live: { rows: PER * 3 - 1, places: PER * 3 - 1 }, rebuilt: { rows: PER * 3, places: PER * 3 } },
  );
  t.deepEqual(await p.db.store.generation(), { ok: true, generation: '0' });
  const again = await p.ask({ swap: 'always' });
  t.like((await p.jobs.ended(again)).result, { equal: false, swapped: true });
  await untilExact(p, PER * 3);
});
