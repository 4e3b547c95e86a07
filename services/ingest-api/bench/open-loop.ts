/**
 * The client of direct.bench.ts, a process of its own: single messages, each at its intended time whatever became of those before
 * it. Says how many were answered a second, and after how long: from when each was meant to go out to its answer.
 */
import { Agent, request } from 'node:http';

const { port, path, perSecond, seconds, named } = JSON.parse(process.argv[2] ?? '{}') as {
  port: number;
  path: string;
  perSecond: number;
  seconds: number;
  named: boolean;
};
const WARM_UP_S = 5;
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const headersOf = (length: number) => ({
  ...{ authorization: 'Bearer key', 'content-type': 'application/json', 'content-length': length },
});

function post(body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, path, method: 'POST', headers: headersOf(body.length), agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => (answer.statusCode === 202 ? resolve() : reject(new Error(text))));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function run(count: number, first: number): Promise<{ times: number[]; tookS: number }> {
  const times: number[] = [];
  const calls: Promise<void>[] = [];
  const beganMs = performance.now();
  for (let i = 0; i < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - beganMs) / 1_000) * perSecond) + 1);
    for (; i < due; i++) {
      const atMs = beganMs + (i * 1_000) / perSecond;
      const n = first + i;
      const message = { to: `p${n}@b.example`, vars: { name: `Person ${n}`, city: '台北' } };
      const body = Buffer.from(JSON.stringify(named ? { id: `one-${n}`, ...message } : message));
      calls.push(post(body).then(() => void times.push(performance.now() - atMs)));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(calls);
  return { times: times.sort((a, b) => a - b), tookS: (performance.now() - beganMs) / 1_000 };
}

await run(perSecond * WARM_UP_S, 0);
const { times, tookS } = await run(perSecond * seconds, perSecond * WARM_UP_S);
const at = (q: number) => times[Math.ceil(times.length * q) - 1] as number;
process.stdout.write(`${JSON.stringify({ p50: at(0.5), p99: at(0.99), perSecond: times.length / tookS })}\n`);
agent.destroy();
