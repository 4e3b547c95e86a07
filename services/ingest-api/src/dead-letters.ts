import { DEAD_LETTER_HEADERS, type Decoded, HEADERS, type Message } from '@volley/contract';
import {
  type DeadLetterCountView,
  type DeadLetterDetailView,
  type DeadLetterView,
  MAX_SHOWN_BYTES,
  type RedriveView,
} from '@volley/contract/http';
import type { StreamRecord } from '@volley/stream';
import { isSkipped, type LeftCause, markKey, markOf, placeKey } from './core/redrive.ts';
import type {
  DeadLetter,
  DeadLetterDesk,
  DeadLetterFilter,
  DeadLetterIndex,
  LetterCursor,
  LetterReader,
  RedriveJob,
  RedriveJobs,
} from './dead-letter-ports.ts';

/** Letters that a list looks at in one request for those that nobody has redriven or purged. */
const MAX_LOOKED_AT = 20_000;
const COUNT_PAGE = 20_000;
/** Ten pages of the index, some seconds: beyond it a count says "at least". */
const MAX_COUNTED = 200_000;
const MAX_SHOWN_HEADERS = 64;
const MAX_SHOWN_HEADER_CHARS = 1_024;

const iso = (ms: number): string => new Date(ms).toISOString();

export const deadLetterView = (letter: DeadLetter): DeadLetterView => ({
  message_id: letter.message_id,
  campaign_id: letter.campaign_id,
  recipient: letter.recipient,
  kind: letter.kind,
  reason: letter.reason,
  detail: letter.detail,
  attempts: letter.attempts,
  run: letter.run,
  occurred_at: iso(letter.occurredAtMs),
  dlq: letter.place ?? null,
});

export function redriveView(job: RedriveJob): RedriveView {
  const causes = Object.entries(job.left) as [LeftCause, number][];
  const sum = (list: typeof causes) => list.reduce((all, [, n]) => all + n, 0);
  return {
    redrive_id: job.redrive_id,
    action: job.action,
    status: job.status,
    filter: { ...job.filter },
    limit: job.limit,
    rate_per_second: job.rate_per_second,
    reason_text: job.reason_text,
    requested_by: job.tenant_id,
    created_at: iso(job.createdAtMs),
    finished_at: job.finishedAtMs === null ? null : iso(job.finishedAtMs),
    matched: job.matched,
    matched_at_least: job.matchedAtLeast,
    selected: job.selected,
    redriven: job.redriven,
    purged: job.purged,
    skipped: sum(causes.filter(([cause]) => isSkipped(cause))),
    unreadable: sum(causes.filter(([cause]) => !isSkipped(cause))),
    left_by_cause: Object.fromEntries(causes),
  };
}

const textOf = (bytes: Buffer | undefined): string => (bytes ?? Buffer.alloc(0)).toString('utf8');

/** Epoch milliseconds in a header; another team may have written it. */
function timeOf(bytes: Buffer | undefined): string | null {
  const ms = bytes && bytes.length <= 16 ? Number(textOf(bytes)) : Number.NaN;
  return Number.isSafeInteger(ms) && ms > 0 && ms < 8.64e15 ? iso(ms) : null;
}

function letterOf(record: StreamRecord, decoded: Decoded<Message>): NonNullable<DeadLetterDetailView['letter']> {
  const { headers, key, value } = record;
  const H = DEAD_LETTER_HEADERS;
  return {
    origin: textOf(headers[H.origin]).slice(0, MAX_SHOWN_HEADER_CHARS),
    reason: textOf(headers[H.reason]).slice(0, MAX_SHOWN_HEADER_CHARS),
    error: textOf(headers[H.error]).slice(0, MAX_SHOWN_HEADER_CHARS),
    attempts: textOf(headers[H.attempts]).slice(0, MAX_SHOWN_HEADER_CHARS),
    first_failed_at: timeOf(headers[H.firstFailedAt]),
    last_failed_at: timeOf(headers[H.lastFailedAt]),
    traceparent: headers[HEADERS.traceparent]
      ? textOf(headers[HEADERS.traceparent]).slice(0, MAX_SHOWN_HEADER_CHARS)
      : null,
    headers: Object.entries(headers)
      .slice(0, MAX_SHOWN_HEADERS)
      .map(([name, bytes]) => ({
        name: name.slice(0, MAX_SHOWN_HEADER_CHARS),
        value: textOf(bytes.subarray(0, MAX_SHOWN_HEADER_CHARS)),
      })),
    key: key === null ? null : textOf(key.subarray(0, MAX_SHOWN_HEADER_CHARS)),
    truncated: headers[H.truncated] !== undefined,
    message: decoded.ok ? { ...decoded.value } : null,
    undecodable: decoded.ok ? null : decoded.reason === 'needs_schema' ? 'its schema is not known' : decoded.detail,
    value_bytes: value?.length ?? 0,
    value_base64: (value ?? Buffer.alloc(0)).subarray(0, MAX_SHOWN_BYTES).toString('base64'),
  };
}

