import { campaignIdFrom } from '@volley/contract';
import { findProvider, type Provider } from '@volley/contract/providers';
import { checkTemplate } from '@volley/contract/render';
import { mailboxProblem } from './core/address.ts';
import {
  allows,
  type Campaign,
  type CampaignCommand,
  type CampaignContent,
  decide,
  fold,
  foldAll,
  type StoredFact,
} from './core/campaign.ts';
import { campaignView } from './core/campaign-record.ts';
import {
  type ContactPatch,
  contactOf,
  type LineError,
  MAX_MERGED_ATTRIBUTE_BYTES,
  mergeByAddress,
} from './core/contact.ts';
import { type Failure, type FailureDetail, fail, ok, type Result } from './core/result.ts';
import { parseSegment, tagProblem } from './core/segment.ts';
import { directSpread, spreadFor } from './core/window.ts';
import type {
  Answer,
  CampaignCommands,
  CampaignStore,
  CampaignTransaction,
  ContactImport,
  ContactStore,
  IdempotencyKey,
} from './ports.ts';

/** Until tenants exist there is one; everything that is stored carries it already. */
export const TENANT = 'default';
/** A command that loses the race for a version this often meets a campaign that something else keeps busy. */
const MAX_TRIES = 10;

export interface CommandDeps {
  readonly store: CampaignStore;
  readonly providers: readonly Provider[];
  readonly partitions: number;
  now(): number;
  random(bytes: number): Uint8Array;
  newEventId(): string;
  /** Something was committed that the relay should look at. */
  committed(): void;
  tried(command: string, outcome: string): void;
}

/** A command that completes a finished campaign belongs to the progress role and to nobody else. */
export interface AllCommands extends CampaignCommands {
  complete(campaignId: string, failures: boolean): Promise<Result<Answer>>;
  /** By the first direct message. Answers with the campaign. */
  open(campaignId: string): Promise<Result<Campaign>>;
  /** Belongs to the redrive role. Answers with the campaign; its version is the one that redriven messages carry. */
  reopen(campaignId: string, redriveId: string): Promise<Result<Campaign>>;
}

type Decision = Result<CampaignCommand> | 'conflict';

