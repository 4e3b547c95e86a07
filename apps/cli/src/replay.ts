import { setTimeout as sleep } from 'node:timers/promises';
import type { ReplayPlanView, ReplaySummaryView, ReplayView } from '@volley/contract/http';
import type { ReplayTarget } from '@volley/contract/replays';
import { type Api, createApi } from './api.ts';
import { contextOf } from './context.ts';
import { CliError, type ProgressBar, printer, printJson, progressBar } from './output.ts';
import { hasEnded, isWell, resultLines } from './replay-result.ts';

/** `volley replay`: a part of the log again. Asks for it, watches it, and says what was found. */
export interface ReplayOptions {
  readonly campaign?: string;
  /** ISO time. */
  readonly from?: string;
  readonly to?: string;
  readonly rate?: number;
  readonly template?: string;
  readonly subject?: string;
  readonly swap?: 'if-equal' | 'never' | 'always';
  readonly why?: string;
  readonly dryRun: boolean;
  readonly send?: boolean;
  readonly confirm?: boolean;
  readonly allowGap?: boolean;
  readonly detach: boolean;
  readonly json: boolean;
}
export type ReplayAction = 'undo' | 'pause' | 'resume' | 'cancel';

/** What a command needs of the world around it. */
export interface ReplayTerminal {
  readonly api: Pick<Api, 'request'>;
  print(line: string): void;
  printJson(value: unknown): void;
  bar(total: number): ProgressBar;
  /** Somebody pressed Ctrl-C. */
  readonly interrupted: AbortSignal;
  readonly waitMs: number;
  /** The API may be away this long while a replay is watched: it is started again, and the replay goes on. */
  readonly awayMs: number;
}

async function terminalOf(json: boolean): Promise<ReplayTerminal> {
  const context = await contextOf();
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
  return {
    api: createApi(context.api, context.apiKey),
    print: printer(json),
    printJson,
    bar: (total) => progressBar(total, process.stderr),
    interrupted: interrupt.signal,
    waitMs: 200,
    awayMs: 60_000,
  };
}

const bodyOf = (target: ReplayTarget, o: ReplayOptions) => ({
  target,
  ...(o.campaign === undefined ? {} : { campaign_id: o.campaign }),
  ...(o.from === undefined ? {} : { from: o.from }),
  ...(o.to === undefined ? {} : { to: o.to }),
  ...(o.rate === undefined ? {} : { rate_per_second: o.rate }),
  ...(o.template === undefined ? {} : { template: o.template }),
  ...(o.subject === undefined ? {} : { subject: o.subject }),
  ...(o.swap === undefined ? {} : { swap: o.swap === 'if-equal' ? 'if_equal' : o.swap }),
  ...(o.send ? { send: true } : {}),
  ...(o.confirm ? { confirm: true } : {}),
  ...(o.allowGap ? { allow_gap: true } : {}),
  ...(o.why === undefined ? {} : { reason: o.why }),
});

const unitOf = (target: ReplayTarget): string => (target === 'rehearsal' ? 'messages' : 'records');
const count = (n: number, target: ReplayTarget): string => `${n.toLocaleString('en')} ${unitOf(target)}`;

function planLines(plan: ReplayPlanView): string[] {
  const { seconds, records_per_second, by } = plan.estimate;
  const why = { rate: 'as asked for', earlier_replays: 'as the fastest of the last replays of this kind', nothing: '' }[
    by
  ];
  const pace =
    records_per_second === null ? '' : ` at ${Math.round(records_per_second).toLocaleString('en')} a second, ${why}`;
  return [
    ...plan.ranges
      .filter(({ from, to }) => from < to)
      .map(
        (r) =>
          `  ${r.topic.padEnd(34)} partition ${String(r.partition).padEnd(5)} ${r.from} to ${r.to}: ${r.to - r.from}`,
      ),
    ...plan.gaps.map(
      (gap) =>
        `  ${gap.topic}, partition ${gap.partition}: the log starts at ${gap.starts_at}, after what was asked for`,
    ),
    `${count(plan.total, plan.target)}; ${seconds === null ? 'how long that takes is not known: there was no such replay yet' : `about ${seconds} s${pace}`}`,
    ...(plan.gaps.length === 0 ? [] : ['it would be refused: --allow-gap accepts that']),
  ];
}

/** Asks for a replay and watches it. Done as it was asked for: 0; otherwise 1. Ctrl-C ends the watching only. */
export async function run(target: ReplayTarget, o: ReplayOptions, given?: ReplayTerminal): Promise<number> {
  if (o.send && !o.confirm && !o.dryRun)
    throw new CliError('--send sends messages again: it wants --confirm as well', 2);
  const t = given ?? (await terminalOf(o.json));
  const body = bodyOf(target, o);
  if (o.dryRun) {
    const plan = await t.api.request<ReplayPlanView>('POST', '/v1/replays', { ...body, dry_run: true });
    if (o.json) t.printJson(plan);
    else for (const line of planLines(plan)) t.print(line);
    return 0;
  }
  const job = await t.api.request<ReplayView>('POST', '/v1/replays', body);
  t.print(`${target} ${job.replay_id}: ${count(job.total, target)}`);
  if (o.detach) {
    if (o.json) t.printJson(job);
    return 0;
  }
  return told(t, await untilEnded(t, job), o.json);
}

