import net from 'node:net';
import { framesTo } from './kafka-frames.ts';

export interface ClusterView {
  /** Ids of the brokers that are up. */
  readonly brokers: readonly number[];
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    /** -1: none. */
    readonly leader: number;
    readonly replicas: readonly number[];
    readonly inSync: readonly number[];
  }[];
}

/** What the broker on this port says of its cluster, in Kafka's own protocol: a client would cache and ask another one. */
export function describeCluster(port: number, timeoutMs = 2_000): Promise<ClusterView> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('no answer in time')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.on(
      'data',
      framesTo((frame) => {
        socket.destroy();
        try {
          resolve(parse(frame));
        } catch (error) {
          reject(error as Error);
        }
      }),
    );
    // Metadata version 1, correlation id 1, client id "t", all topics.
    const body = Buffer.from([0, 3, 0, 1, 0, 0, 0, 1, 0, 1, 0x74, 255, 255, 255, 255]);
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length);
    socket.write(Buffer.concat([length, body]));
  });
}

function parse(frame: Buffer): ClusterView {
  let at = 8;
  const take = (bytes: number) => {
    at += bytes;
    return at - bytes;
  };
  const int16 = () => frame.readInt16BE(take(2));
  const int32 = () => frame.readInt32BE(take(4));
  const text = () => {
    const length = int16();
    if (length < 0) return '';
    return frame.toString('utf8', take(length), at);
  };
  const list = <T>(read: () => T): T[] => Array.from({ length: int32() }, read);
  const brokers = list(() => {
    const id = int32();
    text(); // host
    int32(); // port
    text(); // rack
    return id;
  });
  int32(); // controller
  const partitions = list(() => {
    int16(); // error
    const topic = text();
    take(1); // internal
    return list(() => {
      int16(); // error
      return { topic, partition: int32(), leader: int32(), replicas: list(int32), inSync: list(int32) };
    });
  }).flat();
  return { brokers, partitions };
}
