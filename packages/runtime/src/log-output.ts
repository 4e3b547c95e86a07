import { write, writeSync } from 'node:fs';

/** Lines that wait while nobody takes them: beyond it the newest are dropped. */
const MAX_WAITING_BYTES = 1_048_576;
/** Of a pipe whose reader is slow. */
const ASK_AGAIN_MS = 100;

/** Where lines go; `flushSync` is called after a fatal one. */
export interface LogOutput {
  write(line: string): void;
  flushSync(): void;
}

/**
 * Lines to a file descriptor, without ever ending or stopping the process: what is not taken (a file on a full disk, a pipe
 * that nobody reads) is tried again with the next line. pino's own destination throws an error of a write, and when it
 * flushes (after a fatal line, and at the exit) tries for ever: the process would stay, deaf (sonic-boom 4.2, ENOSPC).
 */
export function createLogOutput(fd: number): LogOutput {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let writing = false;

  function next(): void {
    if (writing || waitingBytes === 0) return;
    const chunk = Buffer.concat(waiting);
    waiting = [];
    writing = true;
    write(fd, chunk, (error, taken) => {
      writing = false;
      const done = error === null ? taken : 0;
      waitingBytes -= done;
      if (done < chunk.length) waiting.unshift(chunk.subarray(done));
      if (error === null) next();
      else if (error.code === 'EAGAIN') setTimeout(next, ASK_AGAIN_MS).unref();
    });
  }

  function flushSync(): void {
    // What is on its way is written by somebody else, now or never.
    const chunk = Buffer.concat(waiting);
    let at = 0;
    try {
      while (at < chunk.length) at += writeSync(fd, chunk, at);
    } catch {
      // It was asked for by the last words of a process: they are lost, and it ends.
    }
    waitingBytes -= at;
    waiting = at < chunk.length ? [chunk.subarray(at)] : [];
  }

  process.on('exit', flushSync);
  return {
    write(line) {
      const bytes = Buffer.from(line);
      if (waitingBytes + bytes.length > MAX_WAITING_BYTES) return;
      waiting.push(bytes);
      waitingBytes += bytes.length;
      next();
    },
    flushSync,
  };
}
