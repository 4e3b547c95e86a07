import type { StreamClient, StreamRecord } from '@volley/stream';
import type { Answer, Log } from '../ports.ts';

/** One partition's window is read in about a second, and a broker may be slow. */
const READ_DEADLINE_MS = 60_000;

/** The topic of delivery events beside the group that reads it: where it starts, and records that were read before. */
export function createLog(client: Pick<StreamClient, 'admin' | 'readRanges'>, topic: string): Log {
  const answerOf = async (effect: () => Promise<void>): Promise<Answer> => {
    try {
      await effect();
      return { ok: true };
    } catch (error) {
      return { ok: false, error: (error as Error).message };
    }
  };

  return {
    async startOf(partition) {
      let start = 0;
      const answer = await answerOf(async () => {
        const admin = await client.admin();
        try {
          start = (await admin.logBounds(topic))[partition]?.start ?? 0;
        } finally {
          await admin.close();
        }
      });
      return answer.ok ? { ok: true, start } : answer;
    },
    read: (partition, from, to, onRecord: (record: StreamRecord) => void) =>
      answerOf(() =>
        client.readRanges({ ranges: [{ topic, partition, from, to }], deadlineMs: READ_DEADLINE_MS, onRecord }),
      ),
  };
}
