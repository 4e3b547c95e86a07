import { LoadError } from './load-error.ts';
import { DEFAULT_OBJECTIVES, type Objective, objectivesOf } from './objective.ts';
import { type Plan, SHAPES, type Shape } from './plan.ts';
import { parseProviderScript } from './provider-script.ts';
import type { Stage } from './schedule.ts';
import { countText, durationMs, stagesOf } from './units.ts';

/** The command line as it was typed. */
export interface LoadOptions {
  readonly rate?: number;
  readonly duration?: string;
  readonly stage?: readonly string[];
  readonly warmUp?: string;
  readonly shape?: string;
  readonly batch?: number;
  readonly campaignSize?: number;
  readonly unpaced?: boolean;
  readonly ids?: boolean;
  readonly readers?: number;
  readonly simulate?: string;
  readonly provider?: string;
  readonly objective?: readonly string[];
  readonly generators?: number;
  readonly connections?: number;
  readonly timeout?: string;
  readonly drain?: string;
  readonly maxLate?: string;
  readonly maxMessages?: number;
  readonly findCapacity?: boolean;
  readonly try?: string;
  readonly tries?: number;
  readonly maxTime?: string;
  readonly need?: string;
}

export interface Asked {
  readonly plan: Plan;
  readonly objectives: readonly Objective[];
  readonly maxMessages: number;
  readonly need?: { readonly messages: number; readonly seconds: number };
  readonly capacity?: { readonly trySeconds: number; readonly tries: number; readonly maxTimeMs: number };
}

const MAX_MESSAGES = 1_000_000;
const LONGEST_MS = 2 * 3_600_000;
const WARM_UP_MS = 5_000;
/** What one generator does with a quarter of a core: see docs/load.md. */
const REQUESTS_OF_A_GENERATOR = 4_000;
const BATCH = 100;
/** Somebody looks while it runs. */
const READERS = 2;
const CAMPAIGN_SIZE = 100;

const wrong = (message: string) => new LoadError(message, 2);

function time(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const ms = durationMs(text);
  if (ms === undefined) throw wrong(`--${name}: ${text} is not a duration such as 10s`);
  return ms;
}

function shapeOf(text: string | undefined): Shape {
  const shape = SHAPES.find((s) => s === (text ?? 'ndjson'));
  if (shape === undefined) throw wrong(`--shape is one of ${SHAPES.join(', ')}`);
  return shape;
}

function measuredStages(o: LoadOptions): Stage[] {
  if (o.stage !== undefined && o.stage.length > 0) {
    if (o.rate !== undefined || o.duration !== undefined)
      throw wrong('--stage says rates and durations: leave --rate and --duration away');
    return o.stage.flatMap(stagesOf).map((stage) => ({ ...stage, warmUp: false }));
  }
  if (o.rate === undefined) throw wrong('how many messages a second? --rate 2000, or --stage 1000:10s,2000:60s');
  const ms = time('duration', o.duration, 60_000);
  if (ms < 1_000) throw wrong('--duration is at least a second');
  return [{ perSecond: o.rate, seconds: ms / 1_000, warmUp: false }];
}

/** The load that is asked for, or a sentence about what is wrong with it. */
export function askedOf(o: LoadOptions, cores: number): Asked {
  const shape = shapeOf(o.shape);
  const measured = o.findCapacity
    ? [{ perSecond: o.rate ?? 500, seconds: time('try', o.try, 10_000) / 1_000, warmUp: false }]
    : measuredStages(o);
  if (o.findCapacity && (o.stage !== undefined || o.duration !== undefined))
    throw wrong('--find-capacity chooses rates itself: --rate is the first one, --try how long each is held');
  const first = measured[0] as Stage;
  const warmUpMs = time('warm-up', o.warmUp, Math.min(WARM_UP_MS, first.seconds * 200));
  const stages = [
    ...(warmUpMs === 0 ? [] : [{ perSecond: first.perSecond, seconds: warmUpMs / 1_000, warmUp: true }]),
    ...measured,
  ];
  const seconds = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  if (seconds * 1_000 > LONGEST_MS) throw wrong('a run takes two hours at most');
  const messages = stages.reduce((sum, stage) => sum + stage.perSecond * stage.seconds, 0);
  const maxMessages = o.maxMessages ?? MAX_MESSAGES;
  if (messages > maxMessages)
    throw wrong(
      `that is ${countText(messages)} messages, and ${countText(maxMessages)} are allowed: --max-messages allows more`,
    );
  if (o.unpaced && shape !== 'campaign') throw wrong('--unpaced is about --shape campaign');
  if (o.ids && shape !== 'direct' && shape !== 'ndjson') throw wrong('--ids is about direct messages');
  const perRequest =
    shape === 'ndjson' ? (o.batch ?? BATCH) : shape === 'campaigns' ? (o.campaignSize ?? CAMPAIGN_SIZE) : 1;
  const most = Math.max(...stages.map((stage) => stage.perSecond));
  const requests = shape === 'campaign' ? 0 : most / perRequest;
  const generators = o.generators ?? Math.max(1, Math.min(cores, Math.ceil(requests / REQUESTS_OF_A_GENERATOR)));
  // A campaign's rate counts attempts: with retries on the way it would never end as many messages as were asked for.
  const paced = shape === 'campaign' && o.provider === undefined;
  const simulate = o.simulate ?? (paced ? 'steady' : undefined);
  const need = o.need === undefined ? undefined : stagesOfNeed(o.need);
  const plan: Plan = {
    ...{ shape, stages, perRequest, readers: o.readers ?? READERS, ids: o.ids ?? false, unpaced: o.unpaced ?? false },
    ...(simulate === undefined || simulate === 'own' ? {} : { script: parseProviderScript(simulate) }),
    ...(o.provider === undefined ? {} : { provider: o.provider }),
    generators,
    connections: o.connections ?? 256,
    timeoutMs: time('timeout', o.timeout, 10_000),
    drainMs: time('drain', o.drain, 120_000),
    maxLateMs: time('max-late', o.maxLate, 100),
  };
  return {
    plan,
    objectives: objectivesOf(o.objective ?? [], DEFAULT_OBJECTIVES),
    maxMessages,
    ...(need === undefined ? {} : { need }),
    ...(o.findCapacity
      ? {
          capacity: {
            trySeconds: first.seconds,
            tries: o.tries ?? 14,
            maxTimeMs: time('max-time', o.maxTime, 900_000),
          },
        }
      : {}),
  };
}

function stagesOfNeed(text: string): { messages: number; seconds: number } {
  const match = /^(\d+):(\w+)$/.exec(text);
  const ms = durationMs(match?.[2] ?? '');
  if (match === null || ms === undefined || ms <= 0) throw wrong('--need is MESSAGES:DURATION such as 1000000:600s');
  return { messages: Number(match[1]), seconds: ms / 1_000 };
}

/** The same plan at another rate: what a try of the capacity finder runs. */
export function planAt(plan: Plan, perSecond: number): Plan {
  return { ...plan, stages: plan.stages.map((stage) => ({ ...stage, perSecond })) };
}

/** Only this machine, unless somebody says that another one may be loaded. */
export function checkTarget(address: string, allowRemote: boolean): void {
  const { hostname } = new URL(address);
  if (allowRemote || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) return;
  throw wrong(`${hostname} is not this machine: --allow-remote loads it all the same`);
}
