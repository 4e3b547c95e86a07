/**
 * What Volley costs and how quick it is when nothing happens: CPU and memory of the services over 30 s without a message, then
 * ten messages a second, one by one, from accepted to the provider's answer. Beside it, in the same seconds, a process with one
 * stock kafkajs producer and consumer.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, residentMiB } from '@volley/load';
import { kafkaAddress, loadAt, startOn } from './load-at.ts';

const SECONDS = Number(process.argv[2] ?? 30);
const MESSAGES = 300;
/** Joining groups and the first metadata are a start, no rest. */
const SETTLE_MS = 10_000;
const SERVICES = ['ingest-api', 'dispatcher', 'sink'] as const;
const BARE = 'bare kafkajs producer and consumer';

const platform = await startOn('idle');
const bare = fork(join(import.meta.dirname, 'bare-idle.ts'), [kafkaAddress(), String(MESSAGES)]);
/** What it says next; rejects when it ends instead. */
const told = () =>
  Promise.race([
    once(bare, 'message').then(([message]) => message as unknown),
    once(bare, 'exit').then(([code]) => Promise.reject(new Error(`bare kafkajs ended with ${code}`))),
  ]);
const rows: { name: string; value: number; unit: string; floor?: string; note?: string }[] = [];
try {
  await told();
  const described = platform.describe().pids as Record<string, number>;
  const pids: Record<string, number> = { [BARE]: bare.pid ?? 0 };
  for (const name of [...SERVICES, ...Object.keys(described).filter((name) => name.includes('replay'))])
    pids[name] = described[name] ?? 0;
  const seen = (of: (pid: number) => number | undefined) =>
    Object.fromEntries(
      Object.entries(pids).map(([name, pid]) => {
        const value = of(pid);
        if (value === undefined) throw new Error(`${name} has ended, or there is no /proc here`);
        return [name, value];
      }),
    );
  await sleep(SETTLE_MS);
  const before = seen(cpuSeconds);
  const fromMs = performance.now();
  await sleep(SECONDS * 1_000);
  const after = seen(cpuSeconds);
  const elapsedS = (performance.now() - fromMs) / 1_000;
  const share = (names: readonly string[]) =>
    (names.reduce((sum, name) => sum + (after[name] ?? 0) - (before[name] ?? 0), 0) / elapsedS) * 100;
  const unit = '% of a core';
  rows.push({ name: `${BARE}: idle CPU`, value: share([BARE]), unit });
  rows.push({
    ...{ name: 'the three services: idle CPU', value: share(SERVICES), unit, floor: `${BARE}: idle CPU` },
    note: `${SERVICES.map((name) => `${name} ${share([name]).toFixed(1)}`).join(', ')}; over ${SECONDS} s`,
  });
  const replays = Object.keys(pids).filter((name) => name.includes('replay'));
  if (replays.length > 0) rows.push({ name: 'the processes of replays: idle CPU', value: share(replays), unit });
  for (const [name, value] of Object.entries(seen(residentMiB))) {
    const floor = name === BARE ? {} : { floor: `${BARE}: idle memory` };
    rows.push({ name: `${name}: idle memory`, value, unit: 'MiB', ...floor });
  }

  bare.send('go');
  const times = (await told()) as number[];
  const report = await loadAt(platform, {
    ...{ shape: 'direct', rate: 10, duration: `${MESSAGES / 10}s`, warmUp: '5s' },
    // What fails is tried again after a pause, which would be all that a p95 tells.
    simulate: 'steady',
  });
  for (const p of [50, 95] as const) {
    const name = `send to reader, ${BARE}, one at a time, p${p}`;
    rows.push({ name, value: times[Math.ceil((times.length * p) / 100) - 1] ?? 0, unit: 'ms' });
    for (const [metric, what] of [
      ['http', 'request to answer'],
      ['e2e', 'accepted to provider'],
      ['delivery', 'request to provider'],
    ] as const) {
      const value = report.latencies[metric]?.[`p${p}_ms` as const] ?? Number.NaN;
      rows.push({ name: `${what}, 10 a second, p${p}`, value, unit: 'ms', floor: name });
    }
  }
} finally {
  bare.kill();
  await platform.stop();
}
process.stdout.write(`${JSON.stringify({ bench: 'idle', rows })}\n`);
