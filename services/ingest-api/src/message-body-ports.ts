import type { MessageBodyView } from '@volley/contract/http';
import type { StreamRecord } from '@volley/stream';
import type { MessagePlace } from './analytics-ports.ts';
import type { Result } from './ports.ts';

/** What is asked of the log and of whoever shows a message as its recipient gets it. */
export interface Wanted {
  readonly messageId: string;
  /** Where its record may lie, from which time on (epoch milliseconds). */
  readonly places: readonly MessagePlace[];
}

/**
 * `truncated`: the log starts later than where it would lie. `absent`: it was looked for to the end. `bounded`: there is
 * more of the log than is read for one request. `busy`: others are looking, and it was not looked for.
 */
export type Found = { readonly record: StreamRecord } | 'truncated' | 'absent' | 'bounded' | 'busy';

/** Rejects with StreamUnavailable when the log does not answer, and with the reason of `gone` when nobody waits any more. */
export type RecordFinder = (wanted: Wanted, gone?: AbortSignal) => Promise<Found>;

export interface MessageBodies {
  /** Rendered anew, whether or not it was ever sent. */
  of(messageId: string, gone?: AbortSignal): Promise<Result<MessageBodyView>>;
}
