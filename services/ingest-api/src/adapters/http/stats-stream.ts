import { isEnded } from '@volley/contract';
import type { CampaignReads } from '../../ports.ts';
import { campaignIdOf } from './campaign-handlers.ts';
import type { Handler } from './operation.ts';
import { failed, HttpProblem } from './problem.ts';

const EVERY_MS = 1_000;
const HEARTBEAT_MS = 15_000;
const MAX_STREAMS = 1_000;
/** After the end, the percentiles of the last messages still arrive: the analytics store has 5 s to be complete. */
const AFTER_END_MS = 6_000;

export interface StatsStreams {
  readonly handler: Handler;
  /** Ends all of them: readers connect again, to the next process. */
  close(): void;
}

interface Stream {
  show(status: string, data: string): void;
  /** Nothing could be asked. */
  waiting(): void;
  stop(): void;
}

/** The readers of one campaign, and the one question that is asked for all of them. */
interface Poll {
  readonly streams: Set<Stream>;
  readonly timer: NodeJS.Timeout;
}

/**
 * `event: stats` about once a second with the body of the stats route, comments as heartbeat, `event: end` last. However
 * many read one campaign, it is asked for once a second.
 */
export function createStatsStreams(
  reads: CampaignReads,
  opened: (n: number) => void,
  everyMs: number = EVERY_MS,
): StatsStreams {
  const polls = new Map<string, Poll>();
  let open = 0;

  function join(id: string, stream: Stream): void {
    const known = polls.get(id);
    if (known) known.streams.add(stream);
    else {
      const streams = new Set([stream]);
      let busy = false;
      const beat = async () => {
        if (busy) return;
        busy = true;
        try {
          const stats = await reads.stats(id);
          const data = stats.ok ? JSON.stringify(stats.value) : '';
          for (const each of [...streams]) stats.ok ? each.show(stats.value.status, data) : each.stop();
        } catch {
          // A store is away: the streams stay, the next beat asks again.
          for (const each of [...streams]) each.waiting();
        } finally {
          busy = false;
        }
      };
      polls.set(id, { streams, timer: setInterval(() => void beat(), everyMs) });
    }
    opened(++open);
  }

  function leave(id: string, stream: Stream): void {
    const poll = polls.get(id);
    if (!poll?.streams.delete(stream)) return;
    if (poll.streams.size === 0) {
      clearInterval(poll.timer);
      polls.delete(id);
    }
    opened(--open);
  }

  const handler: Handler = async (r) => {
    const id = campaignIdOf(r);
    const first = await reads.stats(id);
    if (!first.ok) throw failed(first.failure);
    if (open >= MAX_STREAMS) throw new HttpProblem('busy', 'too many open streams');
    const { res } = r.ctx;
    r.ctx.respond = false;
    // It has left during the question: nothing will tell of it any more.
    if (res.destroyed) return undefined;
    res.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
      'X-Request-Id': String(r.ctx.state.requestId),
    });
    let done = false;
    let wrote = performance.now();
    let endsAtMs = Number.POSITIVE_INFINITY;
    let n = 0;
    const write = (text: string) => {
      // A reader that does not keep up misses numbers, it does not fill our memory.
      if (res.writableNeedDrain) return;
      res.write(text);
      wrote = performance.now();
    };
    const stream: Stream = {
      show(status, data) {
        if (done) return;
        if (isEnded(status)) endsAtMs = Math.min(endsAtMs, performance.now() + AFTER_END_MS);
        write(`event: stats\nid: ${++n}\ndata: ${data}\n\n`);
        if (performance.now() >= endsAtMs) {
          res.write(`event: end\ndata: ${data}\n\n`);
          stream.stop();
        }
      },
      waiting() {
        if (!done && performance.now() - wrote > HEARTBEAT_MS) write(': waiting\n\n');
      },
      stop() {
        if (done) return;
        done = true;
        leave(id, stream);
        res.end();
      },
    };
    join(id, stream);
    res.on('close', stream.stop);
    stream.show(first.value.status, JSON.stringify(first.value));
    return undefined;
  };

  return {
    handler,
    close() {
      for (const { streams } of [...polls.values()]) for (const stream of [...streams]) stream.stop();
    },
  };
}
