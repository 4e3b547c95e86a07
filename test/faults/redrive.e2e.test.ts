import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HEADERS } from '@volley/contract';
import type { RedriveView } from '@volley/contract/http';
import type { Provider } from '@volley/contract/providers';
import type { StreamRecord } from '@volley/stream';
import test from 'ava';
import { sumOf } from '../support/api-client.ts';
import { draft } from '../support/faults.ts';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';
import { until } from '../support/until.ts';

const COUNT = 600;
/** The provider refuses three of ten for good, until somebody mends it. Besides, one in twenty recipients is always refused. */
const providers = (permanent: number): Provider[] => [
  { name: 'broken', channel: 'simulated', url: `simulated:?min_ms=1&max_ms=2&transient=0&permanent=${permanent}` },
];
const script = (n: number) => (n % 20 === 0 ? 'refuse' : '');
const HOPELESS = COUNT / 20;

let p: TestPlatform;
test.before(async () => {
  p = await startTestPlatform('redrive', { providers: providers(0.3) });
});
test.after.always(() => p?.stop());

const provider = async (permanent: number) => {
  writeFileSync(join(p.folder, 'providers.json'), JSON.stringify(providers(permanent)));
  await p.untilRestarted('dispatcher', p.kill('dispatcher'));
};

const selection = (id: string) => ({ campaign_id: id, reason_text: 'the provider was mended' });
const redrive = (id: string, more: object = {}) =>
  p.api.ok<RedriveView>('POST', '/v1/dlq/redrive', { json: { ...selection(id), ...more } });
const countOf = async (id: string) =>
  (await p.api.ok<{ matched: number }>('POST', '/v1/dlq/redrive', { json: { campaign_id: id, dry_run: true } }))
    .matched;
const untilDone = (job: RedriveView) => {
  let last: RedriveView | undefined;
  return until(
    'the redrive ends',
    async () => {
      last = await p.api.ok<RedriveView>('GET', `/v1/dlq/redrives/${job.redrive_id}`);
      return last.status === 'running' ? undefined : last;
    },
    { timeoutMs: 60_000, seen: () => ({ last, log: p.logTail('ingest-api', 5) }) },
  );
};

/** A campaign in which some failed, seen by the index; how many. */
async function withFailures(tag: string): Promise<{ id: string; failed: number }> {
  const { id } = await draft(p, tag, { count: COUNT, script, campaign: { provider: 'broken' } });
  await p.api.send(id);
  await p.api.untilEnded(id);
  const { failed, sent } = await p.api.stats(id);
  if (sent + failed !== COUNT || failed <= HOPELESS) throw new Error(`${sent} sent, ${failed} failed`);
  await until('the index has them', async () => (await countOf(id)) === failed);
  return { id, failed };
}

async function written(id: string, topic: string): Promise<StreamRecord[]> {
  const admin = await p.client.admin();
  const bounds = await admin.logBounds(topic);
  await admin.close();
  const ranges = bounds.flatMap(({ start, end }, partition) =>
    start < end ? [{ topic, partition, from: start, to: end }] : [],
  );
  const found: StreamRecord[] = [];
  await p.client.readRanges({
    ranges,
    onRecord: (r) =>
      void (r.headers[HEADERS.campaignId]?.toString() === id && r.headers[HEADERS.redrive] && found.push(r)),
  });
  return found;
}

