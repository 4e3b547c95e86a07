/**
 * Dispatcher alone: messages a second from the memory broker to acknowledged events, simulated provider with its default
 * latency and failures. Floor: the bare provider, called by as many slots with
 * nothing around it. `node bench/throughput.bench.ts [messages] [slots] [provider url]`.
 */
import { createSimulatedChannel } from '../src/adapters/simulated/channel.ts';
import { campaignEvent, createWorld, messageOf, newCampaignId, startDispatcher } from '../test/support.ts';

const messages = Number(process.argv[2] ?? 50_000);
const slots = Number(process.argv[3] ?? 512);
const partitions = 3;

const world = await createWorld();
const campaigns = Array.from({ length: partitions }, newCampaignId);
for (const id of campaigns) await world.campaign(campaignEvent(id, { version: 1 }));
for (const [partition, id] of campaigns.entries()) {
  for (let from = 1; from <= messages / partitions; from += 1_000) {
    const count = Math.min(1_000, Math.floor(messages / partitions) - from + 1);
    await world.messages(
      partition,
      Array.from({ length: count }, (_, i) => messageOf(id, from + i)),
    );
  }
}
const total = Math.floor(messages / partitions) * partitions;

const channel = createSimulatedChannel({
  url: process.argv[4] ?? 'simulated:',
  now: Date.now,
  monotonicMs: () => performance.now(),
});
const cpu = process.cpuUsage();
const startMs = performance.now();
const dispatcher = await startDispatcher(world, { channel, slots, retryBaseMs: 100 });
const done = () => dispatcher.loop.lag().reduce((sum, p) => sum + p.watermark, 0);
while (done() < total) {
  if (dispatcher.fatal.length > 0) throw dispatcher.fatal[0];
  await new Promise((resolve) => setTimeout(resolve, 5));
}
const seconds = (performance.now() - startMs) / 1_000;
const used = process.cpuUsage(cpu);
await dispatcher.stop();

/** The same number of first attempts, straight into the provider. */
async function bareProvider(): Promise<number> {
  const bare = createSimulatedChannel({
    url: process.argv[4] ?? 'simulated:',
    now: Date.now,
    monotonicMs: () => performance.now(),
  });
  const signal = new AbortController().signal;
  let next = 0;
  const bareStartMs = performance.now();
  const slot = async () => {
    while (next < total) {
      const message = messageOf(campaigns[0] as string, ++next);
      const outgoing = { messageId: message.message_id, recipient: message.recipient };
      await bare.send(outgoing as Parameters<typeof bare.send>[0], { attempt: 1, signal });
    }
  };
  await Promise.all(Array.from({ length: slots }, slot));
  await bare.close();
  return total / ((performance.now() - bareStartMs) / 1_000);
}

const rows = [
  { name: 'bare provider', value: await bareProvider(), unit: 'calls/s', note: `${slots} slots, nothing around it` },
  {
    name: 'dispatcher',
    value: total / seconds,
    unit: 'msg/s',
    floor: 'bare provider',
    note: 'memory broker, events acknowledged',
  },
  { name: 'CPU', value: (used.user + used.system) / total, unit: 'µs a message', note: 'broker in memory included' },
  { name: 'peak memory', value: process.resourceUsage().maxRSS / 1_024, unit: 'MiB' },
];
process.stdout.write(`${JSON.stringify({ bench: `dispatcher alone, ${total} messages, ${slots} slots`, rows })}\n`);
