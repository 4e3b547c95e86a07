import net from 'node:net';
import { createDirection, type Direction } from './fault-proxy-direction.ts';
import { createKafkaWatch } from './kafka-frames.ts';

/** Kafka's API keys that faults are about. */
export const API = { produce: 0, fetch: 1, metadata: 3, offsetCommit: 8, joinGroup: 11, heartbeat: 12 } as const;

/** What is done with the answer to a request; the client never gets it, or gets other bytes, or later than what follows. */
export type AnswerFault = 'drop' | ((answer: Buffer) => Buffer) | { readonly laterMs: number };

export interface FaultProxyOptions {
  /** host:port of the server. */
  readonly target: string;
  /** A port of one's own choice (a broker must know its proxy's before it starts). Default: a free one. */
  readonly port?: number;
  /** `kafka`: requests and answers are told apart by frame and correlation id. Default `raw`. */
  readonly protocol?: 'raw' | 'kafka';
}

export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** host:port for the client. */
  readonly address: string;
  /** What the client sends, and what the server answers: each with its own latency, bandwidth, blackhole, limit. */
  readonly toServer: Direction;
  readonly toClient: Direction;
  /** While it is on nobody listens: a connection is refused, and those that were open are cut. */
  refuse(on: boolean): Promise<void>;
  /** All open connections end with a reset. Answers how many. */
  reset(): number;
  /**
   * The answers to the next `times` requests that contain these bytes are lost after the server acted on them: the client's
   * connection is cut instead. `raw` protocols: whatever the server says after such a request is its answer.
   */
  dropAnswerTo(bytes: string | Buffer, times?: number): void;
  /** Kafka only. Asked for each answer by the API key of its request; undefined lets it pass. */
  onAnswer: ((apiKey: number, request: Buffer) => AnswerFault | undefined) | undefined;
  /** How many answers were dropped or changed so far. */
  faults(): number;
  connections(): number;
  /** Everything passes again as if nothing had been. */
  heal(): Promise<void>;
  close(): Promise<void>;
}

/** A TCP proxy on 127.0.0.1 whose faults can be switched while it runs. It adds nothing as long as none is. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const [host = '127.0.0.1', port = ''] = options.target.split(':');
  const pairs = new Set<{ client: net.Socket; server: net.Socket }>();
  const toServer = createDirection();
  const toClient = createDirection();
  const wanted: { bytes: Buffer; left: number }[] = [];
  let ownPort = options.port ?? 0;
  let refusing = false;
  let faults = 0;

  /** The first of the wanted that this request contains, counted down. */
  function takeWanted(request: Buffer): boolean {
    const found = wanted.find(({ bytes, left }) => left > 0 && request.includes(bytes));
    if (found !== undefined) found.left -= 1;
    return found !== undefined;
  }

  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = net.connect({ host, port: Number(port), allowHalfOpen: true });
    const pair = { client, server: upstream };
    pairs.add(pair);
    const cut = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    const reset = () => {
      pairs.delete(pair);
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', cut);
      socket.on('close', cut);
    }
    const forward = toServer.connect({ from: client, to: upstream, reset });
    const back = toClient.connect({ from: upstream, to: client, reset });

    if (options.protocol === 'kafka') {
      const watch = createKafkaWatch({
        request: forward,
        answer(frame, apiKey, request) {
          const fault = takeWanted(request) ? 'drop' : proxy.onAnswer?.(apiKey, request);
          if (fault === undefined) return back(frame);
          faults += 1;
          if (fault === 'drop') reset();
          else if (typeof fault === 'function') back(fault(frame));
          else setTimeout(() => back(frame), fault.laterMs);
        },
      });
      client.on('data', watch.fromClient);
      upstream.on('data', watch.fromServer);
    } else {
      let dropping = false;
      let tail = Buffer.alloc(0);
      client.on('data', (chunk) => {
        // The bytes may lie across two chunks.
        const seen = Buffer.concat([tail, chunk as Buffer]);
        if (takeWanted(seen)) dropping = true;
        tail = dropping ? Buffer.alloc(0) : seen.subarray(-256);
        forward(chunk as Buffer);
      });
      upstream.on('data', (chunk) => {
        if (!dropping) return back(chunk as Buffer);
        faults += 1;
        reset();
      });
    }
  });

  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: '127.0.0.1', port: ownPort }, () => {
        server.off('error', reject);
        ownPort = (server.address() as net.AddressInfo).port;
        resolve();
      });
    });
  await listen();

  const cutAll = () => {
    const open = [...pairs];
    for (const { client, server: upstream } of open) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
    pairs.clear();
    return open.length;
  };
  const stopListening = () =>
    new Promise<void>((resolve) => {
      if (!server.listening) return resolve();
      server.close(() => resolve());
      cutAll();
    });

  const proxy: FaultProxy = {
    host: '127.0.0.1',
    port: ownPort,
    address: `127.0.0.1:${ownPort}`,
    toServer,
    toClient,
    onAnswer: undefined,
    async refuse(on) {
      if (on === refusing) return;
      refusing = on;
      if (on) await stopListening();
      else await listen();
    },
    reset: cutAll,
    dropAnswerTo(bytes, times = 1) {
      wanted.push({ bytes: Buffer.from(bytes), left: times });
    },
    faults: () => faults,
    connections: () => pairs.size,
    async heal() {
      wanted.length = 0;
      proxy.onAnswer = undefined;
      toServer.set({});
      toClient.set({});
      await proxy.refuse(false);
    },
    async close() {
      toServer.set({});
      toClient.set({});
      await stopListening();
    },
  };
  return proxy;
}
