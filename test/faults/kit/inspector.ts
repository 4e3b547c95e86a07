import { until } from '../../support/until.ts';

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error('the inspector does not answer')), { once: true });
  });
  return socket;
}

/**
 * Runs an expression in the main thread of a Node process, from outside and without a word of it in its code: SIGUSR1 opens
 * its inspector (on a free port, see NODE_OPTIONS in world.ts). `over` resolves when it has run, or the process is gone.
 */
async function evaluate(pid: number, log: () => string, expression: string): Promise<{ over: Promise<void> }> {
  process.kill(pid, 'SIGUSR1');
  // Of a process that was started again the log names its predecessor's inspector first: nobody answers there.
  const socket = await until('the inspector listens', () => {
    const url = [...log().matchAll(/Debugger listening on (ws:\/\/\S+)/g)].at(-1)?.[1];
    return url === undefined ? undefined : connect(url);
  });
  const over = new Promise<void>((resolve) => {
    socket.addEventListener('error', () => resolve());
    socket.addEventListener('close', () => resolve(), { once: true });
  });
  socket.addEventListener('message', () => socket.close(), { once: true });
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
  return { over };
}

/** Stops the event loop for so long: resolves when that has begun. */
export async function blockEventLoop(pid: number, log: () => string, forMs: number): Promise<void> {
  await evaluate(pid, log, `{ const end = performance.now() + ${forMs}; while (performance.now() < end); }`);
}

/** What a process takes for the time of day differs by so much from now on; what counts milliseconds goes on as it did. */
export async function shiftWallClock(pid: number, log: () => string, byMs: number): Promise<void> {
  const expression = `{
    const real = globalThis.__realDate ?? Date;
    globalThis.__realDate = real;
    const now = () => real.now() + ${byMs};
    globalThis.Date = new Proxy(real, {
      apply: () => new real(now()).toString(),
      construct: (target, args, as) => Reflect.construct(target, args.length === 0 ? [now()] : args, as),
      get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
    });
  }`;
  const { over } = await evaluate(pid, log, expression);
  await over;
}
