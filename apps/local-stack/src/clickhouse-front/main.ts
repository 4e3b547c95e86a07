import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { User } from './auth.ts';
import { createByteBudget } from './byte-budget.ts';
import { repairDedupLogs } from './dedup-log-files.ts';
import { type Engine, openEngine } from './engine.ts';
import { writeEngineConfig } from './engine-config.ts';
import type { Front, Gates } from './front.ts';
import { createGate } from './gate.ts';
import { createInsertFiles } from './insert-files.ts';
import { createTrimmer } from './memory.ts';
import { createRunningQueries } from './running-queries.ts';
import { createServer } from './server.ts';
import { createSessions } from './sessions.ts';
import { createTwins } from './twins.ts';

/**
 * The ClickHouse front: one process that owns one engine directory and speaks the server's HTTP protocol on loopback.
 * Order: repair the deduplication logs, open the directory, listen. On SIGTERM: stop listening, let queries finish, close.
 */
const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    addon: { type: 'string' },
    port: { type: 'string' },
    user: { type: 'string', default: 'volley' },
    'password-file': { type: 'string' },
    reader: { type: 'string' },
    'reader-password-file': { type: 'string' },
  },
});
const log = (line: string) => console.log(`${new Date().toISOString()} ${line}`);
const required = (name: 'data' | 'addon' | 'port' | 'password-file'): string => {
  const value = values[name];
  if (value === undefined) throw new Error(`--${name} is needed`);
  return value;
};

/** Each running query holds a thread of libuv's pool (16 of them), and so does each compression. */
const gates: Gates = {
  readers: createGate({ name: 'select', places: 6, placesOfOneLane: 4, queueLength: 512, maxWaitMs: 60_000 }),
  processes: createGate({ name: 'system.processes', places: 2, queueLength: 512, maxWaitMs: 60_000 }),
  inserts: createGate({ name: 'insert', places: 1, queueLength: 256, maxWaitMs: 60_000 }),
  statements: createGate({ name: 'writing', places: 2, queueLength: 256, maxWaitMs: 60_000 }),
};
/** The largest whole answer twice. */
const maxUntakenBytes = 512 * 1024 * 1024;
const stopGraceMs = 10_000;

const folder = path.resolve(required('data'));
const dataFolder = path.join(folder, 'data');
mkdirSync(dataFolder, { recursive: true });
repairDedupLogs(dataFolder, log);
const engine = open();
const running = createRunningQueries(engine);
const sessions = createSessions(engine.connect);
const front: Front = {
  engine,
  running,
  sessions,
  trimmer: createTrimmer(() => running.count() === 0),
  gates,
  twins: createTwins(),
  files: createInsertFiles(path.join(folder, 'inserts')),
  answers: createByteBudget(maxUntakenBytes, 'answers'),
  log,
};
const server = createServer(front, users());

function users(): User[] {
  const password = (file: string) => readFileSync(file, 'utf8').trim();
  const writer = { name: values.user, password: password(required('password-file')), readonly: false };
  const { reader, 'reader-password-file': file } = values;
  if (reader === undefined || file === undefined) return [writer];
  return [writer, { name: reader, password: password(file), readonly: true }];
}

function open(): Engine {
  try {
    return openEngine({ addonFolder: required('addon'), dataFolder, configFile: writeEngineConfig(folder) });
  } catch (error) {
    // The engine has said why on stderr, such as that another process has the folder open.
    log(`the engine cannot open ${dataFolder}: ${(error as Error).message}`);
    process.exit(1);
  }
}

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  log('stopping');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => running.killAll('The server is shutting down.'), stopGraceMs);
  await running.idle();
  clearTimeout(timer);
  sessions.closeAll();
  // Answers that were just given are still on their way out.
  const forced = setTimeout(() => server.closeAllConnections(), 500);
  await new Promise<void>((resolve) => {
    server.closeIdleConnections();
    server.once('close', () => resolve());
    if (!server.listening) server.getConnections((_error, count) => count === 0 && resolve());
  });
  clearTimeout(forced);
  engine.close();
  log('stopped');
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop());

server.on('error', (error) => {
  log(`cannot listen on 127.0.0.1:${values.port}: ${error.message}`);
  process.exit(1);
});
server.listen({ host: '127.0.0.1', port: Number(required('port')) }, () =>
  log(`ready on 127.0.0.1:${values.port}, data in ${dataFolder}`),
);
