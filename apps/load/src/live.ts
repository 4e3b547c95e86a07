import { styleText } from 'node:util';
import { createLatencies } from './latencies.ts';
import { intervalMsOf } from './plan.ts';
import type { LiveState } from './run.ts';
import { countText, msText } from './units.ts';

const WIDTH = 40;
const LAST_MS = 3_000;
const LINE_EVERY_MS = 5_000;

interface Now {
  readonly askedPerSecond: number;
  readonly acceptedPerSecond: number;
  readonly endedPerSecond: number;
  readonly http: string;
  readonly errors: number;
  readonly total: number;
  readonly ended: number;
}

/** The last seconds, from what was recorded so far. */
export function nowOf({ elapsedMs, schedule, recording, watched }: LiveState): Now {
  const stage = schedule.stages.findLast((s) => s.startMs <= elapsedMs && elapsedMs < s.endMs);
  const intervalMs = intervalMsOf(schedule.durationMs);
  const http = createLatencies();
  let errors = 0;
  for (const interval of recording.intervals.values()) {
    errors += Object.values(interval.errors).reduce((sum, n) => sum + n, 0);
    const from = schedule.stages[interval.stage]?.startMs ?? 0;
    const { http: latencies } = interval.latencies;
    // The interval under way, and the one before while it is younger than that.
    if (latencies && elapsedMs - from - (interval.index + 1) * intervalMs < LAST_MS) http.add(latencies);
  }
  let answered = 0;
  const seconds = Math.min(LAST_MS, Math.max(1, elapsedMs)) / 1_000;
  for (const [bin, messages] of recording.answered) if (bin * 100 > elapsedMs - LAST_MS) answered += messages;
  const last = watched.at(-1);
  // Over some looks: one second alone jumps with the moment of the question.
  const before = watched.at(-4) ?? watched[0];
  const apartMs = (last?.atMs ?? 0) - (before?.atMs ?? 0);
  return {
    askedPerSecond: stage?.perSecond ?? 0,
    acceptedPerSecond: answered / seconds,
    endedPerSecond: apartMs > 0 ? (((last?.ended ?? 0) - (before?.ended ?? 0)) * 1_000) / apartMs : 0,
    http: http.count() === 0 ? '' : `p50 ${msText(http.quantileMs(0.5))}  p99 ${msText(http.quantileMs(0.99))}`,
    errors,
    total: last?.total ?? 0,
    ended: last?.ended ?? 0,
  };
}

export interface LiveView {
  show(state: LiveState): void;
  /** Prints above the view. */
  log(line: string): void;
  end(): void;
}

/** A few lines that are drawn again while a person watches; otherwise a line every five seconds. */
export function liveView(stream: NodeJS.WriteStream, isTerminal = stream.isTTY): LiveView {
  let drawn = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[0J`);
    drawn = 0;
  };
  const bold = (text: string) => styleText('bold', text);
  return {
    show(state) {
      const { elapsedMs, schedule, phase, inFlight } = state;
      const now = nowOf(state);
      const leftS = Math.max(0, (schedule.durationMs - elapsedMs) / 1_000);
      const way = `${countText(now.ended)} of ${countText(now.total)} ended, ${countText(inFlight)} without an answer`;
      if (!isTerminal) {
        if (performance.now() - lastMs < LINE_EVERY_MS) return;
        lastMs = performance.now();
        const s = Math.max(0, elapsedMs / 1_000).toFixed(0);
        stream.write(
          `  ${s} s: asked ${countText(now.askedPerSecond)}/s, accepted ${countText(now.acceptedPerSecond)}/s, ended ${countText(now.endedPerSecond)}/s${now.http && `, ${now.http}`}, ${way}, ${countText(now.errors)} errors\n`,
        );
        return;
      }
      const share = Math.min(1, Math.max(0, elapsedMs / schedule.durationMs));
      const full = Math.round(share * WIDTH);
      const stage = schedule.stages.findLast((s) => s.startMs <= elapsedMs);
      const what =
        phase === 'draining'
          ? 'waiting for what is under way'
          : `${stage?.warmUp ? 'warm-up, ' : ''}${leftS.toFixed(0)} s left`;
      const lines = [
        `  ${'█'.repeat(full)}${'░'.repeat(WIDTH - full)} ${what}`,
        `  asked ${bold(`${countText(now.askedPerSecond)}/s`)}   accepted ${bold(`${countText(now.acceptedPerSecond)}/s`)}   ended ${bold(`${countText(now.endedPerSecond)}/s`)}${now.http && `   http ${now.http}`}`,
        `  ${way}   ${now.errors === 0 ? 'no errors' : styleText('red', `${countText(now.errors)} errors`)}`,
      ];
      clear();
      stream.write(`${lines.join('\n')}\n`);
      drawn = lines.length;
    },
    log(line) {
      clear();
      stream.write(`${line}\n`);
    },
    end: clear,
  };
}
