/** What a replay does before the store: its own fill, whose rows go nowhere. A process of its own for replay.bench.ts. */
import { groupsOf, topicsOf } from '@volley/contract';
import { createRegistry } from '@volley/contract/registry';
import { createFailpoints, createLogger, createMetrics, sleep, systemClock } from '@volley/runtime';
import { createKafkaClient } from '@volley/stream/kafka';
import { createLog } from '../src/adapters/log.ts';
import { createSchemas } from '../src/adapters/schemas.ts';
import { CATALOGUE } from '../src/metrics.ts';
import type { RowStore } from '../src/ports.ts';
import { openFill } from '../src/replay-fill.ts';

const { kafka, registry, namespace, total } = JSON.parse(process.env.BARE ?? '{}') as Record<string, string>;
const topics = topicsOf(namespace as string);
const stream = createKafkaClient({ brokers: [kafka as string], clientId: 'replay-read' });
const admin = await stream.admin();
const ends = (await admin.logBounds(topics.deliveries)).map(({ end }) => end);
const ok = async () => ({ ok: true }) as const;
const nowhere: RowStore = {
  insert: ok,
  ping: ok,
  endOf: async () => ({ ok: true, end: 0 }),
  generation: async () => ({ ok: true, generation: '0' }),
  count: async () => ({ ok: true, rows: 0 }),
  close: async () => {},
};
const schemas = createRegistry({ url: registry as string, clientId: 'replay-read', nowMs: () => performance.now() });
const signal = new AbortController().signal;
const fill = await openFill(
  {
    stream,
    topic: topics.deliveries,
    groupId: `${groupsOf(namespace as string).sink}-read`,
    clientId: 'replay-read',
    sessionMs: 10_000,
    queueBytes: 32 * 1024 * 1024,
    drainMs: 1_000,
    starts: ends.map(() => 0),
    ratePerSecond: null,
    sinksAt: async () => [],
    mayWrite: () => true,
    pipeline: {
      cluster: await admin.clusterId(),
      deadLetterTopic: topics.deliveriesDlq,
      limits: { maxRows: 50_000, maxBytes: 16_777_216, lingerMs: 1_200, maxInserts: 2, pressedBytes: 16_777_216 },
      schemas: createSchemas({ store: schemas.store, nowMs: () => performance.now() }),
      store: nowhere,
      deadLetters: { send: ok },
      log: createLog(stream, topics.deliveries),
      clock: systemClock,
      waitBefore: () => 100,
      sleep,
      failpoints: createFailpoints(undefined),
      metrics: createMetrics(CATALOGUE, false).m,
      logger: createLogger('replay-read', 'error'),
    },
  },
  signal,
);
const usage = () => ({ atMs: performance.now(), cpuUs: process.cpuUsage().user + process.cpuUsage().system });
await fill.upTo(
  ends.map((end) => Math.floor(end / 5)),
  signal,
);
const warm = usage();
await fill.upTo(ends, signal);
const now = usage();
const events = (Number(total) * 4) / 5;
const result = { perSecond: events / ((now.atMs - warm.atMs) / 1_000), cpuUs: (now.cpuUs - warm.cpuUs) / events };
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
