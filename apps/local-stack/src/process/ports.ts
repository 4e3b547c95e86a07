import net from 'node:net';
import { StackError } from '../stack-error.ts';
import { type ProcessLock, tryLock } from './process-lock.ts';

export interface PortPicker {
  /** The preferred port if it is free, else the next free one (said in the log). */
  near(name: string, preferred: number): Promise<number>;
  /** Any free one. */
  any(name: string): Promise<number>;
  release(): Promise<void>;
}

/**
 * Between asking whether a port is free and the store binding it there is a gap of seconds, so a chosen port is also
 * reserved among Volley's own processes until `release`. `any` stays below 32768, where Linux starts to hand out
 * ports for outgoing connections: one of those could take the port within the gap.
 */
export function createPortPicker(log: (line: string) => void): PortPicker {
  const reserved: ProcessLock[] = [];

  async function take(port: number): Promise<boolean> {
    const result = await tryLock(`port:${port}`);
    if (!result.held) return false;
    if (await canBind(port)) {
      reserved.push(result.lock);
      return true;
    }
    await result.lock.release();
    return false;
  }

  return {
    async near(name, preferred) {
      for (let port = preferred; port < Math.min(preferred + 200, 65_536); port++) {
        if (!(await take(port))) continue;
        if (port !== preferred) log(`port ${preferred} is taken, ${name} uses ${port}`);
        return port;
      }
      throw new StackError(
        `No free port between ${preferred} and ${preferred + 199} for ${name}: free one of them and start again.`,
      );
    },
    async any(name) {
      for (let attempt = 0; attempt < 200; attempt++) {
        const port = 12_000 + Math.floor(Math.random() * 20_000);
        if (await take(port)) return port;
      }
      throw new StackError(`No free port between 12000 and 32000 for ${name}: free some and start again.`);
    },
    async release() {
      await Promise.all(reserved.splice(0).map((lock) => lock.release()));
    },
  };
}

export function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
