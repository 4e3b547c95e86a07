import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeadLetterCountView, DeadLetterDetailView, DeadLetterView, RedriveView } from '@volley/contract/http';
import { type Api, createApi } from './api.ts';
import { contextOf } from './context.ts';
import { unattributed } from './dlq-unattributed.ts';
import { CliError, type ProgressBar, printer, printJson, progressBar } from './output.ts';

/** `volley dlq`: what stands failed or dead, one letter, sending again, and taking out of the list. */
export interface Selection {
  readonly campaign?: string;
  readonly reason?: string;
  readonly kind?: string;
  readonly recipient?: string;
  readonly message?: readonly string[];
  readonly limit?: number;
}
export interface JobOptions extends Selection {
  readonly rate?: number;
  readonly note?: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly detach: boolean;
  readonly json: boolean;
}

/** What a command needs of the world around it. */
export interface Terminal {
  readonly api: Pick<Api, 'request'>;
  print(line: string): void;
  printJson(value: unknown): void;
  /** undefined: nobody is there to be asked. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
  bar(total: number): ProgressBar;
  readonly waitMs: number;
  /** The API may be away this long while a job is waited for: it is started again, and the job goes on. */
  readonly awayMs: number;
}

const PAGE = 1_000;
const SHOWN_CHARS = 2_000;

async function terminalOf(json: boolean): Promise<Terminal> {
  const context = await contextOf();
  const confirm = async (question: string) => {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question(`${question} [y/N] `);
    terminal.close();
    return /^y(es)?$/i.test(answer.trim());
  };
  return {
    api: createApi(context.api, context.apiKey),
    print: printer(json),
    printJson,
    confirm: process.stdin.isTTY ? confirm : undefined,
    bar: (total) => progressBar(total, process.stderr),
    waitMs: 200,
    awayMs: 60_000,
  };
}

const cell = (value: string, width: number): string =>
  value.length < width ? value.padEnd(width) : `${value.slice(0, width - 2)}… `;

export async function list(o: Selection & { unattributed: boolean; json: boolean }, t?: Terminal): Promise<number> {
  if (o.unattributed) return unattributed(o.limit ?? 50, o.json);
  const { api, print, printJson: show } = t ?? (await terminalOf(o.json));
  const wanted = o.limit ?? 50;
  const letters: DeadLetterView[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(PAGE, wanted - letters.length)) });
    const given = { campaign_id: o.campaign, reason: o.reason, kind: o.kind, recipient: o.recipient, cursor };
    for (const [name, value] of Object.entries(given)) if (value) query.set(name, value);
    const page: { data: DeadLetterView[]; next_cursor: string | null } = await api.request('GET', `/v1/dlq?${query}`);
    letters.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor !== null && letters.length < wanted);
  if (o.json) {
    show({ data: letters, next_cursor: cursor });
    return 0;
  }
  for (const l of letters)
    print(
      `${cell(l.occurred_at, 26)}${cell(l.message_id, 38)}${cell(l.kind, 8)}${cell(l.reason, 22)}${cell(l.recipient, 34)}${l.detail}`,
    );
  if (letters.length === 0) print('no dead letters');
  else if (cursor !== null) print('… and more: --limit shows them, --dry-run of redrive counts them');
  return 0;
}

export async function show(messageId: string, json: boolean, t?: Terminal): Promise<number> {
  const { api, print, printJson: document } = t ?? (await terminalOf(json));
  const found = await api.request<DeadLetterDetailView>('GET', `/v1/dlq/${encodeURIComponent(messageId)}`);
  if (json) {
    document(found);
    return 0;
  }
  const { letter } = found;
  const line = (name: string, value: unknown) => print(`  ${name.padEnd(12)} ${value ?? '-'}`);
  print(`${found.message_id}  ${found.kind}  ${found.reason}`);
  line('campaign', found.campaign_id);
  line('recipient', found.recipient);
  line('detail', found.detail);
  line('ended', `${found.occurred_at}, attempt ${found.attempts} of run ${found.run}`);
  line('standing', found.standing);
  line('in the log', found.dlq === null ? null : `partition ${found.dlq.partition}, offset ${found.dlq.offset}`);
  if (letter === null) {
    print('  the log no longer has the letter: it cannot be sent again');
    return 0;
  }
  line('origin', letter.origin);
  line('failed', `first ${letter.first_failed_at ?? '-'}, last ${letter.last_failed_at ?? '-'}`);
  line('error', letter.error);
  line('trace', letter.traceparent);
  if (letter.truncated) print('  the log did not take the record whole: it cannot be sent again');
  line('message', letter.message === null ? letter.undecodable : JSON.stringify(letter.message).slice(0, SHOWN_CHARS));
  line('bytes', `${letter.value_bytes}; --json has them as base64`);
  return 0;
}

