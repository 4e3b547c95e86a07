import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageIdOf, topicsOf } from '@volley/contract';
import type { CampaignAuditView, ReplayView } from '@volley/contract/http';
import type { LoadReport } from '@volley/load';
import { NODE_ARGS } from '@volley/runtime/node-args';
import test from 'ava';
import type { StackFile } from '../../apps/cli/src/stack-file.ts';
import { type CliHome, type CliProcess, cliHome, isRunning, processesOf } from '../support/cli.ts';
import { createClickHouse } from '../support/clickhouse.ts';
import { until } from '../support/until.ts';

// One `volley up` for the whole file: the commands are tried on it in the order of the file, the last one stops it.
let home: CliHome;
let up: CliProcess;
const stack = () => JSON.parse(readFileSync(home.stackFile, 'utf8')) as StackFile;

test.before(async () => {
  home = await cliHome('commands');
  up = await home.up();
});
test.after.always(() => home?.close());

test.serial('stack.json is complete, private, and tells the truth', async (t) => {
  const s = stack();
  t.is(statSync(home.stackFile).mode & 0o777, 0o600);
  t.is(s.console, s.api);
  t.regex(await (await fetch(`${s.console}/`, { headers: { accept: 'text/html' } })).text(), /<title>Volley<\/title>/);
  for (const name of ['kafka', 'registry', 'postgres', 'clickhouse'] as const) t.is(s[name], home.stores[name]);
  t.regex(s.api, /^http:\/\/127\.0\.0\.1:\d+$/);
  t.true(s.api_key.length >= 32);
  t.deepEqual(Object.keys(s.admin).sort(), ['dispatcher', 'ingest-api', 'sink']);
  for (const service of ['ingest-api', 'dispatcher', 'sink']) {
    const pid = s.pids[service] as number;
    t.is(typeof pid, 'number');
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    t.true(args.some((arg) => arg.endsWith(join('services', service, 'src', 'main.ts'))));
    t.true(NODE_ARGS.every((arg) => args.includes(arg)));
    const ready = await fetch(`${s.admin[service]}/readyz`);
    t.is(ready.status, 200, await ready.text());
  }
  const answer = await fetch(`${s.api}/v1/campaigns`, { headers: { authorization: `Bearer ${s.api_key}` } });
  t.is(answer.status, 200);
  t.is((await fetch(`${s.api}/v1/campaigns`)).status, 401);
});

test.serial('a second up prints the addresses and exits 0', async (t) => {
  const { code, stdout } = await home.run(['up']);
  t.is(code, 0);
  t.true(stdout.includes(stack().api));
  const json = (await home.run(['up', '--json'])).json<StackFile>();
  t.is(json.api, stack().api);
});

test.serial('send --wait imports a file, sends to exactly the people in it, and reports', async (t) => {
  const people = Array.from({ length: 50 }, (_, i) => ({
    email: `person-${i}@example.org`,
    name: `Person ${i}`,
    tags: i % 5 === 0 ? ['vip'] : [],
  }));
  const audience = join(home.home, 'people.ndjson');
  writeFileSync(audience, people.map((p) => `${JSON.stringify(p)}\n`).join(''));
  const args = ['send', '--audience', audience, '--template', 'Hi {{name}}', '--name', 'By hand', '--wait', '--json'];
  const all = await home.run(args);
  t.is(all.code, 0, all.stderr);
  t.like(all.json(), { status: 'completed', total: 50, sent: 50, accounted: true });
  const vip = await home.run([...args, '--segment', 'vip']);
  t.is(vip.code, 0, vip.stderr);
  t.like(vip.json(), { status: 'completed', total: 10, sent: 10, accounted: true });
});

test.serial('status lists campaigns, and shows one with its states', async (t) => {
  const list = (await home.run(['status', '--json'])).json<{ campaign_id: string; status: string; name: string }[]>();
  t.deepEqual(
    list.map((c) => [c.name, c.status]),
    [
      ['By hand', 'completed'],
      ['By hand', 'completed'],
    ],
  );
  const one = await home.run(['status', list[0]?.campaign_id ?? '', '--json']);
  t.is(one.code, 0);
  t.like(one.json(), { status: 'completed', stats: { total: 10, sent: 10, queued: 0, retrying: 0 } });
  t.is((await home.run(['status', 'no-such-campaign', '--json'])).code, 1);
});

