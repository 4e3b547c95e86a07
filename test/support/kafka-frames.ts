/** Kafka's frames: four bytes of length, then so many bytes. Calls `take` with each whole one, length included. */
export function framesTo(take: (frame: Buffer) => void): (chunk: Buffer | string) => void {
  let parts: Buffer[] = [];
  let size = 0;
  return (chunk) => {
    parts.push(chunk as Buffer);
    size += chunk.length;
    if (size < 4) return;
    let rest = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, size);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      take(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    parts = rest.length > 0 ? [rest] : [];
    size = rest.length;
  };
}

export interface KafkaWatch {
  readonly fromClient: (chunk: Buffer | string) => void;
  readonly fromServer: (chunk: Buffer | string) => void;
}

/** Tells which request each answer belongs to. A request without an answer (acks 0) is never asked for. */
export function createKafkaWatch(handlers: {
  request(frame: Buffer): void;
  answer(frame: Buffer, apiKey: number, request: Buffer): void;
}): KafkaWatch {
  const requests = new Map<number, Buffer>();
  return {
    fromClient: framesTo((frame) => {
      requests.set(frame.readInt32BE(8), frame);
      handlers.request(frame);
    }),
    fromServer: framesTo((frame) => {
      const correlationId = frame.readInt32BE(4);
      const request = requests.get(correlationId);
      requests.delete(correlationId);
      handlers.answer(frame, request?.readInt16BE(4) ?? -1, request ?? Buffer.alloc(0));
    }),
  };
}
