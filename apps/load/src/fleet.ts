import { fork } from 'node:child_process';
import { LoadError } from './load-error.ts';
import type { Share } from './plan.ts';
import { createRecording, type Recording } from './recorder.ts';
import type { Made } from './requests.ts';
import type { FromWorker, ToWorker } from './worker.ts';

/** All generators of a run, each in a process of its own. */
export interface Fleet {
  readonly recording: Recording;
  readonly made: readonly Made[];
  inFlight(): number;
  /** CPU of all generators so far. */
  cpuMs(): number;
  /** Starts all at one moment (epoch); resolves when every arrival has its answer. Rejects when a generator dies. */
  run(share: Omit<Share, 'first' | 'every'>, startAtMs: number): Promise<void>;
  /** No further arrival. */
  stop(): void;
  close(): void;
}

export async function startFleet(generators: number): Promise<Fleet> {
  const recording = createRecording();
  const made: Made[] = [];
  const workers = Array.from({ length: generators }, () =>
    fork(new URL('./worker.ts', import.meta.url), [], { serialization: 'advanced', execArgv: [] }),
  );
  const flying = workers.map(() => 0);
  const cpu = workers.map(() => 0);
  const sum = (list: readonly number[]) => list.reduce((total, n) => total + n, 0);
  const told = (type: FromWorker['type']) =>
    Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            worker.on('message', (message: FromWorker) => void (message.type === type && resolve()));
            worker.once('exit', (code, signal) =>
              reject(new LoadError(`a generator ended by itself: ${signal ?? code}`)),
            );
          }),
      ),
    );
  workers.forEach((worker, i) => {
    worker.on('message', (message: FromWorker) => {
      if (message.type !== 'sent') return;
      recording.add(message.sent);
      made.push(...message.made);
      flying[i] = message.inFlight;
      cpu[i] = message.cpuMs;
    });
  });
  const close = () => {
    for (const worker of workers) worker.kill('SIGKILL');
  };
  const done = told('done');
  done.catch(() => {});
  try {
    await told('ready');
  } catch (error) {
    close();
    throw error;
  }
  const tell = (worker: (typeof workers)[number], message: ToWorker) => void worker.send(message, () => {});
  return {
    recording,
    made,
    inFlight: () => sum(flying),
    cpuMs: () => sum(cpu),
    async run(share, startAtMs) {
      workers.forEach((worker, i) => {
        const maxInFlight = Math.ceil(share.maxInFlight / generators);
        const connections = Math.max(1, Math.ceil(share.connections / generators));
        const readers = i === 0 ? share.readers : 0;
        const own: Share = { ...share, maxInFlight, connections, readers, first: i, every: generators };
        tell(worker, { type: 'begin', share: own, startAtMs });
      });
      await done;
    },
    stop() {
      for (const worker of workers) tell(worker, { type: 'stop' });
    },
    close,
  };
}