test.serial('replay compares deliveries, and rebuilds the statistics, swaps them and takes that back', async (t) => {
  const replay = async (...args: string[]) => {
    const { code, stderr, ...result } = await home.run(['replay', ...args, '--json']);
    t.is(code, 0, `${stderr}${result.stdout}`);
    return result.json<ReplayView>();
  };
  const campaigns = (await home.run(['status', '--json'])).json<{ campaign_id: string }[]>();
  const id = campaigns.at(-1)?.campaign_id ?? '';
  const before = (await home.run(['status', id, '--json'])).json<{ stats: object }>().stats;
  t.like(await replay('deliveries', '--campaign', id), {
    status: 'done',
    result: { messages: 50, same: 50 } as object,
  });
  const other = await replay('deliveries', '--campaign', id, '--template', 'Dear {{name}}', '--why', 'a greeting');
  t.like(other, { reason: 'a greeting', result: { messages: 50, same: 0, renders_differently: 50 } as object });
  const rebuilt = await replay('analytics');
  t.like(rebuilt, { status: 'done', result: { equal: true, swapped: true } as object });
  const undone = await replay('undo', rebuilt.replay_id);
  t.like(undone, { status: 'done', result: { swapped: false, undone: true } as object });
  const { p50_ms, sent, total } = before as Record<string, number>;
  const after = (await home.run(['status', id, '--json'])).json<{ stats: object }>().stats;
  t.like(after, { p50_ms, sent, total });
  const twice = await home.run(['replay', 'deliveries', '--campaign', id, '--send']);
  t.is(twice.code, 2, 'sending again wants to be said twice');
});

test.serial('verify finds everything equal, and names a message whose row is gone', async (t) => {
  const [vip] = (await home.run(['status', '--json'])).json<{ campaign_id: string }[]>();
  const id = vip?.campaign_id ?? '';
  const equal = await home.run(['verify', id, '--wait', '60', '--json']);
  t.is(equal.code, 0, `${equal.stderr}${equal.stdout}`);
  t.like(equal.json(), { verdict: 'equal', accepted: 10, stored: { messages: 10, ended_runs: 10 } });
  await createClickHouse(home.stores.clickhouse).query(
    `ALTER TABLE ${home.stores.clickhouseDatabase}.delivery_raw DELETE WHERE campaign_id = '${id}' AND ordinal = 3
     SETTINGS mutations_sync = 1`,
  );
  const different = await home.run(['verify', id, '--json']);
  t.is(different.code, 1, different.stderr);
  const { verdict, figures } = different.json<CampaignAuditView>();
  t.is(verdict, 'different');
  const missing = figures.find((figure) => figure.figure === 'missing');
  t.deepEqual([missing?.difference, missing?.ids.map((one) => one.id)], [1, [messageIdOf(id, 3)]]);
  const gap = await home.run(['verify']);
  t.is(gap.code, 1);
  // One or more: the message may have been tried more than once.
  t.regex(gap.stdout, /gaps +expected \d+ +found \d+ +difference [1-9]/);
  t.true(gap.stdout.includes(messageIdOf(id, 3)), gap.stdout);
});

test.serial('topics shows every topic of the contract, its records and the lag of its reader', async (t) => {
  interface Row {
    topic: string;
    partitions: number;
    records: number;
    lag: number | null;
  }
  const names = topicsOf(home.stores.namespace);
  let rows: Row[] = [];
  await until('nothing lags', async () => {
    rows = (await home.run(['topics', '--json'])).json<Row[]>();
    return rows.every((row) => (row.lag ?? 0) === 0);
  });
  const byTopic = new Map(rows.map((row) => [row.topic, row]));
  const all = [names.campaigns, ...Object.values(names.messages), ...names.retry, names.held, names.dlq];
  for (const topic of [...all, names.deliveries, names.deliveriesDlq]) t.is(byTopic.get(topic)?.partitions, 12, topic);
  t.is(byTopic.get(names.messages.bulk)?.records, 60);
  t.true((byTopic.get(names.deliveries)?.records ?? 0) >= 60);
});

test.serial('doctor finds everything well, and says what is not', async (t) => {
  const well = await home.run(['doctor', '--json']);
  const findings = well.json<{ check: string; ok: boolean; advice?: string }[]>();
  t.is(well.code, 0, JSON.stringify(findings));
  for (const service of ['ingest-api', 'dispatcher', 'sink']) t.true(findings.some((f) => f.check === service && f.ok));
  const ill = await home.run(['doctor', '--json'], { PATH: '/nonexistent' });
  t.is(ill.code, 1);
  const missing = ill.json<{ check: string; ok: boolean; advice?: string }[]>().filter((f) => !f.ok);
  t.deepEqual(missing.map((f) => f.check).sort(), ['Java', 'Maven']);
  t.true(missing.every((f) => (f.advice ?? '').length > 0));
});

