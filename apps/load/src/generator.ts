import { type PacerClock, pace } from './pacer.ts';
import { type Answer, countError, type Recorder, recordLatency } from './recorder.ts';
import type { Schedule } from './schedule.ts';

export interface GeneratorOptions {
  readonly clock: PacerClock;
  readonly startMs: number;
  readonly schedule: Schedule;
  readonly intervalMs: number;
  readonly first: number;
  readonly every: number;
  /** More than this many requests without an answer: what comes next is not sent, and counted as an error. */
  readonly maxInFlight: number;
  readonly recorder: Recorder;
  /** Never rejects. */
  send(arrival: number): Promise<Answer>;
}

export interface Generator {
  /** Fires all arrivals of this generator; resolves when every one of them has its answer. */
  run(): Promise<void>;
  /** No further arrival; what is under way goes on. */
  stop(): void;
  inFlight(): number;
}

/**
 * Sends at the intended times and measures from them: a server that stands still for two seconds is late by up to two seconds
 * with every request that was due meanwhile, and each of them is counted. (A loop that waits for its answer would have sent
 * one of them.) `late` is the generator's own part of it: how long after its time a request left.
 */
export function createGenerator(o: GeneratorOptions): Generator {
  const { clock, startMs, schedule, recorder } = o;
  let flying = 0;
  let stopped = false;
  let landed: () => void = () => {};

  const intervalOf = (arrival: number, atMs: number) => {
    const stage = schedule.stageOf(arrival);
    const from = schedule.stages[stage]?.startMs ?? 0;
    return recorder.interval(stage, Math.floor((atMs - from) / o.intervalMs));
  };

  function settle(arrival: number, atMs: number, answer: Answer): void {
    const nowMs = clock.nowMs() - startMs;
    const interval = intervalOf(arrival, atMs);
    interval.messages += answer.messages;
    if (answer.outcome === 'accepted') {
      interval.accepted += 1;
      recordLatency(interval, 'http', nowMs - atMs);
    } else {
      recorder.failed(arrival, answer.outcome);
      countError(interval.errors, answer.error);
      if (answer.outcome === 'unknown') interval.unknown += schedule.messagesOf(arrival) - answer.messages;
    }
    if (answer.messages > 0) recorder.answered(nowMs, answer.messages);
  }

  function fire(arrival: number, atMs: number): void {
    const nowMs = clock.nowMs() - startMs;
    const interval = intervalOf(arrival, atMs);
    interval.arrivals += 1;
    recordLatency(interval, 'late', nowMs - atMs);
    if (flying >= o.maxInFlight) {
      recorder.failed(arrival, 'not_sent');
      countError(interval.errors, 'not sent: too many without an answer');
      return;
    }
    flying += 1;
    recorder.started(nowMs, schedule.messagesOf(arrival));
    void o.send(arrival).then((answer) => {
      flying -= 1;
      settle(arrival, atMs, answer);
      if (flying === 0) landed();
    });
  }

  return {
    async run() {
      const { arrivals, atMs } = schedule;
      await pace({ clock, startMs, arrivals, atMs, first: o.first, every: o.every, fire, stopped: () => stopped });
      while (flying > 0)
        await new Promise<void>((resolve) => {
          landed = resolve;
        });
    },
    stop() {
      stopped = true;
    },
    inFlight: () => flying,
  };
}
