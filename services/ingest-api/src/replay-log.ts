import type { StreamAdmin, StreamClient } from '@volley/stream';
import type { ReplayLog } from './replay-ports.ts';

/** What the making of a replay asks of the log. */
export function createReplayLog(client: Pick<StreamClient, 'admin'>): ReplayLog {
  let admin: Promise<StreamAdmin> | undefined;

  async function withAdmin<T>(ask: (admin: StreamAdmin) => Promise<T>): Promise<T> {
    admin ??= client.admin();
    try {
      return await ask(await admin);
    } catch (error) {
      // Whatever is the matter with this connection, the next question gets another one.
      const broken = admin;
      admin = undefined;
      void broken?.then((a) => a.close()).catch(() => {});
      throw error;
    }
  }

  return {
    bounds: (topic) => withAdmin((a) => a.logBounds(topic)),
    offsetsAt: (topic, atMs) => withAdmin((a) => a.offsetsAt(topic, atMs)),
    async keptMs(topics) {
      const settings = await withAdmin((a) => a.topicSettings(topics));
      return topics.map((topic) => {
        const { 'retention.bytes': bytes, 'retention.ms': ms } = settings.get(topic) ?? {};
        return bytes === '-1' && ms !== undefined ? Number(ms) : undefined;
      });
    },
  };
}
