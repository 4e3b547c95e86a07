/**
 * Direct messages one by one over HTTP, each at its intended time (open loop): what the API answers at 3,000 a second, and
 * how long an answer takes at half of that. The services run as processes of their own, the generator in another one.
 */
import { loadAt, startOn } from './load-at.ts';

const MOST = Number(process.argv[2] ?? 3_000);
const SECONDS = Number(process.argv[3] ?? 15);

const platform = await startOn('singles');
const rows: { name: string; value: number; unit: string; note?: string }[] = [];
try {
  for (const [rate, ids] of [
    [MOST / 2, false],
    [MOST / 2, true],
    [MOST, false],
  ] as const) {
    const report = await loadAt(platform, { shape: 'direct', rate, duration: `${SECONDS}s`, ids });
    const what = `${rate} a second${ids ? ', with ids' : ''}`;
    const { measured, latencies } = report;
    const errors = Object.values(measured.errors).reduce((sum, n) => sum + n, 0);
    const late = `generator late by ${(latencies.late?.p99_ms ?? 0).toFixed(1)} ms at p99, ${errors} errors`;
    rows.push({ name: `answered, ${what}`, value: measured.accepted_per_second, unit: 'msg/s', note: late });
    // Of no answer there is no percentile; the row above says how many there were.
    for (const p of [50, 99] as const)
      if (latencies.http !== undefined)
        rows.push({
          name: `request to answer, ${what}, p${p}`,
          value: latencies.http[`p${p}_ms` as const],
          unit: 'ms',
        });
    if (latencies.delivery !== undefined)
      rows.push({ name: `request to provider, ${what}, p95`, value: latencies.delivery.p95_ms, unit: 'ms' });
  }
} finally {
  await platform.stop();
}
process.stdout.write(`${JSON.stringify({ bench: 'single messages', rows })}\n`);
