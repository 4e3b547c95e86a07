/**
 * Webhook channel to a sink on this machine: messages a second through the channel (body, signature, headers, guard), beside
 * bare undici posting the same bytes with as many connections. `node bench/webhook.bench.ts [messages] [connections]`.
 */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { campaignIdFrom, messageIdOf } from '@volley/contract';
import { Pool } from 'undici';
import { createWebhookChannel } from '../src/adapters/webhook/channel.ts';
import type { Channel, OutgoingMessage } from '../src/ports.ts';

if (!isMainThread) {
  const server = http.createServer((request, response) => {
    request.resume();
    request.on('end', () => response.writeHead(200, { 'content-length': '2' }).end('ok'));
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));
} else {
  const messages = Number(process.argv[2] ?? 20_000);
  const connections = Number(process.argv[3] ?? 64);
  const sink = new Worker(new URL(import.meta.url));
  const [port] = (await once(sink, 'message')) as [number];
  const url = `http://127.0.0.1:${port}/in`;
  const campaignId = campaignIdFrom(Date.now(), Buffer.alloc(6));
  const outgoing = (n: number, recipient: string): OutgoingMessage => ({
    messageId: messageIdOf(campaignId, n),
    campaignId,
    recipient,
    contentType: 'text/plain',
    subject: `Hello ${n}`,
    body: `Hi N${n}, ${'x'.repeat(1_000)}`,
    mail: undefined,
  });
  const { signal } = new AbortController();

  /** Messages a second and CPU of this thread a message, `connections` calls at a time. */
  async function measure(send: (n: number) => Promise<unknown>) {
    let next = 0;
    const slot = async () => {
      while (next < messages) await send(++next);
    };
    const cpu = process.threadCpuUsage();
    const startMs = performance.now();
    await Promise.all(Array.from({ length: connections }, slot));
    const seconds = (performance.now() - startMs) / 1_000;
    const used = process.threadCpuUsage(cpu);
    return { perSecond: messages / seconds, cpuUs: (used.user + used.system) / messages };
  }
  const through = (channel: Channel, recipient: (n: number) => string) =>
    measure(async (n) => {
      const outcome = await channel.send(outgoing(n, recipient(n)), { attempt: 1, signal });
      if (!outcome.ok) throw new Error(outcome.failure.detail);
    });

  const bare = new Pool(`http://127.0.0.1:${port}`, { connections, pipelining: 1 });
  const body = JSON.stringify({ ...outgoing(1, 'r1@example.org'), type: 'message' });
  const post = async () => {
    const { statusCode, body: answer } = await bare.request({
      path: '/in',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    await answer.text();
    if (statusCode !== 200) throw new Error(String(statusCode));
  };
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
  const options = { connections, deadlineMs: 10_000, now: Date.now, secret, allow: ['127.0.0.1'] };
  const own = createWebhookChannel({ ...options, url });
  const recipients = createWebhookChannel({ ...options, url: 'recipient:' });
  const runs = {
    bare: () => measure(post),
    own: () => through(own, (n) => `r${n}@example.org`),
    recipients: () => through(recipients, (n) => `${url}?n=${n}`),
  };

  // In turns, the best of three each: what else runs on the machine hits one turn, not one side.
  const best = new Map<string, { perSecond: number; cpuUs: number }>();
  for (const round of [0, 1, 2, 3]) {
    for (const [name, run] of Object.entries(runs)) {
      const result = await run();
      // The first round warms up.
      if (round > 0 && result.perSecond > (best.get(name)?.perSecond ?? 0)) best.set(name, result);
    }
  }
  await Promise.all([bare.close(), own.close(), recipients.close()]);
  await sink.terminate();

  const row = (key: string, name: string, note: string, floor?: string) => {
    const { perSecond = 0, cpuUs = 0 } = best.get(key) ?? {};
    const rate = { name, value: perSecond, unit: 'msg/s', note };
    return [
      floor === undefined ? rate : { ...rate, floor },
      { name: `CPU, ${name}`, value: cpuUs, unit: 'µs a message' },
    ];
  };
  const rows = [
    ...row('bare', 'bare undici', 'the same bytes each time, answer read as text'),
    ...row('own', 'webhook channel', 'signed, to the provider’s url', 'bare undici'),
    ...row('recipients', 'webhook channel, recipients', 'signed and guarded, each recipient a URL', 'bare undici'),
  ];
  process.stdout.write(
    `${JSON.stringify({ bench: `webhook, ${messages} messages, ${connections} connections`, rows })}\n`,
  );
}
