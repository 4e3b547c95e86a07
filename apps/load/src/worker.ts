/** One generator: a process of its own, so that what the others do (views, reports) never delays a request. */
import { createGenerator, type Generator } from './generator.ts';
import { pace } from './pacer.ts';
import type { Share } from './plan.ts';
import { countError, createRecorder, recordLatency, type Sent } from './recorder.ts';
import { type Made, requestsOf } from './requests.ts';
import { createTransport } from './transport.ts';

export type ToWorker =
  | { readonly type: 'begin'; readonly share: Share /** Epoch. */; readonly startAtMs: number }
  | { readonly type: 'stop' };
export type FromWorker =
  | { readonly type: 'ready' }
  | {
      readonly type: 'sent';
      readonly sent: Sent;
      readonly made: readonly Made[];
      readonly inFlight: number;
      readonly cpuMs: number;
    }
  | { readonly type: 'done' };

const SAMPLE_MS = 500;

const clock = {
  nowMs: () => performance.now(),
  wait: (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms)),
};
const tell = (message: FromWorker) => process.send?.(message);
let running: Generator | undefined;
let over = false;

async function begin(share: Share, startAtMs: number): Promise<void> {
  const transport = createTransport(share);
  const requests = requestsOf(share, transport);
  const recorder = createRecorder();
  const { schedule } = requests;
  const startMs = startAtMs - performance.timeOrigin;
  const { intervalMs, first, every, maxInFlight } = share;
  const generator = createGenerator({
    ...{ clock, startMs, schedule, intervalMs, first, every, maxInFlight, recorder },
    send: requests.send,
  });
  running = generator;
  const report = () => {
    const { user, system } = process.cpuUsage();
    const cpuMs = (user + system) / 1_000;
    tell({ type: 'sent', sent: recorder.take(), made: requests.takeMade(), inFlight: generator.inFlight(), cpuMs });
  };
  const reporting = setInterval(report, SAMPLE_MS);

  /** Readers ask by the clock too, one question a second each. */
  const asking = new Set<Promise<void>>();
  const stageAt = (atMs: number) =>
    Math.max(
      0,
      schedule.stages.findLastIndex((stage) => stage.startMs <= atMs),
    );
  const reading = pace({
    ...{ clock, startMs, first: 0, every: 1 },
    arrivals: Math.floor((share.readers * schedule.durationMs) / 1_000),
    atMs: (n) => (n * 1_000) / share.readers,
    stopped: () => over,
    fire(n, atMs) {
      const asked = requests.read(n).then((error) => {
        const stage = stageAt(atMs);
        const index = Math.floor((atMs - (schedule.stages[stage]?.startMs ?? 0)) / intervalMs);
        const interval = recorder.interval(stage, index);
        if (error === undefined) recordLatency(interval, 'reads', clock.nowMs() - startMs - atMs);
        else countError(interval.errors, error);
        asking.delete(asked);
      });
      asking.add(asked);
    },
  });

  await generator.run();
  await reading;
  await Promise.all(asking);
  clearInterval(reporting);
  report();
  await transport.close();
  tell({ type: 'done' });
}

process.on('message', (message: ToWorker) => {
  if (message.type === 'begin') void begin(message.share, message.startAtMs);
  else {
    over = true;
    running?.stop();
  }
});
// A terminal's Ctrl-C reaches the whole group: the parent says when to stop.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(1));
tell({ type: 'ready' });
