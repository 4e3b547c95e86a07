/** A constant rate for some time. */
export interface Stage {
  /** Messages, not requests. */
  readonly perSecond: number;
  readonly seconds: number;
  /** Sent like any other, and left out of what is judged. */
  readonly warmUp: boolean;
}

export interface TimedStage extends Stage {
  readonly startMs: number;
  readonly endMs: number;
  readonly firstArrival: number;
  readonly arrivals: number;
  readonly messages: number;
}

/**
 * When each request is meant to leave, in milliseconds from the start: known before the run, whatever the server does.
 * What is late against it is late, also when the one before has not been answered yet.
 */
export interface Schedule {
  readonly stages: readonly TimedStage[];
  readonly arrivals: number;
  readonly messages: number;
  readonly durationMs: number;
  /** Of the stages that count. */
  readonly measuredFromMs: number;
  readonly measuredMessages: number;
  atMs(arrival: number): number;
  /** Index of the stage of an arrival. */
  stageOf(arrival: number): number;
  messagesOf(arrival: number): number;
}

/** `stage`: one arrival brings all messages of its stage. */
export function scheduleOf(stages: readonly Stage[], perArrival: number | 'stage'): Schedule {
  const timed: TimedStage[] = [];
  let startMs = 0;
  let firstArrival = 0;
  for (const stage of stages) {
    const wanted = Math.max(1, Math.round(stage.perSecond * stage.seconds));
    const arrivals = perArrival === 'stage' ? 1 : Math.max(1, Math.round(wanted / perArrival));
    const messages = perArrival === 'stage' ? wanted : arrivals * perArrival;
    const endMs = startMs + stage.seconds * 1_000;
    timed.push({ ...stage, startMs, endMs, firstArrival, arrivals, messages });
    startMs = endMs;
    firstArrival += arrivals;
  }
  const stageOf = (arrival: number): number => {
    let at = timed.length - 1;
    while (at > 0 && (timed[at] as TimedStage).firstArrival > arrival) at -= 1;
    return at;
  };
  const measured = timed.filter((stage) => !stage.warmUp);
  const sum = (list: readonly TimedStage[]) => list.reduce((total, { messages }) => total + messages, 0);
  return {
    stages: timed,
    arrivals: firstArrival,
    messages: sum(timed),
    durationMs: startMs,
    measuredFromMs: measured[0]?.startMs ?? startMs,
    measuredMessages: sum(measured),
    stageOf,
    atMs(arrival) {
      const { startMs: from, endMs, firstArrival: first, arrivals } = timed[stageOf(arrival)] as TimedStage;
      return from + ((arrival - first) * (endMs - from)) / arrivals;
    },
    messagesOf(arrival) {
      const { messages, arrivals } = timed[stageOf(arrival)] as TimedStage;
      return messages / arrivals;
    },
  };
}
