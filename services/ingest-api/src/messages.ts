import {
  campaignIdOfMessage,
  directRange,
  isDirectMessageId,
  isMessageId,
  messageIdOf,
  ordinalIn,
} from '@volley/contract';
import type {
  CampaignKey,
  DirectWant,
  Known,
  MessageFilter,
  MessageIndex,
  MessageReads,
  MessageState,
  MessageView,
} from './analytics-ports.ts';
import { TENANT } from './commands.ts';
import { hasNoAudience } from './core/campaign.ts';
import { completeness } from './core/stats.ts';
import type { CampaignStore, ContactStore, FrozenRecipients, FrozenRow } from './ports.ts';

/**
 * Ordinals that one question looks through. A filter that few messages match would else read all of a campaign at once: so
 * it goes on window by window, each as large as the time that is left allows, and the next page goes on where it is over.
 */
const FIRST_WINDOW = 100_000;
const LEAST_WINDOW = 10_000;
const MOST_WINDOW = 800_000;
const MOST_GROWTH = 4;
const ENOUGH_MS = 150;

export interface MessageReadDeps {
  readonly store: CampaignStore;
  readonly contacts: Pick<ContactStore, 'byAddress'>;
  readonly frozen: FrozenRecipients;
  readonly index: MessageIndex;
  now(): number;
  monotonicMs(): number;
}

interface Found {
  readonly row: FrozenRow;
  readonly state: MessageState | undefined;
}
interface Part<T, Place = number> {
  readonly found: readonly T[];
  /** Up to where it was looked; undefined: to the end. */
  readonly on?: Place;
}

