import type { Lane } from '@volley/contract';
import { type OutgoingRecord, type StreamProducer, StreamUnavailable } from '@volley/stream';
import type { ExecutionContext } from 'ava';
import type { ImportLine } from '../../src/ports.ts';
import { decodeAll, readAll, topics } from './log.ts';
import { drafted, type Service, statsOf, type World } from './roles.ts';

export const to = 'a@b.example';
export const draft = (s: Service, change: object = {}) => drafted(s, 1, change);

export async function* inChunks(lines: readonly ImportLine[], size = 300): AsyncGenerator<ImportLine[]> {
  for (let i = 0; i < lines.length; i += size) yield lines.slice(i, i + size);
}
export const numbered = (messages: readonly Record<string, unknown>[]): ImportLine[] =>
  messages.map((fields, i) => ({ line: i + 1, fields }));
export const people = (n: number, prefix = 'm') =>
  Array.from({ length: n }, (_, i) => ({ id: `${prefix}${i}`, to: `p${i}@b.example`, vars: { n: i } }));

export const messagesIn = async (w: World, lane: Lane = 'bulk') =>
  decodeAll('Message', await readAll(w.client, topics.messages[lane]));
export const idsIn = async (w: World, lane?: Lane) => (await messagesIn(w, lane)).map((m) => m.message_id).sort();
export const totalOf = async (t: ExecutionContext, s: Service, id: string) => (await statsOf(t, s, id)).total;

/** The log as it is, for so many calls; then away until told otherwise. */
export function failingAfter(producer: StreamProducer, calls: number) {
  const fake = {
    calls,
    /** Also what fails has reached the log. */
    lateAnswers: false,
    async send(records: readonly OutgoingRecord[]) {
      if (fake.calls-- > 0) return producer.send(records);
      if (fake.lateAnswers) await producer.send(records);
      throw new StreamUnavailable('away');
    },
  };
  return fake;
}