test.serial(
  'what failed is sent again once the provider is mended, all of it counted, and a second redrive finds nothing',
  async (t) => {
    const { id, failed } = await withFailures('mended');
    const list = await p.api.ok<{ data: { message_id: string; dlq: unknown }[]; next_cursor: string | null }>(
      'GET',
      `/v1/dlq?campaign_id=${id}&limit=1000&reason=recipient_refused`,
    );
    t.is(list.data.length, failed);
    const one = await p.api.ok<{ standing: string; letter: { message: { message_id: string } } }>(
      'GET',
      `/v1/dlq/${list.data[0]?.message_id}`,
    );
    t.is(one.letter.message.message_id, list.data[0]?.message_id as string);
    await provider(0);
    const job = await redrive(id);
    t.is(job.matched, failed);
    const seen = new Set<string>();
    const end = await until('it ends', async () => {
      // The states add up at every moment, and the campaign runs until they have.
      const stats = await p.api.stats(id);
      t.is(sumOf(stats), COUNT, JSON.stringify(stats));
      seen.add((await p.api.campaign(id)).status);
      const now = await p.api.ok<RedriveView>('GET', `/v1/dlq/redrives/${job.redrive_id}`);
      return now.status === 'running' ? undefined : now;
    });
    t.like(end, { status: 'done', selected: failed, redriven: failed, skipped: 0, unreadable: 0 });
    t.is((await p.api.untilEnded(id)).status, 'completed_with_failures');
    t.true(seen.has('running'), [...seen].join());
    t.like(await p.api.stats(id), { total: COUNT, sent: COUNT - HOPELESS, failed: HOPELESS, queued: 0, retrying: 0 });
    await until('the index has what failed again, and nothing else', async () => (await countOf(id)) === HOPELESS);
    const [row] = await p.clickhouse.query<{ sent: number; failed: number }>(
      `SELECT sent, failed FROM campaign_stats WHERE campaign_id = '${id}'`,
    );
    t.deepEqual({ sent: Number(row?.sent), failed: Number(row?.failed) }, { sent: COUNT - HOPELESS, failed: HOPELESS });

    // Both asked before either has written: the same runs are not to be had twice. What fails again after that is not theirs.
    const both = await Promise.all((await Promise.all([redrive(id), redrive(id)])).map(untilDone));
    const taken = both.reduce((sum, job) => sum + job.redriven, 0);
    t.is(taken, HOPELESS, 'those failed again, under the next run, and each was taken once');
    await p.api.untilEnded(id);
    t.like(await p.api.stats(id), { sent: COUNT - HOPELESS, failed: HOPELESS });
    await until('they have failed a third time', async () => (await countOf(id)) === HOPELESS);
    const purge = await p.api.ok<RedriveView>('POST', '/v1/dlq/purge', { json: selection(id) });
    t.is((await untilDone(purge)).purged, HOPELESS);
    t.is(await countOf(id), 0);
    await provider(0.3);
  },
);

for (const point of ['redrive.afterSelect', 'redrive.afterEvents', 'redrive.afterMessages']) {
  test.serial(
    `ingest-api is killed at ${point}: the job goes on by itself, each message is sent once more and no more`,
    async (t) => {
      const { id, failed } = await withFailures(`killed-${point.split('.')[1]?.toLowerCase()}`);
      await provider(0);
      await p.arm('ingest-api', `${point}:kill`);
      const before = p.pid('ingest-api');
      const job = await redrive(id);
      await p.untilRestarted('ingest-api', before);
      const end = await untilDone(job);
      t.like(end, { status: 'done', selected: failed, redriven: failed });
      await p.api.untilEnded(id);
      t.like(await p.api.stats(id), { total: COUNT, sent: COUNT - HOPELESS, failed: HOPELESS, queued: 0, retrying: 0 });
      const records = await written(id, p.topics.messages.bulk);
      const ids = new Set(records.map((r) => r.headers[HEADERS.messageId]?.toString()));
      t.is(ids.size, failed);
      const calls = p
        .journal()
        .split('\n')
        .filter((line) => line.includes(id.slice(0, 28)));
      const accepted = Map.groupBy(calls, (line) => /[0-9a-f-]{36}/.exec(line)?.[0] ?? '');
      t.is(accepted.size, COUNT - HOPELESS, 'the provider has each message');
      const twice = [...accepted.values()].filter((of) => of.length > 1).length;
      t.is(twice, 0, 'and each once: what was written twice is known by its run');
      t.log(`${failed} redriven, ${records.length - failed} written twice, ${twice} sent twice`);
      await provider(0.3);
    },
  );
}

test.serial('messages of a cancelled campaign are skipped, and say why', async (t) => {
  const { id, failed } = await withFailures('cancelled');
  await provider(0);
  // Slow enough to be cancelled in the middle.
  const job = await redrive(id, { rate_per_second: 20 });
  await until('some are out', async () => {
    const now = await p.api.ok<RedriveView>('GET', `/v1/dlq/redrives/${job.redrive_id}`);
    return now.redriven > 0;
  });
  t.is((await p.api.command(id, 'cancel')).status, 202);
  const end = await untilDone(job);
  t.is(end.status, 'done');
  t.is(end.redriven + end.skipped, failed);
  t.true(end.skipped > 0);
  t.deepEqual(end.left_by_cause, { campaign_over: end.skipped });
  await p.api.untilStatus(id, (status) => status === 'cancelled');
  const stats = await p.api.stats(id);
  t.is(sumOf(stats), COUNT);
  t.is(stats.queued, 0);
  t.is((await untilDone(await redrive(id))).redriven, 0);
});
