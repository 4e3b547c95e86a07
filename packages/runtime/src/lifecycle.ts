import type { Logger } from './logger.ts';

/** Something that was started and is stopped in reverse order. */
export interface Part {
  readonly name: string;
  stop(): Promise<void>;
}

export interface Lifecycle {
  /** Registers a started part; the last one registered stops first. */
  add(part: Part): void;
  /** From here on readiness is red: no new work is wanted. */
  stopping(): boolean;
  /** Ends the process with 1 at once, without the ordered stop: what is not acknowledged will be repeated by the next one. */
  fatal(error: Error): never;
}

/**
 * SIGTERM and SIGINT stop all parts in reverse order within `graceMs`, then exit 0; when the time is over, exit 1.
 * A signal that comes again within a second is the same one (a terminal signals the whole group); later it means now.
 * A stopped parent (IPC channel closed) counts as SIGTERM, so that nothing is orphaned.
 */
export function createLifecycle(log: Logger, graceMs: number): Lifecycle {
  const parts: Part[] = [];
  let stoppingSinceMs: number | undefined;

  const stop = async (why: string) => {
    if (stoppingSinceMs !== undefined) {
      if (performance.now() - stoppingSinceMs > 1_000) process.exit(1);
      return;
    }
    stoppingSinceMs = performance.now();
    log.info({ why }, 'stopping');
    const timer = setTimeout(() => {
      log.error({ graceMs }, 'stop took too long');
      process.exit(1);
    }, graceMs);
    timer.unref();
    let code = 0;
    for (const part of parts.reverse()) {
      try {
        await part.stop();
      } catch (error) {
        code = 1;
        log.error({ part: part.name, err: error }, 'part did not stop cleanly');
      }
    }
    log.info('stopped');
    process.exit(code);
  };

  const fatal = (error: Error): never => {
    log.fatal({ err: error }, 'fatal: the process ends');
    process.exit(1);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('disconnect', () => void stop('parent is gone'));
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', (reason) => fatal(reason instanceof Error ? reason : new Error(String(reason))));
  return { add: (part) => void parts.push(part), stopping: () => stoppingSinceMs !== undefined, fatal };
}
