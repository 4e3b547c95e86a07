import { isCampaignId } from '@volley/contract';
import { type ReplayRequest, replayRequest } from '@volley/contract/http';
import type { ReplayAction, ReplayAsk, ReplayDesk } from '../../replay-ports.ts';
import { readJson, readNothing } from './body.ts';
import { idempotencyKey } from './campaign-handlers.ts';
import { decodeCursor, encodeCursor, UUID } from './cursor.ts';
import { check, type Handler, type Handlers, notFound, type Request } from './operation.ts';
import { failed } from './problem.ts';

export interface ReplayHandlerDeps {
  readonly replays: ReplayDesk;
}

/** Only what was given; times come as ISO text and are kept as milliseconds. */
function askOf({ from, to, ...rest }: ReplayRequest): ReplayAsk {
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  return {
    ...(Object.fromEntries(given) as unknown as ReplayAsk),
    ...(from === undefined ? {} : { from: Date.parse(from) }),
    ...(to === undefined ? {} : { to: Date.parse(to) }),
  };
}

const replayIdOf = (r: Request): string => {
  if (!UUID.test(r.id)) throw notFound('replay');
  return r.id;
};

export function replayHandlers(d: ReplayHandlerDeps) {
  const action =
    (name: ReplayAction): Handler =>
    async (r) => {
      const id = replayIdOf(r);
      await readNothing(r.req);
      const result = await d.replays.act(id, name, r.credential);
      if (!result) throw notFound('replay');
      if (!result.ok) throw failed(result.failure);
      return { status: 202, body: result.value };
    };

  return {
    startReplay: async (r) => {
      const { raw, value } = await readJson(r.req);
      const asked = askOf(check(replayRequest, value, 'body'));
      if (asked.campaign_id !== undefined && !isCampaignId(asked.campaign_id)) throw notFound('campaign');
      const result = await d.replays.ask(asked, r.credential, idempotencyKey(r, raw));
      if (!result.ok) throw failed(result.failure);
      const { status, body } = result.value;
      return status === 200
        ? { status, body }
        : { status, body, headers: { Location: `/v1/replays/${body.replay_id}` } };
    },

    listReplays: async (r) => {
      const { limit, cursor } = r.query as { limit: number; cursor?: string };
      const before = decodeCursor('replays', cursor, UUID);
      const found = await d.replays.list({ limit: limit + 1, ...(before ? { before } : {}) });
      const data = found.slice(0, limit);
      const last = data.at(-1);
      const next_cursor = found.length > limit && last ? encodeCursor('replays', last.replay_id) : null;
      return { status: 200, body: { data, next_cursor } };
    },

    getReplay: async (r) => {
      const found = await d.replays.find(replayIdOf(r));
      if (!found) throw notFound('replay');
      return { status: 200, body: found };
    },

    pauseReplay: action('pause'),
    resumeReplay: action('resume'),
    cancelReplay: action('cancel'),
    undoReplay: action('undo'),
  } satisfies Partial<Handlers>;
}