/** Where messages stand: ClickHouse knows what became of them, Postgres who they are and which have no event yet. */
export function createMessageReads(d: MessageReadDeps): MessageReads {
  const view = (campaignId: string, { row, state }: Found): MessageView => ({
    message_id: state?.message_id ?? messageIdOf(campaignId, row.ordinal),
    recipient: row.recipient,
    tags: row.tags,
    status: state?.status ?? 'queued',
    attempts: state?.attempts ?? 0,
    reason: state?.reason || null,
    queued_at: state?.queued_at ?? null,
    occurred_at: state?.occurred_at ?? null,
  });
  /** Of a direct message its events say who it is for; no audience does. */
  const directView = (state: MessageState) =>
    view('', { row: { ordinal: 0, recipient: state.recipient, name: null, tags: [], attributes: '{}' }, state });

  /** As of the earliest of the answers that make one. */
  function oldest() {
    let asOfMs: number | null = Number.POSITIVE_INFINITY;
    return {
      value<T>(known: Known<T>): T {
        asOfMs = asOfMs === null || known.asOfMs === null ? null : Math.min(asOfMs, known.asOfMs);
        return known.value;
      },
      shown: () => {
        const nowMs = d.now();
        return completeness(asOfMs === Number.POSITIVE_INFINITY ? nowMs : asOfMs, nowMs);
      },
    };
  }
  type Oldest = ReturnType<typeof oldest>;

  async function withStates(
    of: CampaignKey,
    rows: readonly FrozenRow[],
    asOf: Oldest,
    gone?: AbortSignal,
  ): Promise<Found[]> {
    const [first, last] = [rows[0], rows.at(-1)];
    if (!first || !last) return [];
    const want = { after: first.ordinal - 1, last: last.ordinal, limit: 2 * (last.ordinal - first.ordinal + 1) };
    // Anybody may write an event: one with another message's place says nothing of that message.
    const byId = new Map(asOf.value(await d.index.states(of, want, gone)).map((state) => [state.message_id, state]));
    return rows.map((row) => ({ row, state: byId.get(messageIdOf(of.campaign_id, row.ordinal)) }));
  }

  /** Window by window, until `want` were found. `look` answers the first `limit` of a window, in order. */
  async function walk<T>(
    range: { after: number; last: number; want: number },
    ordinalOf: (found: T) => number,
    look: (window: { after: number; last: number; limit: number }) => Promise<readonly T[]>,
  ): Promise<Part<T>> {
    const untilMs = d.monotonicMs() + ENOUGH_MS;
    const found: T[] = [];
    let size = FIRST_WINDOW;
    for (let after = range.after; after < range.last; ) {
      const beganMs = d.monotonicMs();
      const last = Math.min(range.last, after + size);
      // One more than is wanted says that there are more.
      const limit = range.want + 1 - found.length;
      found.push(...(await look({ after, last, limit })));
      if (found.length > range.want) {
        const page = found.slice(0, range.want);
        return { found: page, on: ordinalOf(page.at(-1) as T) };
      }
      after = last;
      const nowMs = d.monotonicMs();
      if (after < range.last && nowMs >= untilMs) return { found, on: after };
      const growth = Math.min(MOST_GROWTH, (untilMs - nowMs) / Math.max(1, nowMs - beganMs));
      size = Math.min(MOST_WINDOW, Math.max(LEAST_WINDOW, Math.floor(size * growth)));
    }
    return { found };
  }

  /** Direct messages have no places: the windows are those of the store, as many as there is time for. */
  async function walkDirect(
    of: CampaignKey,
    { limit, ...want }: DirectWant,
    asOf: Oldest,
    gone?: AbortSignal,
  ): Promise<Part<MessageState, string>> {
    const untilMs = d.monotonicMs() + ENOUGH_MS;
    const found: MessageState[] = [];
    for (let { after } = want; ; ) {
      const rest = { ...want, after, limit: limit + 1 - found.length };
      const window = asOf.value(await d.index.directStates(of, rest, gone));
      found.push(...window.found);
      const page = found.slice(0, limit);
      if (found.length > limit) return { found: page, on: (page.at(-1) as MessageState).message_id };
      if (window.on === undefined) return { found };
      if (d.monotonicMs() >= untilMs) return { found, on: window.on };
      after = window.on;
    }
  }

  type Want = MessageFilter & { readonly limit: number };
  type Audience = CampaignKey & { readonly expected: number };

  /** Of all, in the order of the audience. */
  async function all(of: Audience, after: number, want: Want, asOf: Oldest, gone?: AbortSignal): Promise<Part<Found>> {
    const rows = await d.frozen.page(of.campaign_id, after, want.limit + 1);
    const found = await withStates(of, rows.slice(0, want.limit), asOf, gone);
    const on = found.at(-1)?.row.ordinal;
    return rows.length > want.limit && on !== undefined ? { found, on } : { found };
  }

  /** By state: ClickHouse knows which, Postgres who. */
  async function byState(
    of: Audience,
    after: number,
    want: Want,
    asOf: Oldest,
    gone?: AbortSignal,
  ): Promise<Part<Found>> {
    const { status, reason, limit } = want;
    const filter = { ...(status !== undefined && { status }), ...(reason !== undefined && { reason }) };
    const { found: states, ...on } = await walk(
      { after, last: of.expected, want: limit },
      (state: MessageState) => state.ordinal,
      async (window) => asOf.value(await d.index.states(of, { ...window, ...filter }, gone)),
    );
    const rows = await rowsOf(
      of,
      states.map((state) => state.ordinal),
    );
    return { found: states.flatMap((state) => ({ row: rows.get(state.ordinal), state })).filter(hasRow), ...on };
  }

  /** Of these nothing is known of their latest run, so no reason either. */
  async function queued(
    of: Audience,
    after: number,
    want: Want,
    asOf: Oldest,
    gone?: AbortSignal,
  ): Promise<Part<Found>> {
    if (want.reason !== undefined) return { found: [] };
    const { found: ordinals, ...on } = await walk(
      { after, last: of.expected, want: want.limit },
      (ordinal: number) => ordinal,
      async (window) => asOf.value(await d.index.queued(of, window, gone)),
    );
    const [first, last] = [ordinals[0], ordinals.at(-1)];
    if (first === undefined || last === undefined) return { found: [], ...on };
    const rows = await rowsOf(of, ordinals);
    // Some were put into their lanes again: their states say how often they were tried.
    const redriven = { after: first - 1, last, limit: ordinals.length, status: 'queued' };
    const states = asOf.value(await d.index.states(of, redriven, gone));
    const byOrdinal = new Map(states.map((state) => [state.ordinal, state]));
    return { found: [...rows.values()].map((row) => ({ row, state: byOrdinal.get(row.ordinal) })), ...on };
  }

  const rowsOf = async (of: Audience, ordinals: readonly number[]) =>
    new Map((await d.frozen.byOrdinals(of.campaign_id, ordinals)).map((row) => [row.ordinal, row]));
  const hasRow = (found: {
    row: FrozenRow | undefined;
    state: MessageState;
  }): found is Found & { state: MessageState } => found.row !== undefined;

  /** One address is one contact, found by key; one whose contact was deleted since is looked for among all. */
  async function ofRecipient(
    of: Audience,
    after: number,
    want: Want,
    asOf: Oldest,
    gone?: AbortSignal,
  ): Promise<Part<Found>> {
    const recipient = want.recipient ?? '';
    const contact = await d.contacts.byAddress(TENANT, recipient);
    const known = contact && (await d.frozen.ofContact(of.campaign_id, contact.contact_id));
    const { found: rows, ...on }: Part<FrozenRow> = known
      ? { found: known.ordinal > after ? [known] : [] }
      : await walk(
          { after, last: of.expected, want: 1 },
          (row: FrozenRow) => row.ordinal,
          (window) => d.frozen.ofRecipient(of.campaign_id, recipient, window.after, window.last),
        );
    const found = (await Promise.all(rows.map((row) => withStates(of, [row], asOf, gone)))).flat();
    const matches = ({ state }: Found) =>
      (want.status === undefined || (state?.status ?? 'queued') === want.status) &&
      (want.reason === undefined || state?.reason === want.reason);
    return { found: found.filter(matches), ...on };
  }

  /** Its id leaves open which of the campaigns of one millisecond it is of; its events do not. */
  async function direct(messageId: string, asOf: Oldest, gone?: AbortSignal) {
    for (const campaign of await d.store.between(TENANT, directRange(messageId))) {
      const state = asOf.value(await d.index.directState(campaign, messageId, gone));
      if (!state) continue;
      const events = asOf.value(await d.index.timeline(campaign, messageId, gone));
      const { campaign_id } = campaign;
      return { ...directView(state), campaign_id, accepted_at: state.queued_at, ...events, ...asOf.shown() };
    }
    return undefined;
  }

  return {
    async page(campaign, { after, limit, ...filter }, gone) {
      const asOf = oldest();
      if (hasNoAudience(campaign)) {
        const want = { after: after ?? '', limit, ...filter };
        const { found, on } = await walkDirect(campaign, want, asOf, gone);
        return { data: found.map(directView), ...(on !== undefined && { next: on }), ...asOf.shown() };
      }
      const way =
        filter.recipient !== undefined
          ? ofRecipient
          : filter.status === 'queued'
            ? queued
            : filter.status !== undefined || filter.reason !== undefined
              ? byState
              : all;
      const { found, on } = await way(campaign, Number(after ?? 0), { limit, ...filter }, asOf, gone);
      return {
        data: found.map((each) => view(campaign.campaign_id, each)),
        ...(on !== undefined && { next: String(on) }),
        ...asOf.shown(),
      };
    },

    async one(messageId, gone) {
      if (!isMessageId(messageId)) return undefined;
      const asOf = oldest();
      const campaignId = campaignIdOfMessage(messageId);
      const campaign = await d.store.find(TENANT, campaignId);
      if (!campaign && isDirectMessageId(messageId)) return direct(messageId, asOf, gone);
      const [row] = campaign ? await d.frozen.byOrdinals(campaignId, [ordinalIn(messageId, campaignId) ?? 0]) : [];
      if (!campaign || !row) return undefined;
      const [[found], events] = await Promise.all([
        withStates(campaign, [row], asOf, gone),
        d.index.timeline(campaign, messageId, gone),
      ]);
      const accepted_at = new Date(campaign.sent_at ?? campaign.updated_at).toISOString();
      return {
        ...view(campaignId, found ?? { row, state: undefined }),
        campaign_id: campaignId,
        accepted_at,
        ...asOf.value(events),
        ...asOf.shown(),
      };
    },
  };
}
