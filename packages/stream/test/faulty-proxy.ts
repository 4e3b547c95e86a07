import net from 'node:net';

export interface FaultyProxy {
  readonly address: string;
  /** Asked for every answer of the broker, by the API key of its request. True: the client never gets it and loses its connection. */
  dropAnswer: (apiKey: number) => boolean;
  /** Asked for every request: what is given here is its answer, and the broker never sees the request. */
  answerInstead: (apiKey: number, request: Buffer) => Buffer | undefined;
  /** Nothing passes in either direction while it is on; nobody is told. */
  stall(on: boolean): void;
  /** While it is on all connections are cut, and new ones as soon as they are made. */
  refuse(on: boolean): void;
  close(): Promise<void>;
}

export const PRODUCE = 0;
export const JOIN_GROUP = 11;
export const HEARTBEAT = 12;

/**
 * A TCP proxy in front of one broker that speaks just enough of the protocol to lose chosen answers after the broker
 * acted on the request. Answers that name the broker's address name the proxy's instead (same length, so nothing moves).
 */
export async function faultyProxy(broker: string): Promise<FaultyProxy> {
  const [host = '', port = ''] = broker.split(':');
  const sockets = new Set<net.Socket>();
  let stalled = false;
  let refusing = false;

  const server = net.createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const upstream = net.connect(Number(port), host);
    const apiKeys = new Map<number, number>();
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
      if (stalled) socket.pause();
    }
    onFrames(client, (frame) => {
      const apiKey = frame.readInt16BE(4);
      const body = proxy.answerInstead(apiKey, frame);
      if (body !== undefined) {
        const head = Buffer.alloc(8);
        head.writeInt32BE(4 + body.length, 0);
        frame.copy(head, 4, 8, 12);
        client.write(Buffer.concat([head, body]));
        return;
      }
      apiKeys.set(frame.readInt32BE(8), apiKey);
      upstream.write(frame);
    });
    onFrames(upstream, (frame) => {
      const correlationId = frame.readInt32BE(4);
      const apiKey = apiKeys.get(correlationId) ?? -1;
      apiKeys.delete(correlationId);
      if (proxy.dropAnswer(apiKey)) client.destroy();
      else client.write(replaceAll(frame, addressBytes(host, Number(port)), addressBytes(host, ownPort)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const ownPort = (server.address() as net.AddressInfo).port;

  const proxy: FaultyProxy = {
    address: `127.0.0.1:${ownPort}`,
    dropAnswer: () => false,
    answerInstead: () => undefined,
    stall(on) {
      stalled = on;
      for (const socket of sockets) {
        if (on) socket.pause();
        else socket.resume();
      }
    },
    refuse(on) {
      refusing = on;
      if (on) for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

/** Kafka's frames: four bytes of length, then so many bytes. */
function onFrames(socket: net.Socket, take: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      take(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  });
}

function addressBytes(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(2 + host.length + 4);
  bytes.writeInt16BE(host.length, 0);
  bytes.write(host, 2);
  bytes.writeInt32BE(port, 2 + host.length);
  return bytes;
}

function replaceAll(frame: Buffer, from: Buffer, to: Buffer): Buffer {
  for (let at = frame.indexOf(from); at >= 0; at = frame.indexOf(from, at + to.length)) to.copy(frame, at);
  return frame;
}
