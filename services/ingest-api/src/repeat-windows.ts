import { belongsTo, createRepeatRule, REPEAT_WINDOW, type RepeatRule } from '@volley/contract';
import type { StreamClient } from '@volley/stream';
import type { EventDecoder } from './event-decoder.ts';

/** One partition: a window is read in about a second, and a broker may be slow. */
const READ_DEADLINE_MS = 120_000;

/** What the repeat rule has to know of the records before those that are counted. */
export interface RepeatWindows {
  /**
   * The rule of a partition, which has been offered the window before `next` as far as the log has it. 'wait': a schema in
   * it is said not to exist, and that is not believed yet. A read that fails goes on where it ended.
   */
  upTo(partition: number, logStart: number, next: number): Promise<RepeatRule | 'wait'>;
  /** A rule that has been offered everything below `next`: an assignment that comes back need not read it again. */
  keep(partition: number, rule: RepeatRule, next: number): void;
  /** Forgets all but these. */
  only(partitions: readonly number[]): void;
}

export function createRepeatWindows(d: {
  readonly topic: string;
  readonly client: Pick<StreamClient, 'readRanges'>;
  readonly decoder: EventDecoder;
}): RepeatWindows {
  const windows = new Map<number, { readonly rule: RepeatRule; next: number }>();

  return {
    async upTo(partition, logStart, next) {
      const known = windows.get(partition);
      const window = known !== undefined && known.next <= next ? known : { rule: createRepeatRule(), next: 0 };
      windows.set(partition, window);
      window.next = Math.max(window.next, next - REPEAT_WINDOW, Math.min(logStart, next));
      while (window.next < next) {
        let missing: Buffer | undefined;
        await d.client.readRanges({
          ranges: [{ topic: d.topic, partition, from: window.next, to: next }],
          deadlineMs: READ_DEADLINE_MS,
          onRecord(record) {
            if (missing !== undefined) return;
            const decoded = d.decoder.now(record.value);
            if (decoded === undefined) {
              missing = record.value as Buffer;
              return;
            }
            const event = decoded.ok ? decoded.value : undefined;
            if (event && belongsTo(event.message_id, event.campaign_id)) window.rule.offer(record.offset, event);
            window.next = record.offset + 1;
          },
        });
        if (missing === undefined) window.next = next;
        else if ((await d.decoder.ask(missing)) === 'wait') return 'wait';
      }
      return window.rule;
    },
    keep(partition, rule, next) {
      windows.set(partition, { rule, next });
    },
    only(partitions) {
      for (const partition of windows.keys()) if (!partitions.includes(partition)) windows.delete(partition);
    },
  };
}
