/**
 * What a campaign does to those beside it.
 * - Ten campaigns of 1,000 sent together: their p95, alone and beside one of VOLLEY_BENCH_LARGE (1,000,000) that was
 *   sent before them, in the bulk lane (fair turns only) and in the transactional lane (lane and fair turns).
 * - One fast campaign: its rate alone, and with a campaign of 10 a second and a paused one on the same partition.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { partitionsOf } from '@volley/contract';
import { type CampaignView, createApi, type StatsView } from '../src/api.ts';
import { peopleNdjson } from '../src/people.ts';
import { startPlatform } from '../src/platform.ts';

const LARGE = Number(process.env.VOLLEY_BENCH_LARGE ?? 1_000_000);
const SMALL = 1_000;
const TEN = 10;
const FAST = 50_000;
const PARTITIONS = 12;

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this through npm run bench`);
  return value;
}

const temp = join(need('VOLLEY_TEST_TEMP'), 'neighbours');
const platform = await startPlatform({
  root: temp,
  dataDir: join(temp, 'data'),
  logDir: join(temp, 'logs'),
  cacheDir: temp,
  anyPorts: true,
  external: {
    kafka: need('VOLLEY_TEST_KAFKA'),
    registry: need('VOLLEY_TEST_REGISTRY'),
    postgres: need('VOLLEY_TEST_POSTGRES'),
    clickhouse: need('VOLLEY_TEST_CLICKHOUSE'),
  },
  env: { VOLLEY_NAMESPACE: 'neighbours', VOLLEY_CLICKHOUSE_DATABASE: 'neighbours' },
  log: () => {},
  onCrash: () => {},
});

const say = (line: string) => process.stderr.write(`${line}\n`);
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

try {
  const stack = platform.describe();
  const api = createApi(stack.api, stack.api_key);
  const audience = (tag: string, count: number) =>
    api.upload('/v1/contacts/import', 'application/x-ndjson', peopleNdjson(count, tag));
  const draft = async (segment: string, fields: Record<string, unknown> = {}): Promise<string> => {
    const body = { name: segment, template: 'Hi {{name}} from {{city}}', segment_rule: segment, ...fields };
    return (await api.request<CampaignView>('POST', '/v1/campaigns', body)).campaign_id;
  };
  const command = (id: string, name: string) => api.request('POST', `/v1/campaigns/${id}/${name}`);
  const stats = (id: string) => api.request<StatsView>('GET', `/v1/campaigns/${id}/stats`);
  const until = async (id: string, reached: (s: StatsView) => boolean): Promise<StatsView> => {
    for (let i = 0; i < 6_000; i++) {
      const s = await stats(id);
      if (reached(s)) return s;
      await sleep(50);
    }
    throw new Error(`${id} did not get there within 5 minutes`);
  };
  const all = (s: StatsView) => s.total > 0 && s.sent === s.total;

  /** p95 of each of ten campaigns that are sent at the same time, once their rows are all in ClickHouse. */
  const ten = async (fields: Record<string, unknown>): Promise<number[]> => {
    const ids: string[] = [];
    for (let i = 0; i < TEN; i++) ids.push(await draft('small', fields));
    await Promise.all(ids.map((id) => command(id, 'send')));
    await Promise.all(ids.map((id) => until(id, all)));
    await sleep(6_000);
    return Promise.all(ids.map(async (id) => (await stats(id)).p95_ms ?? Number.NaN));
  };

  await audience('small', SMALL);
  await audience('fast', FAST);
  say(`importing ${LARGE}`);
  await audience('large', LARGE);
  await ten({});
  const rows: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];
  const note = (values: number[]) => `median of ten, slowest ${Math.round(Math.max(...values))}`;

  const alone = await ten({});
  const besides: Record<string, number[]> = {};
  const large = await draft('large');
  await command(large, 'send');
  await until(large, (s) => s.sent > 20_000);
  for (const lane of ['bulk', 'transactional']) {
    besides[lane] = await ten({ lane });
    const s = await stats(large);
    say(`${lane}: ${besides[lane].map(Math.round).join(' ')}; the large one is at ${s.sent} of ${s.total}`);
    if (s.sent >= s.total) throw new Error('the large campaign ended before the small ones: make it larger');
  }
  await command(large, 'cancel');
  await until(large, (s) => s.sent + s.cancelled === s.total);
  rows.push({ name: 'ten alone: p95', value: median(alone), unit: 'ms', note: note(alone) });
  for (const [lane, values] of Object.entries(besides))
    rows.push({
      name: `ten beside a large one, ${lane} lane: p95`,
      value: median(values),
      unit: 'ms',
      floor: 'ten alone: p95',
      note: note(values),
    });

  // Drafts cost nothing: as many as it takes until one lies on the wanted partition.
  const draftOn = async (partition: number, segment: string, fields: Record<string, unknown>): Promise<string> => {
    for (;;) {
      const id = await draft(segment, fields);
      if (partitionsOf(id, 1, PARTITIONS)[0] === partition) return id;
    }
  };
  const rate = async (partition: number): Promise<number> => {
    const id = await draftOn(partition, 'fast', {});
    const startedMs = performance.now();
    await command(id, 'send');
    await until(id, all);
    return (FAST * 1_000) / (performance.now() - startedMs);
  };
  const partition = 5;
  await rate(partition);
  const alones: number[] = [];
  const withOthers: number[] = [];
  for (let i = 0; i < 3; i++) {
    alones.push(await rate(partition));
    const paused = await draftOn(partition, 'small', {});
    const slow = await draftOn(partition, 'small', { rate_per_second: 10 });
    await command(paused, 'send');
    await command(paused, 'pause');
    await command(slow, 'send');
    await sleep(1_500);
    withOthers.push(await rate(partition));
    await command(slow, 'cancel');
    await command(paused, 'cancel');
    await until(paused, (s) => s.sent + s.cancelled === s.total);
  }
  say(`alone ${alones.map(Math.round).join(' ')}, with others ${withOthers.map(Math.round).join(' ')}`);
  rows.push(
    { name: 'a fast campaign alone', value: median(alones), unit: 'msg/s', note: 'median of three' },
    {
      name: 'the same beside one of 10 a second and a paused one',
      value: median(withOthers),
      unit: 'msg/s',
      floor: 'a fast campaign alone',
      note: 'same partition, median of three',
    },
  );
  process.stdout.write(
    `${JSON.stringify({ bench: `neighbours, ${TEN} of ${SMALL} beside ${LARGE.toLocaleString('en-US')}`, rows })}\n`,
  );
} finally {
  await platform.stop();
}
