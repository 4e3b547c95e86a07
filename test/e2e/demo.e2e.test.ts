import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { cliHome, processesOf } from '../support/cli.ts';
import { createClickHouse } from '../support/clickhouse.ts';

interface Report {
  readonly campaign_id: string;
  readonly status: string;
  readonly total: number;
  readonly sent: number;
  readonly failed: number;
  readonly dead: number;
  readonly seconds: number;
  readonly messages_per_second: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
  readonly p99_ms: number;
  readonly stored: { readonly events: number; readonly messages: number; readonly retries: number };
  readonly accounted: boolean;
}

test.serial('demo --once with 2,000 recipients exits 0, adds up, and leaves nothing running', async (t) => {
  const home = await cliHome('demo');
  try {
    const { code, stderr, ...result } = await home.run(['demo', '--once', '--recipients', '2000', '--json']);
    t.is(code, 0, stderr);
    const report = result.json<Report>();
    t.like(report, { status: 'completed', total: 2_000, accounted: true });
    t.is(report.sent + report.failed + report.dead, 2_000);
    t.like(report.stored, { events: 2_000, messages: 2_000 });
    t.true(report.p50_ms > 0 && report.p50_ms <= report.p95_ms && report.p95_ms <= report.p99_ms);
    t.log(
      `${report.seconds.toFixed(2)} s, ${Math.round(report.messages_per_second)} msg/s, ${report.stored.retries} retries`,
    );

    // The report is not believed: the public views are asked.
    const [stats] = await createClickHouse(home.stores.clickhouse, home.stores.clickhouseDatabase).query<
      Record<string, number>
    >('SELECT sent, failed, dead FROM campaign_stats WHERE campaign_id = {id:String}', { id: report.campaign_id });
    t.deepEqual(stats, { sent: report.sent, failed: report.failed, dead: report.dead });

    t.false(existsSync(home.stackFile));
    t.deepEqual(processesOf(home.home), []);
    const key = join(home.home, 'data', 'api-key');
    t.false(stderr.includes(readFileSync(key, 'utf8').trim()), 'progress does not print the key');
  } finally {
    await home.close();
  }
});

test.serial('demo --once --channel smtp sends the sample contacts to a mail sink of its own, each once', async (t) => {
  const home = await cliHome('demo_smtp');
  try {
    const { code, stderr, ...result } = await home.run(['demo', '--once', '--channel', 'smtp', '--json']);
    t.is(code, 0, stderr);
    const report = result.json<Report>();
    t.like(report, { status: 'completed', accounted: true, failed: 0, dead: 0 });
    t.is(report.sent, report.total);
    t.regex(stderr, new RegExp(`mail sink: ${report.total} mails, 0 of them more than once`));
    t.deepEqual(processesOf(home.home), []);
  } finally {
    await home.close();
  }
});