function told(t: ReplayTerminal, end: ReplayView, json: boolean): number {
  if (json) t.printJson(end);
  const { status, replay_id, error } = end;
  t.print(`${status}${error === null ? '' : `: ${error}`}`);
  if (status === 'paused') t.print(`somebody paused it: volley replay resume ${replay_id}`);
  for (const line of resultLines(end)) t.print(line);
  return isWell(end) ? 0 : 1;
}

/** Until it has ended, or stands still because somebody paused it. */
async function untilEnded(t: ReplayTerminal, job: ReplayView, isThere = (now: ReplayView) => now.status === 'paused') {
  const goesOn = `it goes on without this command: volley replay show ${job.replay_id}`;
  const bar = t.bar(Math.max(1, job.total));
  const startedMs = performance.now();
  let answeredMs = startedMs;
  let now = job;
  try {
    for (;;) {
      const rate = Math.max(0, now.done - job.done) / Math.max(0.001, (performance.now() - startedMs) / 1_000);
      // After the last record there is still something to do, which no count tells of.
      const leftS = rate > 0 && now.done < now.total ? Math.ceil((now.total - now.done) / rate) : null;
      bar.update(now.done, {
        rate,
        leftS,
        unit: unitOf(now.target),
        phase: now.status === 'running' ? now.phase : now.status,
      });
      if (hasEnded(now) || isThere(now)) return now;
      await sleep(t.waitMs, undefined, { signal: t.interrupted }).catch(() => {});
      if (t.interrupted.aborted) throw new CliError(goesOn);
      try {
        now = await t.api.request<ReplayView>('GET', `/v1/replays/${job.replay_id}`);
        answeredMs = performance.now();
      } catch (error) {
        if (performance.now() - answeredMs < t.awayMs) continue;
        throw new CliError(`${(error as Error).message}; ${goesOn}`);
      }
    }
  } finally {
    bar.stop();
  }
}

const cell = (value: string, width: number): string =>
  value.length < width ? value.padEnd(width) : `${value.slice(0, width - 2)}… `;

export async function list(
  o: { readonly limit: number; readonly json: boolean },
  given?: ReplayTerminal,
): Promise<number> {
  const t = given ?? (await terminalOf(o.json));
  const { data } = await t.api.request<{ data: ReplaySummaryView[] }>('GET', `/v1/replays?limit=${o.limit}`);
  if (o.json) {
    t.printJson(data);
    return 0;
  }
  if (data.length === 0) t.print('no replays yet');
  for (const job of data) {
    const status = job.requested === null ? job.status : `${job.status}, ${job.requested} asked`;
    t.print(
      `${cell(job.created_at, 26)}${cell(job.replay_id, 38)}${cell(job.target, 12)}${cell(status, 24)}${job.done} of ${count(job.total, job.target)}${job.reason === '' ? '' : ` (${job.reason})`}`,
    );
  }
  return 0;
}

export async function show(id: string, json: boolean, given?: ReplayTerminal): Promise<number> {
  const t = given ?? (await terminalOf(json));
  const job = await t.api.request<ReplayView>('GET', `/v1/replays/${encodeURIComponent(id)}`);
  if (json) {
    t.printJson(job);
    return 0;
  }
  const line = (name: string, value: unknown) => t.print(`  ${name.padEnd(12)} ${value ?? '-'}`);
  t.print(`${job.replay_id}  ${job.target}  ${job.status}${job.requested === null ? '' : `, ${job.requested} asked`}`);
  line('asked', `${job.created_at} by ${job.asked_by}${job.reason === '' ? '' : `: ${job.reason}`}`);
  line('campaign', job.campaign_id);
  line('log', `${job.from ?? 'from its beginning'} to ${job.to ?? 'its end when it was asked for'}`);
  line('done', `${job.done} of ${count(job.total, job.target)}${job.phase === '' ? '' : `, ${job.phase}`}`);
  line('begun', job.started_at);
  line('ended', job.finished_at);
  line('error', job.error);
  for (const { at, action, by } of job.actions) line(action, `${at} by ${by}`);
  for (const found of resultLines(job)) t.print(found);
  return 0;
}

/** What an action is waited for; a replay that is resumed goes on by itself. */
const REACHED: Readonly<Record<ReplayAction, (job: ReplayView) => boolean>> = {
  pause: (job) => job.status === 'paused',
  cancel: () => false,
  undo: (job) => job.status === 'paused',
  resume: () => true,
};

export async function act(
  action: ReplayAction,
  id: string,
  o: { readonly detach: boolean; readonly json: boolean },
  given?: ReplayTerminal,
): Promise<number> {
  const t = given ?? (await terminalOf(o.json));
  const asked = await t.api.request<ReplayView>('POST', `/v1/replays/${encodeURIComponent(id)}/${action}`);
  const job = o.detach || REACHED[action](asked) ? asked : await untilEnded(t, asked, REACHED[action]);
  if (action === 'undo' && !o.detach) return told(t, job, o.json);
  if (o.json) t.printJson(job);
  t.print(`${job.replay_id} ${job.status}${job.requested === null ? '' : `, ${job.requested} asked`}`);
  if (o.detach || action === 'resume') return 0;
  // Asked to be undone and cancelled before anybody began with that: it is as it was.
  const isAsBefore = action === 'cancel' && hasEnded(asked);
  return isAsBefore || job.status === (action === 'pause' ? 'paused' : 'cancelled') ? 0 : 1;
}