export function createCommands(deps: CommandDeps): AllCommands {
  /** One command in one transaction: fold, decide, append. Who loses the race for a version decides again on the new state. */
  async function run(
    campaignId: string,
    type: CampaignCommand['type'],
    key: IdempotencyKey | undefined,
    commandFor: (state: Campaign | undefined, tx: CampaignTransaction) => Decision | Promise<Decision>,
    answerOf: (state: Campaign) => Answer,
  ): Promise<Result<Answer & { state?: Campaign }>> {
    for (let tries = 1; ; tries++) {
      const result = await deps.store.transaction<Result<Answer & { state?: Campaign }> | 'conflict'>(async (tx) => {
        const known = key && (await tx.recall(TENANT, key));
        if (known === 'other') return { undo: fail(keyReused) };
        if (known) return { undo: ok(known) };
        const state = foldAll(await tx.facts(campaignId));
        const command = await commandFor(state, tx);
        if (command === 'conflict') return { undo: 'conflict' };
        const decided = command.ok ? decide(state, command.value) : command;
        if (!decided.ok) {
          // What stands in its way may be the same request, committed since the key was looked for.
          const meanwhile = key && (await tx.recall(TENANT, key));
          return { undo: meanwhile === undefined || meanwhile === 'other' ? decided : ok(meanwhile) };
        }
        const stored: StoredFact = {
          event_id: deps.newEventId(),
          campaign_id: campaignId,
          version: (state?.version ?? 0) + 1,
          occurred_at: deps.now(),
          fact: decided.value,
        };
        const next = fold(state, stored);
        if ((await tx.append(stored, next)) === 'conflict') return { undo: 'conflict' };
        const answer = answerOf(next);
        if (key && (await tx.remember(TENANT, key, answer)) === 'conflict') return { undo: 'conflict' };
        return { commit: ok({ ...answer, state: next }) };
      });
      if (result !== 'conflict') {
        deps.tried(type, result.ok ? 'done' : result.failure.code);
        if (result.ok && result.value.state) deps.committed();
        return result;
      }
      deps.tried(type, 'retried');
      if (tries === MAX_TRIES) return fail({ code: 'conflict', detail: 'the campaign is being changed by others' });
    }
  }

  const viewed = (status: number) => (state: Campaign) => ({ status, body: campaignView(state) });
  const stale = (state: Campaign | undefined, ifVersion: number | undefined): Result<never> | undefined =>
    state && !state.deleted && ifVersion !== undefined && state.version !== ifVersion
      ? fail({
          code: 'version_mismatch',
          detail: `the campaign has version ${state.version}`,
          extra: { version: state.version },
        })
      : undefined;

  return {
    async create(content, key) {
      const campaignId = campaignIdFrom(deps.now(), deps.random(6));
      const filled = withProvider(content, deps.providers);
      const failure = contentFailure(filled, deps.providers, deps.now());
      if (failure) return fail(failure);
      const command = ok<CampaignCommand>({ type: 'create', tenant_id: TENANT, content: filled });
      return run(campaignId, 'create', key, () => command, viewed(201));
    },

    async change(campaignId, changes, ifVersion) {
      const result = await run(
        campaignId,
        'change',
        undefined,
        (state) => {
          const refused = stale(state, ifVersion);
          if (refused) return refused;
          // Checked as a whole: a subject may fit one channel and not another.
          if (state && allows(state, 'change')) {
            // A new channel without a provider takes the first provider of that channel.
            const provider = changes.provider ?? (changes.channel === undefined ? state.provider : '');
            const whole = withProvider({ ...contentOf(state), ...changes, provider }, deps.providers);
            const failure = contentFailure(whole, deps.providers, deps.now());
            if (failure) return fail(failure);
            return ok({ type: 'change', changes: { ...changes, provider: whole.provider } });
          }
          return ok({ type: 'change', changes });
        },
        viewed(200),
      );
      return result.ok ? ok(result.value.body as ReturnType<typeof campaignView>) : result;
    },

    async remove(campaignId, ifVersion) {
      const command = (state: Campaign | undefined) =>
        stale(state, ifVersion) ?? ok<CampaignCommand>({ type: 'delete' });
      const result = await run(campaignId, 'delete', undefined, command, () => ({ status: 204, body: null }));
      return result.ok ? ok(undefined) : result;
    },

    command(campaignId, name, key, ifVersion) {
      const after = (state: Campaign) => ({
        campaign_id: campaignId,
        status: state.status,
        ...(name === 'send' ? { queued: state.expected } : {}),
      });
      return run(
        campaignId,
        name,
        key,
        async (state, tx) => {
          const refused = stale(state, ifVersion);
          if (refused) return refused;
          if (name !== 'send') return ok({ type: name });
          // What is not allowed is refused before anything is frozen.
          if (!state || !allows(state, 'send')) return ok({ type: 'send', expected: 1, spread: 1, partitions: 1 });
          const segment = parseSegment(state.segment_rule);
          if (!segment.ok) return segment;
          const expected = await tx.freeze(state, segment.value);
          if (expected === 'conflict') return 'conflict';
          const { partitions } = deps;
          return ok({ type: 'send', expected, spread: spreadFor(expected, partitions), partitions });
        },
        (state) => ({ status: 202, body: after(state) }),
      );
    },

    async open(campaignId) {
      const { partitions } = deps;
      const command = ok<CampaignCommand>({ type: 'open', spread: directSpread(partitions), partitions });
      const result = await run(campaignId, 'open', undefined, () => command, viewed(200));
      return result.ok ? ok(result.value.state as Campaign) : result;
    },

    complete: (campaignId, failures) =>
      run(
        campaignId,
        'complete',
        undefined,
        async (_, tx) =>
          (await tx.redriven(campaignId))
            ? fail({ code: 'conflict', detail: 'messages of the campaign are being redriven' })
            : ok({ type: 'complete', failures }),
        viewed(200),
      ),

    async reopen(campaignId, redriveId) {
      const command = ok<CampaignCommand>({ type: 'reopen', redrive_id: redriveId });
      const result = await run(campaignId, 'reopen', undefined, () => command, viewed(200));
      return result.ok ? ok(result.value.state as Campaign) : result;
    },
  };
}

const keyReused: Failure = {
  code: 'idempotency_key_reused',
  detail: 'this Idempotency-Key was used for another request',
};

const contentOf = (c: Campaign): CampaignContent => ({
  name: c.name,
  template: c.template,
  subject: c.subject,
  from: c.from,
  reply_to: c.reply_to,
  content_type: c.content_type,
  channel: c.channel,
  provider: c.provider,
  segment_rule: c.segment_rule,
  lane: c.lane,
  ...(c.lane_given === undefined ? {} : { lane_given: c.lane_given }),
  rate_per_second: c.rate_per_second,
  max_attempts: c.max_attempts,
  expires_at: c.expires_at,
});

/** The first provider of the channel, when none is named. */
const withProvider = (c: CampaignContent, providers: readonly Provider[]): CampaignContent =>
  c.provider === '' ? { ...c, provider: findProvider(providers, c.channel)?.name ?? '' } : c;

