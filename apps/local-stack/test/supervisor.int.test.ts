import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@clickhouse/client';
import test from 'ava';
import pg from 'pg';
import { type RunningStack, StackError, type StoreName, startStack } from '../src/index.ts';
import { canBind } from '../src/process/ports.ts';
import { commandLine, isAlive, waitUntilGone } from '../src/process/process-table.ts';
import { kafkaAnswers } from '../src/stores/kafka-probe.ts';
import { stackFolder, until } from './support/stacks.ts';

const stores: StoreName[] = ['kafka', 'registry', 'postgres', 'clickhouse'];
const folder = stackFolder();
const crashes: { component: string; tail: string[] }[] = [];
let stack: RunningStack;

test.serial.before('start', async () => {
  stack = await startStack(folder.options({ onCrash: (component, tail) => crashes.push({ component, tail }) }));
});

test.after.always(async () => {
  await stack?.stop();
  folder.remove();
});

test.serial('every store answers, as itself and with the contract of its address', async (t) => {
  t.true(await kafkaAnswers(portOf('kafka'), 2000));
  t.regex(stack.addresses.kafka, /^127\.0\.0\.1:\d+$/);
  t.regex(stack.addresses.registry, /^http:\/\/127\.0\.0\.1:\d+\/apis\/ccompat\/v7$/);
  t.like(await (await fetch(`${stack.addresses.registry}/config`)).json(), { compatibilityLevel: 'FULL_TRANSITIVE' });
  t.deepEqual(await inPostgres('SHOW fsync'), [{ fsync: 'on' }]);
  t.regex(stack.addresses.clickhouse, /^http:\/\/volley:[\w-]+@127\.0\.0\.1:\d+$/);
  t.deepEqual(await inClickHouse('SELECT toUInt8(1) AS one'), [{ one: 1 }]);
});

test.serial('the pids are of the processes themselves', (t) => {
  const expected = {
    kafka: 'kafka.Kafka',
    registry: 'apicurio-registry',
    postgres: 'bin/postgres',
    clickhouse: 'clickhouse-front/main.ts',
  };
  for (const name of stores) {
    const line = commandLine(stack.pids[name] as number) ?? '';
    t.true(line.includes(expected[name]), line);
    t.false(/^(setpriv|unshare|sh)\b/.test(line), line);
  }
});

test.serial('nothing listens but on loopback, and what is secret can be read by its owner alone', (t) => {
  const secrets = path.join(folder.root, 'data', 'secrets');
  t.deepEqual(readdirSync(secrets).sort(), ['clickhouse', 'clickhouse-reader', 'postgres']);
  for (const name of readdirSync(secrets)) t.is(statSync(path.join(secrets, name)).mode & 0o777, 0o600);
  t.is(statSync(path.join(folder.root, 'data')).mode & 0o077, 0);
});

test.serial('the same folder is refused to a second stack, with the owner named', async (t) => {
  const error = await t.throwsAsync(startStack(folder.options()), { instanceOf: StackError });
  t.regex(error?.message ?? '', new RegExp(`in use by a stack that is running \\(process ${process.pid}\\)`));
  t.true(isAlive(stack.pids.kafka as number));
});

test.serial('a store that is running is not started again', async (t) => {
  await t.throwsAsync(stack.restart('postgres'), { instanceOf: StackError });
});

