import type { Socket } from 'node:net';

/** What happens to bytes on their way in one direction. Absent: nothing. */
export interface DirectionFaults {
  /** Each chunk arrives this much later, plus up to `jitterMs`; order is kept. */
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  readonly bytesPerSecond?: number;
  /** Nothing passes, and nobody is told. What was held back passes when it ends, as after a partition that heals. */
  readonly blackhole?: boolean;
  /** The connection is reset when it has passed so many bytes, counted from now. The rest is lost. */
  readonly resetAfterBytes?: number;
  /** So many bytes pass, counted from now; what comes after vanishes and the connection stays open. */
  readonly dropAfterBytes?: number;
}

export interface Direction {
  /** Replaces all faults of this direction, for open connections and new ones. */
  set(faults: DirectionFaults): void;
  /** Bytes that passed, of all connections. */
  passed(): number;
  /** For the proxy: answers the function through which the bytes of one connection go. */
  connect(ends: { from: Socket; to: Socket; reset: () => void }): (chunk: Buffer) => void;
}

/** Above this a direction that holds bytes back stops reading: the sender's own buffers fill, as on a slow line. */
const HELD_BYTES = 1_048_576;

interface Line {
  applied(): void;
}

export function createDirection(random: () => number = Math.random): Direction {
  let faults: DirectionFaults = {};
  let passed = 0;
  const lines = new Set<Line>();

  return {
    set(next) {
      faults = next;
      for (const line of lines) line.applied();
    },
    passed: () => passed,
    connect({ from, to, reset }) {
      /** In order; `dueAtMs` is when the wire would have delivered it. */
      const held: { chunk: Buffer; dueAtMs: number }[] = [];
      let heldBytes = 0;
      let timer: NodeJS.Timeout | undefined;
      let counted = 0;
      let freeAtMs = 0;
      let ended = false;

      const line: Line = {
        applied() {
          counted = 0;
          flush();
        },
      };
      lines.add(line);
      from.once('close', () => {
        lines.delete(line);
        clearTimeout(timer);
      });
      from.once('end', () => {
        ended = true;
        flush();
      });
      to.on('drain', () => from.resume());

      function write(chunk: Buffer): void {
        if (to.destroyed) return;
        const limit = faults.resetAfterBytes ?? faults.dropAfterBytes;
        const left = limit === undefined ? chunk.length : Math.max(0, limit - counted);
        const part = chunk.length <= left ? chunk : chunk.subarray(0, left);
        counted += part.length;
        passed += part.length;
        // Written before the reset: the other side has these bytes and no more.
        if (part.length > 0 && !to.write(part)) from.pause();
        if (faults.resetAfterBytes !== undefined && counted >= faults.resetAfterBytes)
          to.write('', () => setImmediate(reset));
      }

      function flush(): void {
        clearTimeout(timer);
        timer = undefined;
        if (faults.blackhole) return;
        const nowMs = performance.now();
        const calm = faults.latencyMs === undefined && faults.bytesPerSecond === undefined;
        while (held.length > 0) {
          const first = held[0] as (typeof held)[number];
          if (!calm && first.dueAtMs > nowMs) {
            timer = setTimeout(flush, first.dueAtMs - nowMs);
            return;
          }
          held.shift();
          heldBytes -= first.chunk.length;
          write(first.chunk);
        }
        if (heldBytes === 0 && !to.writableNeedDrain) from.resume();
        if (ended && !to.destroyed) to.end();
      }

      return (chunk) => {
        const { latencyMs = 0, jitterMs = 0, bytesPerSecond, blackhole } = faults;
        if (held.length === 0 && latencyMs + jitterMs === 0 && bytesPerSecond === undefined && !blackhole) {
          write(chunk);
          return;
        }
        const nowMs = performance.now();
        const wireMs = bytesPerSecond === undefined ? 0 : (chunk.length / bytesPerSecond) * 1_000;
        // A chunk never overtakes the one before it, however the jitter falls.
        freeAtMs = Math.max(freeAtMs, nowMs + latencyMs + random() * jitterMs) + wireMs;
        held.push({ chunk, dueAtMs: freeAtMs });
        heldBytes += chunk.length;
        if (heldBytes > HELD_BYTES) from.pause();
        if (held.length === 1) flush();
      };
    },
  };
}
