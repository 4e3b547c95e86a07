import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readStackFile, type StackFile, stackFilePath, writeStackFile } from '../src/stack-file.ts';

const stack: StackFile = {
  api: 'http://127.0.0.1:1',
  console: null,
  kafka: '127.0.0.1:2',
  registry: 'http://127.0.0.1:3/apis/ccompat/v7',
  postgres: 'postgres://127.0.0.1:4/volley',
  clickhouse: 'http://127.0.0.1:5',
  api_key: 'k',
  admin: {},
  pids: {},
  supervisor_pid: process.pid,
};

test('a file whose supervisor does not hold the data folder is no stack, even if a process has its pid', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'volley-cli-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const dataDir = join(root, 'data');
  mkdirSync(dataDir);
  t.is(await readStackFile(root, dataDir), undefined);
  writeStackFile(root, stack);
  t.is(statSync(stackFilePath(root)).mode & 0o777, 0o600);
  t.is(await readStackFile(root, dataDir), undefined);
  writeFileSync(stackFilePath(root), '{"api":');
  t.is(await readStackFile(root, dataDir), undefined);
});
