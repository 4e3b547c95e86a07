import net from 'node:net';

/**
 * The two questions that tell a ready broker from an open port, in Kafka's own protocol: who is in the cluster, and
 * where does each partition end. A client library would retry and cache around exactly what is to be seen here.
 */
export async function kafkaAnswers(port: number, timeoutMs: number): Promise<boolean> {
  const connection = await connect(port, timeoutMs);
  try {
    const metadata = readMetadata(await connection.ask(3, 1, int32(-1)));
    if (metadata.brokers === 0 || metadata.partitions.some((partition) => partition.error !== 0)) return false;
    if (metadata.partitions.length === 0) return true;
    return readOffsetErrors(await connection.ask(2, 1, listOffsets(metadata.partitions))).every((error) => error === 0);
  } finally {
    connection.close();
  }
}

interface Partition {
  topic: string;
  partition: number;
  error: number;
}

function listOffsets(partitions: Partition[]): Buffer {
  const byTopic = Map.groupBy(partitions, (partition) => partition.topic);
  const topics = [...byTopic].map(([topic, list]) =>
    Buffer.concat([
      string(topic),
      int32(list.length),
      ...list.map(({ partition }) => Buffer.concat([int32(partition), int64(-1n)])),
    ]),
  );
  return Buffer.concat([int32(-1), int32(topics.length), ...topics]);
}

function readMetadata(reader: Reader): { brokers: number; partitions: Partition[] } {
  const brokers = reader.int32();
  for (let i = 0; i < brokers; i++) {
    reader.int32();
    reader.string();
    reader.int32();
    reader.string();
  }
  reader.int32(); // controller
  const partitions: Partition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topicError = reader.int16();
    const topic = reader.string();
    reader.skip(1); // internal
    for (let left = reader.int32(); left > 0; left--) {
      const error = reader.int16() || topicError;
      const partition = reader.int32();
      reader.int32(); // leader
      reader.skip(4 * reader.int32()); // replicas
      reader.skip(4 * reader.int32()); // in sync
      partitions.push({ topic, partition, error });
    }
  }
  return { brokers, partitions };
}

function readOffsetErrors(reader: Reader): number[] {
  const errors: number[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    reader.string();
    for (let left = reader.int32(); left > 0; left--) {
      reader.int32();
      errors.push(reader.int16());
      reader.skip(16); // timestamp, offset
    }
  }
  return errors;
}

function connect(
  port: number,
  timeoutMs: number,
): Promise<{ ask(api: number, version: number, body: Buffer): Promise<Reader>; close(): void }> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    let received = Buffer.alloc(0);
    let answer: ((reader: Reader) => void) | undefined;
    let fail = reject;
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', (error) => fail(error));
    socket.on('close', () => fail(new Error('connection closed')));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      const reader = createReader(received, 8); // length, correlation id
      received = Buffer.alloc(0);
      answer?.(reader);
    });
    socket.once('connect', () =>
      resolve({
        ask: (api, version, body) =>
          new Promise((done, failed) => {
            answer = done;
            fail = failed;
            const request = Buffer.concat([int16(api), int16(version), int32(1), string('volley-ready'), body]);
            socket.write(Buffer.concat([int32(request.length), request]));
          }),
        close: () => socket.destroy(),
      }),
    );
  });
}

interface Reader {
  int16(): number;
  int32(): number;
  string(): string;
  skip(bytes: number): void;
}

function createReader(buffer: Buffer, start: number): Reader {
  let at = start;
  const advance = (bytes: number) => {
    at += bytes;
    return at - bytes;
  };
  return {
    int16: () => buffer.readInt16BE(advance(2)),
    int32: () => buffer.readInt32BE(advance(4)),
    string: () => {
      const length = buffer.readInt16BE(advance(2));
      return length < 0 ? '' : buffer.toString('utf8', advance(length), at);
    },
    skip: (bytes) => void advance(bytes),
  };
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function int64(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(value);
  return buffer;
}

function string(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
