import { ordinalOfMessage } from '@volley/contract';
import type { Analytics, MessageState } from '../../src/analytics-ports.ts';
import { absentAnalytics } from './api.ts';

const known = <T>(value: T) => ({ value, asOfMs: Date.parse('2026-11-21T10:00:00.000Z') });

/** What ClickHouse would say of messages; everything else of it is away. The states may change while somebody reads. */
export function analyticsOf(states: { values(): Iterable<MessageState> }, directWindow = 1_000): Analytics {
  const all = () => [...states.values()];
  const isOwn = (s: MessageState) => ordinalOfMessage(s.message_id) === s.ordinal;
  const matches =
    (want: { status?: string; reason?: string; recipient?: string }) =>
    (s: MessageState): boolean =>
      (want.status === undefined || s.status === want.status) &&
      (want.reason === undefined || (s.reason === want.reason && s.status !== 'queued')) &&
      (want.recipient === undefined || s.recipient.toLowerCase() === want.recipient.toLowerCase());
  return {
    ...absentAnalytics,
    states: async (_, want) =>
      known(
        all()
          .filter((s) => s.ordinal > want.after && s.ordinal <= want.last && isOwn(s))
          .filter(matches(want))
          .sort((a, b) => a.ordinal - b.ordinal)
          .slice(0, want.limit),
      ),
    queued: async (_, { after, last, limit }) => {
      const moved = new Set(all().flatMap((s) => (s.status === 'queued' || !isOwn(s) ? [] : [s.ordinal])));
      const ordinals = Array.from({ length: Math.max(0, last - after) }, (_, i) => after + 1 + i);
      return known(ordinals.filter((ordinal) => !moved.has(ordinal)).slice(0, limit));
    },
    directState: async (_, id) => known(all().find((s) => s.message_id === id)),
    async directStates(_, { after, limit, ...filter }) {
      const rest = all()
        .filter((s) => s.message_id > after)
        .sort((a, b) => (a.message_id < b.message_id ? -1 : 1));
      const window = rest.slice(0, Object.keys(filter).length === 0 ? limit : directWindow);
      const found = window.filter(matches(filter)).slice(0, limit);
      const on = window.length < rest.length && found.length < limit ? window.at(-1)?.message_id : undefined;
      return known({ found, ...(on !== undefined && { on }) });
    },
    timeline: async () =>
      known({ timeline: [{ kind: 'deferred', at: '2026-01-01T00:00:00.000Z', attempt: 1 }], truncated: false }),
  };
}
