import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { holdSlot } from '../src/adapters/postgres/slot-lock.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { until } from './support/log.ts';

const MAIN = new URL('../src/main.ts', import.meta.url).pathname;
let db: TestDatabase;
test.before(async () => {
  db = await createTestDatabase();
});
test.after.always(() => db?.drop());

/** A whole process, whose log is away: it gets as far as its slot. */
function start(slot: number) {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      VOLLEY_ROLES: 'relay',
      VOLLEY_SLOT: String(slot),
      VOLLEY_POSTGRES_URL: db.url,
      VOLLEY_KAFKA_BROKERS: '127.0.0.1:9',
      VOLLEY_ADMIN_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const ended = once(child, 'exit');
  return {
    output: () => output,
    holds: () => until('the slot is held', () => output.includes('slot is held')),
    ended,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

test('two processes of one slot: the second one refuses to start; after a kill the next one starts at once', async (t) => {
  const first = start(7);
  const other = start(8);
  await Promise.all([first.holds(), other.holds()]);
  const second = start(7);
  const [code] = await second.ended;
  t.is(code, 1);
  t.regex(second.output(), /another live process is volley-ingest-api-7: .*VOLLEY_SLOT/);
  await first.kill();
  const killedAt = performance.now();
  const next = start(7);
  await next.holds();
  t.true(performance.now() - killedAt < 4_500, 'less than a lease');
  await Promise.all([next.kill(), other.kill()]);
});

test('a slot whose connection breaks is taken again, or given up loudly when somebody else has it', async (t) => {
  const hold = (lost: Error[]) =>
    holdSlot({ url: db.url, clientId: 'it', waitMs: 200, onLost: (error) => lost.push(error) });
  const pids = async () =>
    (
      await db.pool.query(`SELECT pid FROM pg_stat_activity WHERE application_name = 'it-slot' AND state = 'idle'`)
    ).rows.map((row) => row.pid);
  const lost: Error[] = [];
  const slot = await hold(lost);
  if (slot === 'taken') return t.fail();
  const [pid] = await pids();
  await db.pool.query('SELECT pg_terminate_backend($1)', [pid]);
  await until('there is a new connection', async () => (await pids()).some((p) => p !== pid));
  t.is(await hold([]), 'taken');
  t.deepEqual(lost, []);
  await slot.release();
  const next = await hold([]);
  t.not(next, 'taken');
  if (next !== 'taken') await next.release();
});