/** What can be wrong with a campaign beyond its form: all of it while somebody looks at it, not at the first message. */
function contentFailure(c: CampaignContent, providers: readonly Provider[], nowMs: number): Failure | undefined {
  if (!findProvider(providers, c.channel, c.provider) || c.provider === '') {
    const detail =
      c.provider === '' ? `no provider of channel ${c.channel}` : `no provider ${c.provider} of channel ${c.channel}`;
    return {
      code: 'unknown_provider',
      detail,
      errors: [{ pointer: c.provider === '' ? '/channel' : '/provider', detail }],
    };
  }
  const errors: FailureDetail[] = [];
  for (const field of ['from', 'reply_to'] as const) {
    const detail = c[field] === '' ? undefined : mailboxProblem(c[field]);
    if (detail) errors.push({ pointer: `/${field}`, detail });
  }
  if (c.expires_at !== null && c.expires_at <= nowMs)
    errors.push({ pointer: '/expires_at', detail: 'lies in the past' });
  if (errors.length > 0) return { code: 'validation_failed', detail: 'the campaign is not valid', errors };
  const templateErrors = checkTemplate({ template: c.template, subject: c.subject, contentType: c.content_type });
  if (templateErrors.length > 0) {
    return {
      code: 'template_invalid',
      detail: 'the template does not compile',
      errors: templateErrors.map(({ field, message, line, column }) => ({
        pointer: `/${field}`,
        detail: message,
        ...(line === undefined ? {} : { line }),
        ...(column === undefined ? {} : { column }),
      })),
    };
  }
  const segment = parseSegment(c.segment_rule);
  return segment.ok ? undefined : segment.failure;
}

const CHUNK_ROWS = 5_000;
const MAX_ERRORS = 1_000;
/** Far below the 60 s after which Postgres ends a transaction in which nothing happens. */
const WRITE_EVERY_MS = 10_000;

/** The batches as they come, and undefined whenever none has come for `everyMs`. */
async function* withBeats<T>(batches: AsyncIterable<T>, everyMs: number): AsyncGenerator<T | undefined> {
  const iterator = batches[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<T>> | undefined;
  try {
    for (;;) {
      pending ??= iterator.next();
      let timer: NodeJS.Timeout | undefined;
      const beat = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), everyMs);
      });
      const next = await Promise.race([pending, beat]).finally(() => clearTimeout(timer));
      if (next) pending = undefined;
      if (next?.done) return;
      yield next?.value;
    }
  } finally {
    // An upload that is being waited for ends by itself: whoever gave up on it does not wait as well.
    const ended = iterator.return?.();
    if (pending === undefined) await ended;
    else void Promise.allSettled([pending, ended]);
  }
}

/** Lines are read once, checked alone, and written in chunks of one transaction; a bad line is counted and the rest goes in. */
export function createImport(
  contacts: ContactStore,
  counted: (outcome: string, lines: number) => void,
  writeEveryMs = WRITE_EVERY_MS,
): ContactImport {
  return {
    async run(lines, addTag) {
      const wrong = addTag === undefined ? undefined : tagProblem(addTag);
      if (wrong) {
        const errors = [{ pointer: '?add_tag', detail: wrong }];
        return fail({ code: 'validation_failed', detail: 'the query is not valid', errors });
      }
      const errors: LineError[] = [];
      let rejected = 0;
      let mergedLines = 0;
      function reject(line: number, code: LineError['code'], detail: string): void {
        rejected += 1;
        if (errors.length < MAX_ERRORS) errors.push({ line, code, detail });
      }
      const rejectTooLarge = ({ lines = [] }: ContactPatch) => {
        const detail = `the attributes of the contact would take more than ${MAX_MERGED_ATTRIBUTE_BYTES} bytes in all`;
        for (const line of lines) reject(line, 'invalid_attributes', detail);
      };
      function merge(chunk: readonly ContactPatch[]): readonly ContactPatch[] {
        const { contacts, merged, tooLarge } = mergeByAddress(chunk);
        mergedLines += merged;
        tooLarge.forEach(rejectTooLarge);
        return contacts;
      }
      async function* chunks() {
        let chunk: ContactPatch[] = [];
        let writeAtMs = performance.now() + writeEveryMs;
        for await (const batch of withBeats(lines, writeEveryMs)) {
          for (const entry of batch ?? []) {
            const checked = entry.fields ? contactOf(entry.fields) : { ok: false as const, ...entry };
            if (checked.ok) {
              chunk.push({ ...checked.contact, lines: [entry.line] });
              continue;
            }
            reject(entry.line, checked.code, checked.detail);
          }
          if (chunk.length >= CHUNK_ROWS || performance.now() >= writeAtMs) {
            const merged = merge(chunk);
            chunk = [];
            yield merged;
            writeAtMs = performance.now() + writeEveryMs;
          }
        }
        if (chunk.length > 0) yield merge(chunk);
      }
      const written = await contacts.upsert(TENANT, chunks(), addTag);
      if (written === 'busy') return fail({ code: 'busy', detail: 'another import is under way' });
      for (const contact of written.tooLarge) {
        // With the first line of a contact go those that were merged into it.
        mergedLines -= (contact.lines?.length ?? 1) - 1;
        rejectTooLarge(contact);
      }
      errors.sort((a, b) => a.line - b.line);
      const report = { imported: written.imported, updated: written.updated + mergedLines, rejected, errors };
      for (const outcome of ['imported', 'updated', 'rejected'] as const) counted(outcome, report[outcome]);
      return ok(report);
    },
  };
}
