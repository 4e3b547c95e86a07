import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

export interface ProcessLock {
  release(): Promise<void>;
}

export type LockResult = { held: true; lock: ProcessLock } | { held: false; ownerPid: number | undefined };

/**
 * A lock between processes that the kernel gives back when its owner dies, also by SIGKILL: a listening socket.
 * On Linux its name is in the abstract namespace, so there is no file to go stale. Whoever connects is told the owner's pid.
 */
export async function tryLock(key: string): Promise<LockResult> {
  const address = lockAddress(key);
  const first = await listen(address);
  if (first !== undefined) return { held: true, lock: first };
  const owner = await askOwner(address);
  if (owner.answered || process.platform === 'linux') return { held: false, ownerPid: owner.pid };
  // Elsewhere the name is a file: nobody answers, so it is a dead owner's.
  rmSync(address, { force: true });
  const second = await listen(address);
  return second === undefined ? { held: false, ownerPid: undefined } : { held: true, lock: second };
}

/** The pid of the live owner, if there is one. Takes nothing, so it cannot get in the way of a start. */
export async function lockOwner(key: string): Promise<number | undefined> {
  const owner = await askOwner(lockAddress(key));
  return owner.answered ? owner.pid : undefined;
}

/** Waits for the present owner to finish or die. `onWait` is called once when there is something to wait for. */
export async function waitForLock(key: string, onWait: () => void, signal?: AbortSignal): Promise<ProcessLock> {
  let told = false;
  for (;;) {
    signal?.throwIfAborted();
    const result = await tryLock(key);
    if (result.held) return result.lock;
    if (!told) onWait();
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function lockAddress(key: string): string {
  const name = `volley-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
  return process.platform === 'linux' ? `\0${name}` : path.join(os.tmpdir(), `${name}.sock`);
}

function listen(address: string): Promise<ProcessLock | undefined> {
  return new Promise((resolve, reject) => {
    const sockets = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
      socket.end(`${process.pid}\n`);
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => {
      server.unref();
      resolve({
        release: () =>
          new Promise((done) => {
            for (const socket of sockets) socket.destroy();
            server.close(() => done());
          }),
      });
    });
  });
}

function askOwner(address: string): Promise<{ answered: boolean; pid: number | undefined }> {
  return new Promise((resolve) => {
    const socket = net.connect(address);
    let text = '';
    socket.setTimeout(1000, () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => resolve({ answered: false, pid: undefined }));
    socket.on('close', () => resolve({ answered: text !== '', pid: Number.parseInt(text, 10) || undefined }));
  });
}
