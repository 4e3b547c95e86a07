import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditView, CampaignAuditView } from '@volley/contract/http';
import { type Api, type CampaignView, createApi } from './api.ts';
import { contextOf } from './context.ts';
import { CliError, printer, printJson } from './output.ts';

/** `volley verify [CAMPAIGN]`: asks the auditor. 0: equal. 1: a difference, or it could not be found out; it says which. */
export interface VerifyOptions {
  /** Seconds. */
  readonly wait: number;
  readonly limit: number;
  readonly campaigns: number;
  readonly json: boolean;
}

/** What the command needs of the world around it. */
export interface VerifyTerminal {
  readonly api: Pick<Api, 'request' | 'patiently'>;
  print(line: string): void;
  printJson(value: unknown): void;
  readonly againMs: number;
}

type Verdict = AuditView['verdict'];
type Figure = CampaignAuditView['figures'][number] | NonNullable<AuditView['partitions']>[number]['figures'][number];

const PAGE = 100;
const exitOf = (verdict: Verdict): 0 | 1 => (verdict === 'equal' ? 0 : 1);
const MEANS: Readonly<Record<Verdict, string>> = {
  equal: 'equal',
  different: 'DIFFERENT',
  lagging: 'lagging: events are on their way, and nothing differs so far; ask again later',
  not_kept: 'not compared: it was sent so long ago that its events may be deleted',
};

async function terminalOf(json: boolean): Promise<VerifyTerminal> {
  const context = await contextOf();
  return { api: createApi(context.api, context.apiKey), print: printer(json), printJson, againMs: 500 };
}

/** What does not answer has not said that anything differs. */
function unanswered(error: unknown): unknown {
  if (!(error instanceof CliError)) return error;
  if (error.status === 404) return new CliError(error.message, 2, error.status);
  return new CliError(`not compared, so nothing is known to differ: ${error.message}`, 1, error.status);
}

export async function verify(campaignId: string | undefined, o: VerifyOptions, t?: VerifyTerminal): Promise<number> {
  try {
    const terminal = t ?? (await terminalOf(o.json));
    return campaignId === undefined ? await all(o, terminal) : await one(campaignId, o, terminal);
  } catch (error) {
    throw unanswered(error);
  }
}

/** Two audits at once are the most that a service makes: a third one waits for its turn, as long as it may wait at all. */
async function auditOf(t: VerifyTerminal, id: string, o: VerifyOptions, untilMs: number): Promise<CampaignAuditView> {
  for (;;) {
    const wait = Math.max(0, Math.round((untilMs - performance.now()) / 1_000));
    const path = `/v1/campaigns/${encodeURIComponent(id)}/audit?wait=${wait}&limit=${Math.min(1_000, o.limit)}`;
    try {
      return await t.api.patiently<CampaignAuditView>(path);
    } catch (error) {
      if (!(error instanceof CliError) || error.status !== 429 || performance.now() >= untilMs) throw error;
      await sleep(t.againMs);
    }
  }
}

async function one(id: string, o: VerifyOptions, t: VerifyTerminal): Promise<number> {
  const audit = await auditOf(t, id, o, performance.now() + o.wait * 1_000);
  if (o.json) t.printJson(audit);
  else show(audit, t.print);
  return exitOf(audit.verdict);
}

/** The newest campaigns that were sent, then the log; the wait is one for all of them. */
async function all(o: VerifyOptions, t: VerifyTerminal): Promise<number> {
  const untilMs = performance.now() + o.wait * 1_000;
  const audits: CampaignAuditView[] = [];
  let cursor: string | null = null;
  let isMore = false;
  do {
    const page: { data: CampaignView[]; next_cursor: string | null } = await t.api.request(
      'GET',
      `/v1/campaigns?limit=${PAGE}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    for (const { campaign_id, status } of page.data) {
      if (status === 'draft') continue;
      isMore = audits.length >= o.campaigns;
      if (isMore) break;
      const audit = await auditOf(t, campaign_id, o, untilMs);
      audits.push(audit);
      if (audit.verdict === 'different') show(audit, t.print);
      else t.print(`${campaign_id}  ${audit.status}  accepted ${audit.accepted}  ${MEANS[audit.verdict]}`);
    }
    cursor = page.next_cursor;
  } while (cursor !== null && !isMore);
  // Last, because the audits above have taken the place of older ones.
  const log = await t.api.patiently<AuditView>('/v1/audit');
  const verdicts = [...audits.map((a) => a.verdict), log.verdict].filter((v) => v !== 'not_kept');
  const verdict = verdicts.find((v) => v === 'different') ?? verdicts.find((v) => v !== 'equal') ?? 'equal';
  const notKept = audits.filter((a) => a.verdict === 'not_kept').length;
  if (o.json) t.printJson({ verdict, not_kept: notKept, campaigns: audits, more_campaigns: isMore, audit: log });
  showLog(log, new Set(audits.map((a) => a.campaign_id)), t.print);
  if (isMore) t.print(`only the newest ${audits.length} campaigns were compared: --campaigns compares more`);
  if (notKept > 0)
    t.print(
      `${notKept} of ${audits.length} campaigns were not compared: they were sent before what is kept for certain`,
    );
  t.print(`${audits.length - notKept} campaigns and the log: ${MEANS[verdict]}`);
  return exitOf(verdict);
}

function showFigure(f: Figure, print: (line: string) => void): void {
  const difference = f.difference === null ? 'not comparable yet' : `difference ${f.difference}`;
  print(
    `  ${f.figure.padEnd(18)}expected ${String(f.expected).padEnd(12)}found ${String(f.found).padEnd(12)}${difference}`,
  );
  for (const { id, detail } of f.ids) print(`    ${id}  ${detail}`);
  if (f.more > 0) print(`    … and ${f.more} more`);
}

function show(a: CampaignAuditView, print: (line: string) => void): void {
  print(`${a.campaign_id}  ${a.status}  ${MEANS[a.verdict]}`);
  const states = Object.entries(a.states).filter(([, n]) => n > 0);
  print(`  accepted ${a.accepted} = ${states.map(([state, n]) => `${state} ${n}`).join(' + ') || '0'}`);
  const s = a.stored;
  if (s !== null)
    print(
      `  stored ${s.raw_rows} rows of ${s.log_records} events, ${s.messages} messages, ${s.ended_runs} ends, ${s.marked_repeats} marked as repeats`,
    );
  for (const figure of a.figures) showFigure(figure, print);
  for (const { id, detail } of a.repeats) print(`    repeat ${id}  ${detail}`);
  for (const { partition, counted, stored } of a.lagging)
    print(`  partition ${partition}: counted to offset ${counted}, stored to ${stored}`);
}

/** `shown`: campaigns that were audited just now. */
function showLog(log: AuditView, shown: ReadonlySet<string>, print: (line: string) => void): void {
  for (const p of log.partitions ?? []) {
    const told = p.figures.filter((f) => f.difference !== 0);
    const size = `${p.log_records} of offsets ${p.log_start} to ${p.log_end} stored, ${p.dead_letters} dead letters`;
    print(`partition ${p.partition}: ${size}${told.length === 0 ? ', difference 0' : ''}`);
    for (const figure of told) showFigure(figure, print);
  }
  if (log.unavailable !== null) print(`partitions were not compared: ${log.unavailable}`);
  for (const { campaign_id, audited_at, differences } of log.different)
    if (!shown.has(campaign_id)) print(`${campaign_id}  differed at ${audited_at}: ${JSON.stringify(differences)}`);
}