interface CountedReason {
  count: number;
  firstMs: number;
  lastMs: number;
}

function countIn(reasons: Map<string, CountedReason>, { reason, occurredAtMs }: DeadLetter): void {
  const known = reasons.get(reason);
  if (known === undefined) {
    reasons.set(reason, { count: 1, firstMs: occurredAtMs, lastMs: occurredAtMs });
    return;
  }
  known.count += 1;
  known.firstMs = Math.min(known.firstMs, occurredAtMs);
  known.lastMs = Math.max(known.lastMs, occurredAtMs);
}

const countView = (reasons: ReadonlyMap<string, CountedReason>) => ({
  dry_run: true as const,
  by_reason: Object.fromEntries([...reasons].map(([reason, { count }]) => [reason, count])),
  reasons: [...reasons]
    .map(([reason, { count, firstMs, lastMs }]) => ({ reason, count, first: iso(firstMs), last: iso(lastMs) }))
    .sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1)),
});

/** What an operator sees of dead letters and asks for. The jobs themselves are the redrive role's: redrive.ts. */
export function createDeadLetterDesk(d: {
  tenant: string;
  index: Pick<DeadLetterIndex, 'page' | 'find'>;
  jobs: RedriveJobs;
  read: LetterReader;
  decode: (bytes: Buffer | null) => Decoded<Message>;
  /** Rejects when the registry does not answer: the letter is shown undecoded. */
  loadSchema: (id: number) => Promise<void>;
  now(): number;
  newId(): string;
  wakeRedrive(): void;
}): DeadLetterDesk {
  async function untouched(letters: readonly DeadLetter[]): Promise<DeadLetter[]> {
    const marked = await d.jobs.marked(letters.map(markOf));
    return letters.filter((letter) => !marked.has(markKey(markOf(letter))));
  }

  async function count(filter: DeadLetterFilter, limit: number | null, beforeMs: number): Promise<DeadLetterCountView> {
    const reasons = new Map<string, CountedReason>();
    let matched = 0;
    let after: LetterCursor | undefined;
    const found = (matched_at_least: boolean) => ({ ...countView(reasons), matched, matched_at_least });
    for (let looked = 0; looked < MAX_COUNTED; looked += COUNT_PAGE) {
      const page = await d.index.page({ filter, beforeMs, limit: COUNT_PAGE, ...(after ? { after } : {}) });
      for (const letter of await untouched(page)) {
        if (limit !== null && matched >= limit) return found(false);
        matched += 1;
        countIn(reasons, letter);
      }
      if (page.length < COUNT_PAGE) return found(false);
      after = page.at(-1);
    }
    return found(true);
  }

  return {
    async list({ filter, limit, after }) {
      const data: DeadLetter[] = [];
      let at = after;
      for (let looked = 0; looked < MAX_LOOKED_AT; ) {
        const want = Math.max(limit + 1, 100);
        const page = await d.index.page({ filter, newestFirst: at === undefined ? {} : { after: at }, limit: want });
        for (const letter of await untouched(page)) {
          if (data.length === limit) return { data: data.map(deadLetterView), next: data.at(-1) };
          data.push(letter);
        }
        if (page.length < want) return { data: data.map(deadLetterView), next: undefined };
        looked += page.length;
        at = page.at(-1);
      }
      return { data: data.map(deadLetterView), next: at };
    },

    async show(messageId) {
      const found = await d.index.find(messageId);
      if (found === undefined) return undefined;
      const mark = markOf(found);
      const standing = (await d.jobs.marked([mark])).get(markKey(mark)) ?? 'waiting';
      const record = found.place && (await d.read([found.place])).found.get(placeKey(found.place));
      let letter: DeadLetterDetailView['letter'] = null;
      if (record !== undefined) {
        let decoded = d.decode(record.value);
        if (!decoded.ok && decoded.reason === 'needs_schema') {
          await d.loadSchema(decoded.schemaId).catch(() => {});
          decoded = d.decode(record.value);
        }
        letter = letterOf(record, decoded);
      }
      return { ...deadLetterView(found), standing, letter };
    },

    async ask({ action, filter, limit, rate_per_second, reason_text, dry_run }) {
      const createdAtMs = d.now();
      const counted = await count(filter, limit, createdAtMs);
      if (dry_run) return counted;
      const job = await d.jobs.create({
        redrive_id: d.newId(),
        tenant_id: d.tenant,
        action,
        filter,
        limit,
        rate_per_second,
        reason_text,
        createdAtMs,
        matched: counted.matched,
        matchedAtLeast: counted.matched_at_least,
      });
      d.wakeRedrive();
      return redriveView(job);
    },

    async redrives(page) {
      return (await d.jobs.list(d.tenant, page)).map(redriveView);
    },
    async redrive(id) {
      const job = await d.jobs.find(d.tenant, id);
      return job && redriveView(job);
    },
    async cancel(id) {
      const job = await d.jobs.cancel(d.tenant, id);
      d.wakeRedrive();
      return job && redriveView(job);
    },
  };
}
