import { RegistryUnavailable } from '@volley/contract/registry';
import { backoffMs, type Logger, sleep } from '@volley/runtime';
import { StreamUnavailable, TopicMissing } from '@volley/stream';
import { StoreUnavailable } from '../ports.ts';

/** Something that this process needs is away and may come back; anything else is a bug. */
export const isOutage = (error: unknown): boolean =>
  error instanceof StoreUnavailable ||
  error instanceof StreamUnavailable ||
  error instanceof RegistryUnavailable ||
  String((error as Error).name).startsWith('KafkaJS');

/** Tries until what it needs is there. A topic that is not will not come by waiting: somebody left a step out. */
export async function untilThere<T>(log: Logger, what: string, start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (!isOutage(error) || error instanceof TopicMissing) throw error;
      if (attempt === 1 || attempt % 20 === 0) log.warn({ err: error, what }, 'waiting');
      await sleep(backoffMs(attempt, 200, 2_000, Math.random()));
    }
  }
}