test.serial('what each store was given', async (t) => {
  await inPostgres('CREATE TABLE kept (n int)');
  await inPostgres('INSERT INTO kept VALUES (1)');
  await inClickHouse('CREATE TABLE default.kept (n UInt8) ENGINE = MergeTree ORDER BY n');
  await inClickHouse('INSERT INTO default.kept VALUES (1)');
  const registered = await fetch(`${stack.addresses.registry}/subjects/kept/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ schema: '"string"' }),
  });
  t.true(registered.ok, await registered.text());
  await topics('--create', '--topic', 'kept', '--partitions', '3');
  await until(() => kafkaAnswers(portOf('kafka'), 2000), 'every partition has a leader');
  t.true(await isKept('kafka'));
});

for (const name of stores) {
  test.serial(
    `${name} killed: the crash is told with its last lines, and it starts again with what it had`,
    async (t) => {
      const before = stack.pids[name] as number;
      const address = stack.addresses[name];
      crashes.length = 0;
      process.kill(before, 'SIGKILL');
      await until(() => crashes.length > 0, 'the crash is told');
      t.is(crashes[0]?.component, name);
      t.true(Array.isArray(crashes[0]?.tail));
      t.is(stack.pids[name], undefined);
      await stack.restart(name);
      t.is(stack.addresses[name], address);
      t.not(stack.pids[name], before);
      t.true(await isKept(name));
      t.is(crashes.length, 1);
    },
  );
}

test.serial('stop leaves no process and no port, and can be called again', async (t) => {
  const pids = stores.map((name) => stack.pids[name] as number);
  const ports = stores.map(portOf);
  await Promise.all([stack.stop(), stack.stop()]);
  await stack.stop();
  for (const pid of pids) t.true(await waitUntilGone(pid, 0));
  t.deepEqual(folder.processes(), []);
  for (const port of ports) t.true(await canBind(port));
  t.deepEqual(
    readdirSync(path.join(folder.root, 'data')).filter((name) => name.endsWith('.pid')),
    [],
  );
  t.is(crashes.length, 1, 'an ordered stop is no crash');
});

test.serial('a second start on the same folder finds everything, also on other ports', async (t) => {
  const before = stores.map(portOf);
  stack = await startStack(folder.options());
  t.notDeepEqual(stores.map(portOf), before);
  for (const name of stores) t.true(await isKept(name), name);
  t.like(await (await fetch(`${stack.addresses.registry}/config`)).json(), { compatibilityLevel: 'FULL_TRANSITIVE' });
});

test.serial('a preferred port that is taken is left alone, and said', async (t) => {
  await stack.stop();
  const holder = net.createServer();
  await new Promise<void>((resolve) => holder.listen({ host: '127.0.0.1', port: 0 }, resolve));
  const { port: taken } = holder.address() as net.AddressInfo;
  const lines: string[] = [];
  stack = await startStack(folder.options({ ports: { postgres: taken }, log: (line) => lines.push(line) }));
  t.not(portOf('postgres'), taken);
  t.true(portOf('postgres') > taken);
  t.true(lines.includes(`port ${taken} is taken, postgres uses ${portOf('postgres')}`));
  t.true(await isKept('postgres'));
  holder.close();
});

function portOf(name: StoreName): number {
  const address = stack.addresses[name];
  return Number(address.includes('//') ? new URL(address).port : address.split(':')[1]);
}

async function inPostgres(sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: stack.addresses.postgres });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function inClickHouse(query: string): Promise<unknown[]> {
  const client = createClient({ url: stack.addresses.clickhouse });
  try {
    if (!query.startsWith('SELECT')) {
      await client.command({ query });
      return [];
    }
    return await (await client.query({ query, format: 'JSONEachRow' })).json();
  } finally {
    await client.close();
  }
}

/** Kafka's own tool, from the broker's jars: another client library would have to be a dependency. */
async function topics(...args: string[]): Promise<string> {
  const classPath = /-cp (\S+)/.exec(commandLine(stack.pids.kafka as number) ?? '')?.[1] as string;
  const tool = [
    '-XX:TieredStopAtLevel=1',
    '-cp',
    classPath,
    'org.apache.kafka.tools.TopicCommand',
    '--bootstrap-server',
    stack.addresses.kafka,
  ];
  return (await promisify(execFile)('java', [...tool, ...args])).stdout;
}

async function isKept(name: StoreName): Promise<boolean> {
  switch (name) {
    case 'kafka':
      return (await topics('--list')).split('\n').includes('kept');
    case 'registry':
      return ((await (await fetch(`${stack.addresses.registry}/subjects`)).json()) as string[]).includes('kept');
    case 'postgres':
      return (await inPostgres('SELECT n FROM kept')).length === 1;
    case 'clickhouse':
      return (await inClickHouse('SELECT n FROM default.kept')).length === 1;
  }
}
