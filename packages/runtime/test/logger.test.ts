import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';

const script = `
import { createLogger } from ${JSON.stringify(join(import.meta.dirname, '..', 'src', 'logger.ts'))};
const log = createLogger('sink', 'info');
log.debug('not this');
log.info({ password: 'hunter2', provider: { secret: 'hunter2', name: 'mail' }, authorization: 'Bearer hunter2' }, 'hello');
log.warn({ headers: { authorization: 'Bearer hunter2' }, req: { api_key: 'hunter2' } }, 'two\\nlines');
`;

test('one JSON line an event: service, level as a word, ISO time; credentials redacted; below the level nothing', (t) => {
  const { stdout } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], {
    encoding: 'utf8',
  });
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    lines.map((l) => [l.service, l.level, l.msg]),
    [
      ['sink', 'info', 'hello'],
      ['sink', 'warn', 'two\nlines'],
    ],
  );
  t.regex(lines[0].time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.is(lines[0].provider.name, 'mail');
  t.notRegex(stdout, /hunter2/);
});

test('a log that cannot be written ends nothing: not with a line, not with a fatal one, not at the exit', (t) => {
  const full = openSync('/dev/full', 'w');
  const lasting = `
import { createLogger } from ${JSON.stringify(join(import.meta.dirname, '..', 'src', 'logger.ts'))};
const log = createLogger('sink', 'info');
process.on('uncaughtException', () => process.exit(3));
for (let i = 0; i < 50; i++) {
  log.info({ i, padding: 'x'.repeat(100_000) }, 'nobody reads this');
  await new Promise((resolve) => setImmediate(resolve));
}
log.fatal('nor this');
process.stderr.write('went on');
process.exit(0);
`;
  const ended = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', lasting], {
    encoding: 'utf8',
    stdio: ['ignore', full, 'pipe'],
    timeout: 20_000,
  });
  closeSync(full);
  t.is(ended.stderr, 'went on');
  t.is(ended.status, 0);
});