const bodyOf = (o: JobOptions) => ({
  ...(o.campaign === undefined ? {} : { campaign_id: o.campaign }),
  ...(o.reason === undefined ? {} : { reason: o.reason }),
  ...(o.kind === undefined ? {} : { kind: o.kind }),
  ...(o.recipient === undefined ? {} : { recipient: o.recipient }),
  ...(o.message === undefined ? {} : { message_ids: o.message }),
  ...(o.limit === undefined ? {} : { limit: o.limit }),
  ...(o.rate === undefined ? {} : { rate_per_second: o.rate }),
  ...(o.note === undefined ? {} : { reason_text: o.note }),
});

const settledOf = (job: RedriveView): number => job.redriven + job.purged + job.skipped + job.unreadable;
const figures = (job: RedriveView): string =>
  [
    job.action === 'purge' ? `${job.purged} purged` : `${job.redriven} redriven`,
    ...Object.entries(job.left_by_cause).map(([cause, n]) => `${n} left: ${cause}`),
  ].join(', ');

/** Counts, asks, starts the job and waits for its end. Everything that was selected is done: 0; otherwise 1. */
export async function run(action: 'redrive' | 'purge', o: JobOptions, t?: Terminal): Promise<number> {
  const terminal = t ?? (await terminalOf(o.json));
  const { api, print } = terminal;
  const body = bodyOf(o);
  const count = await api.request<DeadLetterCountView>('POST', `/v1/dlq/${action}`, { ...body, dry_run: true });
  const many = `${count.matched_at_least ? 'at least ' : ''}${count.matched}`;
  for (const [reason, n] of Object.entries(count.by_reason)) print(`  ${reason.padEnd(24)}${n}`);
  print(`${many} ${count.matched === 1 ? 'message' : 'messages'}`);
  if (o.dryRun) {
    if (o.json) terminal.printJson(count);
    return 0;
  }
  if (count.matched > 0 && !o.yes) {
    if (terminal.confirm !== undefined) {
      const question = action === 'purge' ? `take ${many} out of the list for good?` : `send ${many} again?`;
      if (!(await terminal.confirm(question))) throw new CliError('nothing was done');
    } else if (action === 'purge') throw new CliError('a purge wants --yes, or a terminal to ask at', 2);
  }
  const job = await api.request<RedriveView>('POST', `/v1/dlq/${action}`, body);
  print(`${action} ${job.redrive_id}`);
  if (o.detach) {
    if (o.json) terminal.printJson(job);
    return 0;
  }
  const end = await untilEnded(terminal, job);
  if (o.json) terminal.printJson(end);
  print(`${end.status}: ${figures(end)}`);
  return end.status === 'done' && end.skipped + end.unreadable === 0 ? 0 : 1;
}

async function untilEnded({ api, bar: barOf, waitMs, awayMs }: Terminal, job: RedriveView): Promise<RedriveView> {
  const bar = barOf(Math.max(1, job.matched));
  const startedMs = performance.now();
  let answeredMs = startedMs;
  let now = job;
  try {
    for (;;) {
      const done = settledOf(now);
      const rate = done / Math.max(0.001, (performance.now() - startedMs) / 1_000);
      bar.update(done, { rate, leftS: rate > 0 ? Math.max(0, Math.ceil((now.matched - done) / rate)) : null });
      if (now.status !== 'running') return now;
      await sleep(waitMs);
      try {
        now = await api.request<RedriveView>('GET', `/v1/dlq/redrives/${job.redrive_id}`);
        answeredMs = performance.now();
      } catch (error) {
        if (performance.now() - answeredMs < awayMs) continue;
        const goesOn = `it goes on without this command: volley dlq jobs ${job.redrive_id}`;
        throw new CliError(`${(error as Error).message}; ${goesOn}`);
      }
    }
  } finally {
    bar.stop();
  }
}

/** Redrives and purges, newest first; one of them; or its end. */
export async function jobs(
  id: string | undefined,
  o: { readonly cancel: boolean; readonly json: boolean },
  t?: Terminal,
): Promise<number> {
  const { api, print, printJson: document } = t ?? (await terminalOf(o.json));
  if (id === undefined && o.cancel) throw new CliError('--cancel wants the id of a job', 2);
  const path = `/v1/dlq/redrives${id === undefined ? '?limit=20' : `/${encodeURIComponent(id)}`}`;
  const found =
    id === undefined
      ? (await api.request<{ data: RedriveView[] }>('GET', path)).data
      : [await api.request<RedriveView>(o.cancel ? 'POST' : 'GET', o.cancel ? `${path}/cancel` : path)];
  if (o.json) {
    document(id === undefined ? found : found[0]);
    return 0;
  }
  if (found.length === 0) print('no redrives yet');
  for (const job of found)
    print(
      `${cell(job.created_at, 26)}${cell(job.redrive_id, 38)}${cell(job.action, 9)}${cell(job.status, 11)}${settledOf(job)} of ${job.matched_at_least ? 'at least ' : ''}${job.matched}: ${figures(job)}${job.reason_text === '' ? '' : ` (${job.reason_text})`}`,
    );
  return 0;
}