test.serial('wrong usage is exit 2 with a sentence, every command has help', async (t) => {
  t.is((await home.run(['send'])).code, 2);
  t.is((await home.run(['no-such-command'])).code, 2);
  const wrong = await home.run(['send', '--audience', '/nonexistent.csv', '--template', 'x', '--json']);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /there is no file/);
  for (const command of ['up', 'demo', 'send', 'status', 'topics', 'load', 'doctor', 'reset', 'replay analytics']) {
    const help = await home.run([...command.split(' '), '--help']);
    t.is(help.code, 0);
    t.true(help.stdout.includes('--json'), command);
  }
});

test.serial('demo uses the live stack and leaves it running', async (t) => {
  const { code, stderr, ...result } = await home.run(['demo', '--once', '--recipients', '100', '--json']);
  t.is(code, 0, stderr);
  t.like(result.json(), { total: 100, accounted: true });
  t.true(existsSync(home.stackFile));
  t.is(up.child.exitCode, null);
});

test.serial('load sends at its rate, accounts for every message, and says so on a page of its own', async (t) => {
  const [page, data] = [join(home.home, 'load.html'), join(home.home, 'load.json')];
  const args = ['load', '--shape', 'direct', '--rate', '40', '--duration', '3s', '--warm-up', '1s', '--report', page];
  // What a shared machine takes for an answer is no promise of Volley's.
  const loose = ['--max-late', '10s', '--objective', 'rate>=50%', '--objective', 'delivery.p50<20s'];
  const { code, stderr, ...result } = await home.run([...args, '--report', data, ...loose, '--json']);
  t.is(code, 0, `${stderr}${result.stdout}`);
  const report = result.json<LoadReport>();
  t.like(report, { verdict: 'met', accounts: { accepted: 160, unknown: 0, total: 160, ended: 160, accounted: true } });
  t.is(report.latencies.http?.count, 120, 'warm-up left out');
  t.is(report.latencies.delivery?.count, 120, 'each message was found again by its time');
  t.true((report.latencies.delivery?.p50_ms ?? 0) >= (report.latencies.e2e?.p50_ms ?? 0));
  t.deepEqual(JSON.parse(readFileSync(data, 'utf8')), report as unknown);
  t.true(readFileSync(page, 'utf8').includes('objectives met'));
});

test.serial('a load that is interrupted waits for what is under way, and still reports', async (t) => {
  const args = 'load --rate 100 --duration 60s --warm-up 0 --max-late 10s --json';
  const running = home.start(args.split(' '));
  let said = '';
  running.child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until('it has begun', () => /\d+ s: asked/.test(said));
  running.child.kill('SIGINT');
  const { code, stderr, ...result } = await running.done;
  const report = result.json<LoadReport>();
  t.true(report.accounts.accounted, stderr);
  t.true(report.accounts.accepted < 6_000);
  t.true(code === 0 || code === 1);
  t.is((await home.run(['load', '--rate', '100000'])).code, 2, 'more messages than it may send');
});

test.serial('a service that dies is started again, and stack.json names its new process', async (t) => {
  for (const name of ['sink-replay', 'dispatcher-replay']) t.true(isRunning(stack().pids[name] as number), name);
  const before = stack().pids.dispatcher as number;
  process.kill(before, 'SIGKILL');
  await until('stack.json has another dispatcher', () => stack().pids.dispatcher !== before);
  t.true(isRunning(stack().pids.dispatcher as number));
  const admin = stack().admin.dispatcher as string;
  await until('the dispatcher is ready again', async () => (await fetch(`${admin}/readyz`)).ok);
});

test.serial('SIGTERM to the whole group stops all in order and leaves nothing behind', async (t) => {
  const pids = Object.values(stack().pids).flat();
  process.kill(-(up.child.pid as number), 'SIGTERM');
  const { code, stderr } = await up.done;
  t.is(code, 0, stderr);
  t.false(existsSync(home.stackFile));
  t.deepEqual(
    pids.filter((pid) => pid > 0 && isRunning(pid)),
    [],
  );
  t.deepEqual(processesOf(home.home), []);
  // ingest-api first, so that nothing new comes in; the sink last, so that it can store what is on its way.
  const stoppedAt = ['ingest-api', 'dispatcher', 'sink'].map((service) => {
    const lines = readFileSync(join(home.home, 'logs', `${service}.log`), 'utf8')
      .trim()
      .split('\n');
    const last = JSON.parse(lines.at(-1) ?? '{}') as { msg?: string; time?: string };
    t.is(last.msg, 'stopped', service);
    return Date.parse(last.time ?? '');
  });
  t.deepEqual(
    stoppedAt,
    stoppedAt.toSorted((a, b) => a - b),
  );
});
