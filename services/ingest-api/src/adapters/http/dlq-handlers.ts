import { isMessageId } from '@volley/contract';
import { purgeRequest, redriveRequest } from '@volley/contract/http';
import type { DeadLetterDesk, DeadLetterFilter } from '../../dead-letter-ports.ts';
import { readJson, readNothing } from './body.ts';
import { decodeCursor, encodeCursor, UUID } from './cursor.ts';
import { check, type Handlers, notFound, type Request } from './operation.ts';

/** Milliseconds and message id: newest first, and ids where the times are the same. */
const PLACE = /^\d{1,15} [0-9a-f-]{36}$/;

export interface DeadLetterHandlerDeps {
  readonly deadLetters: DeadLetterDesk;
}

interface Selection extends DeadLetterFilter {
  readonly limit?: number | undefined;
  readonly rate_per_second?: number | undefined;
  readonly reason_text: string;
  readonly dry_run: boolean;
}

/** Only what was given: the filter is kept with the job as it was asked for. */
const filterOf = (asked: DeadLetterFilter): DeadLetterFilter =>
  Object.fromEntries(
    (['campaign_id', 'reason', 'kind', 'recipient', 'message_ids'] as const)
      .filter((name) => asked[name] !== undefined)
      .map((name) => [name, asked[name]]),
  );

const redriveIdOf = (r: Request): string => {
  if (!UUID.test(r.id)) throw notFound('redrive');
  return r.id;
};

export function deadLetterHandlers(d: DeadLetterHandlerDeps) {
  async function ask(action: 'redrive' | 'purge', selection: Selection) {
    const { limit = null, rate_per_second = null, reason_text, dry_run } = selection;
    const wanted = { action, filter: filterOf(selection), limit, rate_per_second, reason_text, dry_run };
    const body = await d.deadLetters.ask(wanted);
    if (!('redrive_id' in body)) return { status: 200, body };
    return { status: 202, body, headers: { Location: `/v1/dlq/redrives/${body.redrive_id}` } };
  }

  return {
    listDeadLetters: async (r) => {
      const { limit, cursor } = r.query as { limit: number; cursor?: string };
      const place = decodeCursor('dlq', cursor, PLACE)?.split(' ') as [string, string] | undefined;
      const { data, next } = await d.deadLetters.list({
        filter: filterOf(r.query),
        limit,
        ...(place ? { after: { occurredAtMs: Number(place[0]), message_id: place[1] } } : {}),
      });
      const next_cursor = next ? encodeCursor('dlq', `${next.occurredAtMs} ${next.message_id}`) : null;
      return { status: 200, body: { data, next_cursor } };
    },

    getDeadLetter: async (r) => {
      const found = isMessageId(r.id) ? await d.deadLetters.show(r.id) : undefined;
      if (!found) throw notFound('dead letter');
      return { status: 200, body: found };
    },

    redriveDeadLetters: async (r) =>
      ask('redrive', check(redriveRequest, (await readJson(r.req)).value, 'body') as Selection),
    purgeDeadLetters: async (r) =>
      ask('purge', check(purgeRequest, (await readJson(r.req)).value, 'body') as Selection),

    listRedrives: async (r) => {
      const { limit, cursor } = r.query as { limit: number; cursor?: string };
      const before = decodeCursor('redrives', cursor, UUID);
      const found = await d.deadLetters.redrives({ limit: limit + 1, ...(before ? { before } : {}) });
      const data = found.slice(0, limit);
      const last = data.at(-1);
      const next_cursor = found.length > limit && last ? encodeCursor('redrives', last.redrive_id) : null;
      return { status: 200, body: { data, next_cursor } };
    },

    getRedrive: async (r) => {
      const found = await d.deadLetters.redrive(redriveIdOf(r));
      if (!found) throw notFound('redrive');
      return { status: 200, body: found };
    },

    cancelRedrive: async (r) => {
      const id = redriveIdOf(r);
      await readNothing(r.req);
      const found = await d.deadLetters.cancel(id);
      if (!found) throw notFound('redrive');
      return { status: 202, body: found };
    },
  } satisfies Partial<Handlers>;
}
